/* From the machines to the network and the outbox. */
#include <assert.h>
#include <stdlib.h> /* __GLIBC__ */
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "io/worker_internal.h"

#define MANY_HANDSHAKES 16

void rt_worker_activate(rt_worker_peer *peer)
{
    if (peer->active)
        return;
    rt_worker *worker = peer->worker;
    peer->active = true;
    peer->next_active = NULL;
    *worker->active_last = peer;
    worker->active_last = &peer->next_active;
}

void rt_worker_deactivate(rt_worker_peer *peer)
{
    if (!peer->active)
        return;
    rt_worker *worker = peer->worker;
    rt_worker_peer **at = &worker->active_first;
    while (*at != peer)
        at = &(*at)->next_active;
    *at = peer->next_active;
    if (worker->active_last == &peer->next_active)
        worker->active_last = at;
    peer->active = false;
}

/* ---- packets ---- */

static void send_stretch(rt_worker *worker, const rt_packet *packets, size_t count)
{
    uint32_t index = packets[0].socket;
    if (index >= worker->sockets_max || worker->sockets[index].udp.fd < 0) {
        worker->counters.send_errors += count;
        return;
    }
    rt_worker_socket *s = &worker->sockets[index];
    rt_udp_send(&s->udp, packets, count, &worker->counters);
    if (rt_udp_blocked(&s->udp) && !s->blocked) {
        if (rt_loop_change(worker->loop, s->udp.fd, index, RT_LOOP_READ | RT_LOOP_WRITE) == RT_OK) {
            s->blocked = true;
            worker->blocked_count++;
        }
    }
}

void rt_worker_send(rt_worker *worker)
{
    const rt_packet *packets = worker->packets;
    for (size_t i = 0, end; i < worker->batch.count; i = end) {
        for (end = i + 1; end < worker->batch.count && packets[end].socket == packets[i].socket; end++)
            ;
        send_stretch(worker, packets + i, end - i);
    }
    rt_batch_reset(&worker->batch);
}

void rt_worker_unblock(rt_worker *worker, uint32_t index)
{
    if (!worker->sockets[index].blocked)
        return;
    worker->sockets[index].blocked = false;
    worker->blocked_count--;
    for (rt_worker_peer *peer = worker->peers; peer; peer = peer->next) {
        if (peer->held) {
            peer->held = false;
            rt_worker_activate(peer);
        }
    }
}

void rt_worker_resume(rt_worker *worker, uint32_t index)
{
    rt_worker_socket *s = &worker->sockets[index];
    if (!s->blocked)
        return;
    rt_udp_resume(&s->udp, &worker->counters);
    if (!rt_udp_blocked(&s->udp)) {
        rt_status status = rt_loop_change(worker->loop, s->udp.fd, index, RT_LOOP_READ);
        assert(status == RT_OK);
        (void)status;
        rt_worker_unblock(worker, index);
    }
}

/* A peer whose socket's buffer is full is not drained: its machines keep their queues meanwhile. */
static bool is_blocked(const rt_worker_peer *peer)
{
    const rt_worker *worker = peer->worker;
    if (worker->blocked_count == 0)
        return false;
    for (uint32_t i = 0; i < peer->socket_count; i++) {
        if (worker->sockets[peer->sockets[i].socket].blocked)
            return true;
    }
    return false;
}

static bool is_full(const rt_batch *batch)
{
    return batch->count == batch->max || batch->capacity - batch->used < RT_WORKER_PACKET_MAX;
}

/* Returns whether there was anything to send. */
static bool transmit(rt_worker_peer *peer, rt_time now)
{
    rt_worker *worker = peer->worker;
    rt_batch *batch = &worker->batch;
    bool any = false, full;
    do {
        if (is_blocked(peer)) {
            peer->held = true;
            break;
        }
        uint32_t first = batch->count;
        size_t count = rt_peer_transmit(peer->machine, batch, now);
        any = any || count > 0;
        for (uint32_t i = first; peer->sharing && i < batch->count; i++)
            rt_routes_sent(&worker->routes, &peer->route, rt_span_of(batch->packets[i].data, batch->packets[i].size));
        full = is_full(batch);
        if (full)
            rt_worker_send(worker);
    } while (full);
    return any;
}

/* ---- memory ---- */

/* OpenSSL takes 70 KiB for a handshake, three times what the connection needs afterwards. glibc would keep it,
 * spread between what stays: so where many shook hands at once, it is told when the last is done. It takes a
 * fraction of a millisecond. */
static void give_back_memory(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0); /* whether there was anything does not matter */
#endif
}

void rt_worker_note_handshake(rt_worker_peer *peer, bool over)
{
    rt_worker *worker = peer->worker;
    const rt_dtls *dtls = over ? NULL : rt_peer_dtls(peer->machine);
    bool handshaking = dtls && rt_dtls_get_state(dtls) == RT_DTLS_CONNECTING;
    if (handshaking == peer->handshaking)
        return;
    peer->handshaking = handshaking;
    if (handshaking) {
        worker->handshakes++;
        if (worker->handshakes > worker->handshakes_at_once)
            worker->handshakes_at_once = worker->handshakes;
    } else if (--worker->handshakes == 0) {
        if (worker->handshakes_at_once >= MANY_HANDSHAKES)
            give_back_memory();
        worker->handshakes_at_once = 0;
    }
}

/* ---- the drive rule ---- */

bool rt_worker_drain(rt_worker_peer *peer, rt_time now)
{
    rt_worker *worker = peer->worker;
    size_t events = rt_outbox_collect(&worker->outbox, peer->machine, peer->mailbox, peer->tag, now), more;
    do { /* what is sent can make events (a buffer falls low), and what is taken can make packets */
        if (!transmit(peer, now))
            break;
        more = rt_outbox_collect(&worker->outbox, peer->machine, peer->mailbox, peer->tag, now);
        events += more;
    } while (more);
    rt_worker_note_handshake(peer, false);
    rt_time deadline = rt_peer_deadline(peer->machine);
    if (peer->held) /* it may be waiting for nothing but the socket */
        deadline = rt_time_max(deadline, now + RT_MS(10));
    rt_status status = rt_heap_set(&worker->timers, &peer->timer, deadline);
    assert(status == RT_OK); /* reserved with the peer */
    (void)status;
    return events > 0;
}

void rt_worker_drain_queue(rt_worker *worker, rt_time now)
{
    rt_worker_peer *peer;
    while ((peer = worker->active_first)) {
        rt_worker_deactivate(peer);
        rt_worker_drain(peer, now);
    }
}

void rt_worker_drain_active(rt_worker *worker, rt_time now)
{
    do /* what was taken from one peer may be for others */
        rt_worker_drain_queue(worker, now);
    while (rt_fanouts_run(worker, now));
    rt_worker_send(worker);
}
