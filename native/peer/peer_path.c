#include "peer/peer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/prefetch.h"

enum { EARLY_DATAGRAMS = 4, EARLY_BYTES = 8192 };

typedef enum first_byte { FIRST_STUN, FIRST_DTLS, FIRST_SRTP, FIRST_UNKNOWN } first_byte;

/* RFC 7983 section 7. 16..19 ZRTP, 64..79 TURN channels: not ours as yet. */
static first_byte classify(rt_buffer datagram)
{
    if (datagram.size == 0)
        return FIRST_UNKNOWN;
    uint8_t first = datagram.data[0];
    if (first <= 3)
        return FIRST_STUN;
    if (first >= 20 && first <= 63)
        return FIRST_DTLS;
    if (first >= 128 && first <= 191)
        return FIRST_SRTP;
    return FIRST_UNKNOWN;
}

/* The peer may begin DTLS before its answer has reached us; its next attempt would come after a timeout. */
static rt_status hold_back(rt_peer *peer, uint16_t socket, const rt_addr *from, rt_buffer datagram)
{
    peer->stats.early++;
    if (peer->early_count == EARLY_DATAGRAMS || peer->early_bytes + datagram.size > EARLY_BYTES)
        return RT_AGAIN;
    rt_peer_early *early = malloc(sizeof *early + datagram.size);
    if (!early)
        return RT_NO_MEMORY;
    *early = (rt_peer_early){.from = *from, .socket = socket, .size = (uint16_t)datagram.size};
    memcpy(early->data, datagram.data, datagram.size);
    rt_peer_early **last = &peer->early;
    while (*last)
        last = &(*last)->next;
    *last = early;
    peer->early_count++;
    peer->early_bytes += datagram.size;
    return RT_OK;
}

void rt_peer_drop_early(rt_peer *peer)
{
    while (peer->early) {
        rt_peer_early *first = peer->early;
        peer->early = first->next;
        free(first);
    }
    peer->early_count = 0;
    peer->early_bytes = 0;
}

void rt_peer_settle_received(rt_peer *peer)
{
    rt_peer_burst *burst = &peer->received;
    if (burst->packets == 0)
        return;
    rt_ice_count_data(peer->ice, burst->socket, &burst->from, false, burst->packets, burst->bytes, burst->last);
    burst->packets = 0;
    burst->bytes = 0;
}

/* Data is accepted from addresses that ICE has checked, and from nowhere else. Within a burst ICE is asked
 * once, and told once how much came. */
static bool accept_from(rt_peer *peer, uint16_t socket, const rt_addr *from, size_t size, rt_time now)
{
    rt_peer_burst *burst = &peer->received;
    if (burst->packets == 0 || burst->socket != socket || !rt_addr_equal(&burst->from, from)) {
        rt_peer_settle_received(peer);
        if (!rt_ice_knows(peer->ice, socket, from))
            return false;
        burst->from = *from;
        burst->socket = socket;
    }
    burst->packets++;
    burst->bytes += size;
    burst->last = now;
    return true;
}

void rt_peer_read_records(rt_peer *peer, rt_time now)
{
    rt_span record;
    while (rt_dtls_read(peer->dtls, &record)) {
        if (peer->sctp)
            (void)rt_sctp_receive(peer->sctp, record, now); /* it counts what it drops */
        else
            peer->stats.early++;
    }
}

static rt_status receive_dtls(rt_peer *peer, uint16_t socket, const rt_addr *from, rt_buffer datagram, rt_time now)
{
    if (!accept_from(peer, socket, from, datagram.size, now)) {
        peer->stats.foreign++;
        return RT_UNEXPECTED;
    }
    rt_status status = rt_dtls_receive(peer->dtls, datagram, now);
    if (rt_dtls_get_state(peer->dtls) != peer->dtls_state)
        rt_peer_progress(peer, now);
    rt_peer_read_records(peer, now);
    return status;
}

void rt_peer_take_early(rt_peer *peer, rt_time now)
{
    rt_peer_early *early = peer->early;
    peer->early = NULL;
    while (early) {
        rt_peer_early *next = early->next;
        (void)receive_dtls(peer, early->socket, &early->from, rt_buffer_of(early->data, early->size), now);
        free(early);
        early = next;
    }
    rt_peer_drop_early(peer);
}

rt_status rt_peer_receive(rt_peer *peer, uint16_t socket, const rt_addr *from, rt_buffer datagram, rt_time now)
{
    if (peer->closed)
        return RT_CLOSED;
    peer->stats.packets_received++;
    peer->stats.bytes_received += datagram.size;
    switch (classify(datagram)) {
    case FIRST_STUN: return rt_ice_receive(peer->ice, socket, from, rt_buffer_span(datagram), now);
    case FIRST_DTLS:
        if (!peer->dtls_started)
            rt_peer_progress(peer, now);
        if (!peer->dtls_started)
            return hold_back(peer, socket, from, datagram);
        return receive_dtls(peer, socket, from, datagram, now);
    case FIRST_SRTP:
        if (!peer->media)
            break;
        if (accept_from(peer, socket, from, datagram.size, now))
            return rt_media_receive(peer->media, datagram, now);
        peer->stats.foreign++;
        return RT_UNEXPECTED;
    case FIRST_UNKNOWN: break;
    }
    peer->stats.unknown++;
    return RT_UNEXPECTED;
}

/* Seals the packets from `first` on. What cannot be sealed must not leave: the batch ends before it. */
static void seal(rt_peer *peer, rt_batch *out, uint32_t first)
{
    for (uint32_t i = first; i < out->count; i++) {
        if (rt_dtls_seal(peer->dtls, &out->packets[i]) != RT_OK) {
            out->count = i;
            return;
        }
    }
}

static bool media_runs(const rt_peer *peer)
{
    return peer->media_started && !peer->closed && peer->dtls_state == RT_DTLS_CONNECTED;
}

/* What goes to the path: DTLS's own datagrams, media, then the association's packets. Good-byes the other way round:
 * after close_notify nobody would listen to a BYE. */
static void transmit_data(rt_peer *peer, rt_batch *out, rt_time now)
{
    uint32_t first = out->count;
    if (!peer->dtls || !rt_ice_path(peer->ice, &out->socket, &out->to))
        return;
    if (peer->media && peer->closed)
        (void)rt_media_transmit(peer->media, out, now);
    (void)rt_dtls_transmit(peer->dtls, out, now);
    if (media_runs(peer))
        (void)rt_media_transmit(peer->media, out, now);
    if (peer->sctp_started && peer->dtls_state == RT_DTLS_CONNECTED) {
        uint32_t sealed = out->count;
        out->headroom = RT_DTLS_HEADROOM;
        out->tailroom = RT_DTLS_TAILROOM;
        (void)rt_sctp_transmit(peer->sctp, out, now);
        out->headroom = out->tailroom = 0;
        seal(peer, out, sealed);
    }
    if (out->count == first)
        return;
    size_t bytes = 0;
    for (uint32_t i = first; i < out->count; i++)
        bytes += out->packets[i].size;
    rt_ice_count_data(peer->ice, out->socket, &out->to, true, out->count - first, bytes, now);
}

size_t rt_peer_transmit(rt_peer *peer, rt_batch *out, rt_time now)
{
    uint32_t before = out->count;
    rt_peer_settle_received(peer);
    out->headroom = out->tailroom = 0;
    if (!peer->closed)
        (void)rt_ice_transmit(peer->ice, out, now);
    rt_peer_progress(peer, now);
    transmit_data(peer, out, now);
    for (uint32_t i = before; i < out->count; i++)
        peer->stats.bytes_sent += out->packets[i].size;
    peer->stats.packets_sent += out->count - before;
    return out->count - before;
}

void rt_peer_prefetch(const rt_peer *peer, int section, int step)
{
    if (step == 0) {
        RT_PREFETCH_FROM(peer, rt_peer, ice, early);
        return;
    }
    if (step == 1 && peer->dtls)
        rt_dtls_prefetch(peer->dtls);
    if (step <= 2)
        rt_ice_prefetch(peer->ice, step - 1);
    if (peer->media)
        rt_media_prefetch(peer->media, section, step - 1);
}

static bool has_path(const rt_peer *peer)
{
    uint16_t socket;
    rt_addr to;
    return rt_ice_path(peer->ice, &socket, &to);
}

/* Without a path the association and the media can do nothing at their deadlines, so they have none. */
static bool sctp_runs(const rt_peer *peer)
{
    return peer->sctp_started && peer->dtls_state == RT_DTLS_CONNECTED && has_path(peer);
}

rt_time rt_peer_deadline(const rt_peer *peer)
{
    if (peer->closed)
        return RT_NEVER;
    rt_time deadline = rt_ice_deadline(peer->ice);
    if (peer->dtls_started)
        deadline = rt_time_min(deadline, rt_dtls_deadline(peer->dtls));
    if (sctp_runs(peer))
        deadline = rt_time_min(deadline, rt_sctp_deadline(peer->sctp));
    if (media_runs(peer) && has_path(peer))
        deadline = rt_time_min(deadline, rt_media_deadline(peer->media));
    return deadline;
}

void rt_peer_expire(rt_peer *peer, rt_time now)
{
    if (peer->closed)
        return;
    if (rt_ice_deadline(peer->ice) <= now)
        rt_ice_expire(peer->ice, now);
    if (peer->dtls_started && rt_dtls_deadline(peer->dtls) <= now)
        rt_dtls_expire(peer->dtls, now);
    if (sctp_runs(peer) && rt_sctp_deadline(peer->sctp) <= now)
        rt_sctp_expire(peer->sctp, now);
    if (media_runs(peer) && has_path(peer) && rt_media_deadline(peer->media) <= now)
        rt_media_expire(peer->media, now);
}
