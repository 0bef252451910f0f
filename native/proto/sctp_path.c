#include <assert.h>

#include "proto/sctp_internal.h"

/* Heartbeats find out whether a silent peer is alive (RFC 9260 section 8.3) and, padded, how large packets may
 * be (RFC 8899). Their information comes back unchanged: a random number says which one it was. */

#define PROBE_STEP 16 /* a smaller gain is not worth a search */
#define PROBE_TRIES 3
#define BLACK_HOLE 3 /* T3 one after the other */
static const rt_time PROBE_WAIT = RT_SECONDS(1);
static const rt_time SEARCH_AGAIN = RT_SECONDS(600);

static uint32_t nonce(rt_sctp *s)
{
    return rt_random32(s->config.random) | 1;
}

/* A heartbeat in a packet of `size` bytes, 0: no padding. */
static void send_heartbeat(rt_sctp *s, uint32_t number, size_t size)
{
    uint8_t memory[RT_SCTP_CONTROL_ROOM];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_sctp_write_header(&w, s->config.local_port, s->config.remote_port, s->peer_tag);
    uint8_t *chunk = rt_sctp_open_chunk(&w, RT_SCTP_HEARTBEAT, 0);
    uint8_t *param = rt_sctp_open_param(&w, RT_SCTP_PARAM_HEARTBEAT_INFO);
    rt_write32(&w, number);
    rt_sctp_close_param(&w, param);
    rt_sctp_close_chunk(&w, chunk);
    if (size > rt_writer_size(&w) + RT_SCTP_CHUNK_HEADER) {
        chunk = rt_sctp_open_chunk(&w, RT_SCTP_PAD, 0);
        rt_write_zeros(&w, (size - rt_writer_size(&w)) & ~(size_t)3);
        rt_sctp_close_chunk(&w, chunk);
    }
    assert(rt_writer_ok(&w));
    rt_sctp_control_packet(s, rt_span_of(memory, rt_writer_size(&w)), false);
}

void rt_sctp_path_alive(rt_sctp *s, rt_time now)
{
    if (!s->path.heartbeat_nonce && s->state == RT_SCTP_ESTABLISHED)
        rt_sctp_set(s, RT_SCTP_TIMER_HEARTBEAT, rt_time_after(now, s->config.heartbeat));
}

void rt_sctp_heartbeat_expired(rt_sctp *s, rt_time now)
{
    if (s->state != RT_SCTP_ESTABLISHED)
        return;
    if (s->path.heartbeat_nonce) {
        s->path.heartbeat_nonce = 0;
        s->stats.timeouts++;
        if (rt_sctp_count_error(s, "the peer does not answer heartbeats"))
            return;
    }
    if (rt_sctp_outstanding_count(&s->outstanding)) { /* T3 watches */
        rt_sctp_path_alive(s, now);
        return;
    }
    s->path.heartbeat_nonce = nonce(s);
    s->path.heartbeat_sent = now;
    send_heartbeat(s, s->path.heartbeat_nonce, 0);
    rt_sctp_set(s, RT_SCTP_TIMER_HEARTBEAT, now + rt_sctp_backed_off(s, s->rto, s->errors));
}

/* ---- path MTU ---- */

static void probe(rt_sctp *s, rt_time now)
{
    rt_sctp_path *p = &s->path;
    uint32_t middle = p->search_high > s->config.max_mtu ? s->config.max_mtu /* the ceiling itself comes first */
                                                         : ((uint32_t)p->search_low + p->search_high) / 2;
    p->probe_size = (uint16_t)(middle & ~3u);
    p->probe_nonce = nonce(s);
    send_heartbeat(s, p->probe_nonce, p->probe_size);
    rt_sctp_set(s, RT_SCTP_TIMER_MTU, now + rt_time_max(PROBE_WAIT, s->rto));
}

static void search(rt_sctp *s, rt_time now)
{
    rt_sctp_path *p = &s->path;
    p->probe_tries = 0;
    p->probe_size = 0;
    if (p->search_high - p->search_low > PROBE_STEP) {
        probe(s, now);
    } else {
        p->search_high = (uint16_t)(s->config.max_mtu + PROBE_STEP + 1);
        bool full = p->search_low + PROBE_STEP >= s->config.max_mtu;
        rt_sctp_set(s, RT_SCTP_TIMER_MTU, full ? RT_NEVER : now + SEARCH_AGAIN);
    }
}

static void set_mtu(rt_sctp *s, uint16_t mtu)
{
    s->mtu = mtu;
    rt_sctp_congestion_set_mtu(&s->congestion, mtu);
}

void rt_sctp_path_start(rt_sctp *s, rt_time now)
{
    s->path =
        (rt_sctp_path){.search_low = s->config.mtu, .search_high = (uint16_t)(s->config.max_mtu + PROBE_STEP + 1)};
    set_mtu(s, s->config.mtu);
    rt_sctp_path_alive(s, now);
    if (s->config.max_mtu > s->config.mtu + PROBE_STEP)
        search(s, now);
}

void rt_sctp_mtu_expired(rt_sctp *s, rt_time now)
{
    rt_sctp_path *p = &s->path;
    if (!rt_sctp_is_open(s))
        return;
    if (p->probe_size && ++p->probe_tries < PROBE_TRIES) {
        probe(s, now);
        return;
    }
    if (p->probe_size)
        p->search_high = p->probe_size;
    search(s, now);
}

void rt_sctp_path_timeout(rt_sctp *s, rt_time now)
{
    if (s->mtu == s->config.mtu || ++s->path.timeouts < BLACK_HOLE)
        return;
    /* Nothing comes through any more: perhaps since packets are too large for a new path. */
    s->path.timeouts = 0;
    s->path.search_high = s->mtu;
    s->path.search_low = s->config.mtu;
    s->path.probe_size = 0;
    set_mtu(s, s->config.mtu);
    rt_sctp_set(s, RT_SCTP_TIMER_MTU, now + SEARCH_AGAIN);
}

void rt_sctp_on_heartbeat_ack(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now)
{
    rt_sctp_path *p = &s->path;
    rt_reader r = rt_reader_of(chunk->value);
    rt_sctp_param info;
    if (!rt_sctp_next_param(&r, &info) || info.type != RT_SCTP_PARAM_HEARTBEAT_INFO || info.value.size != 4) {
        s->stats.malformed++;
        return;
    }
    uint32_t number = rt_load32(info.value.data);
    if (p->heartbeat_nonce && number == p->heartbeat_nonce) {
        p->heartbeat_nonce = 0;
        s->errors = 0;
        if (now > p->heartbeat_sent)
            rt_sctp_update_rtt(s, now - p->heartbeat_sent);
        rt_sctp_path_alive(s, now);
    } else if (p->probe_size && number == p->probe_nonce) {
        p->search_low = p->probe_size;
        set_mtu(s, p->probe_size);
        search(s, now);
    } else {
        s->stats.unexpected++;
    }
}
