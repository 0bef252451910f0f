/* The worker's sockets and peers, and the way of a datagram from one to the other. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "io/worker_internal.h"

#define SOCKETS_MAX 65536 /* rt_packet.socket has 16 bits */
#define ROUNDS 4          /* inboxes from one socket before the others' turn */
#define INTERFACES_KEPT RT_SECONDS(1)

/* ---- sockets ---- */

static rt_status reserve_socket(rt_worker *worker, uint32_t *index)
{
    if (worker->socket_count == worker->sockets_max) {
        uint32_t max = worker->sockets_max ? 2 * worker->sockets_max : 16;
        if (max > SOCKETS_MAX)
            return RT_AGAIN;
        rt_worker_socket *grown = realloc(worker->sockets, max * sizeof *grown);
        if (!grown)
            return RT_NO_MEMORY;
        for (uint32_t i = worker->sockets_max; i < max; i++)
            grown[i] = (rt_worker_socket){.udp = {.fd = -1}};
        *index = worker->sockets_max;
        worker->sockets = grown;
        worker->sockets_max = max;
        return RT_OK;
    }
    uint32_t at = worker->socket_hint; /* places in turn: a late packet's index is not soon another socket's */
    while (worker->sockets[at % worker->sockets_max].udp.fd >= 0)
        at++;
    *index = at % worker->sockets_max;
    return RT_OK;
}

rt_status rt_worker_bind(rt_worker *worker, const rt_addr *address, uint16_t port_min, uint16_t port_max, bool shared,
                         uint32_t *socket, rt_addr *bound)
{
    uint32_t index;
    rt_status status = reserve_socket(worker, &index);
    if (status != RT_OK)
        return status;
    const rt_worker_config *config = &worker->config;
    rt_socket_options options = {!config->no_mmsg, !config->no_gso, !config->no_gro, config->socket_buffer};
    rt_worker_socket *s = &worker->sockets[index];
    status = rt_socket_open(&s->udp, address, port_min, port_max, rt_random32(&worker->random), &options);
    if (status != RT_OK) {
        worker->interfaces.until = 0; /* the address may be gone */
        return status;
    }
    status = rt_loop_add(worker->loop, s->udp.fd, index, RT_LOOP_READ);
    if (status != RT_OK) {
        int error = errno;
        rt_socket_close(&s->udp);
        errno = error;
        return status;
    }
    s->shared = shared;
    s->owner = NULL;
    s->users = 0;
    worker->socket_count++;
    worker->socket_hint = index + 1;
    *socket = index;
    *bound = s->udp.address;
    return RT_OK;
}

static void close_socket(rt_worker *worker, uint32_t index)
{
    rt_worker_socket *s = &worker->sockets[index];
    rt_worker_unblock(worker, index);
    rt_loop_remove(worker->loop, s->udp.fd, index);
    rt_socket_close(&s->udp);
    s->owner = NULL;
    worker->socket_count--;
}

static bool is_open(const rt_worker *worker, uint32_t index)
{
    return index < worker->sockets_max && worker->sockets[index].udp.fd >= 0;
}

rt_status rt_worker_unbind(rt_worker *worker, uint32_t socket)
{
    if (!is_open(worker, socket))
        return RT_NOT_FOUND;
    if (worker->sockets[socket].users > 0)
        return RT_UNEXPECTED;
    close_socket(worker, socket);
    return RT_OK;
}

void rt_worker_free_sockets(rt_worker *worker)
{
    for (uint32_t i = 0; i < worker->sockets_max; i++) {
        if (is_open(worker, i))
            close_socket(worker, i);
    }
    free(worker->sockets);
}

size_t rt_worker_interfaces(rt_worker *worker, const rt_interface **out, bool loopback)
{
    if (!worker->interfaces.list)
        worker->interfaces.list = malloc(RT_INTERFACES * sizeof *worker->interfaces.list);
    *out = worker->interfaces.list;
    if (!worker->interfaces.list)
        return 0;
    rt_time now = rt_clock();
    if (now >= worker->interfaces.until || worker->interfaces.loopback != loopback) {
        worker->interfaces.count = rt_interfaces(worker->interfaces.list, RT_INTERFACES, loopback);
        worker->interfaces.loopback = loopback;
        worker->interfaces.until = now + INTERFACES_KEPT;
    }
    return worker->interfaces.count;
}

/* ---- peers ---- */

static rt_status set_name(rt_worker_peer *peer)
{
    rt_span ufrag = rt_span_text(rt_ice_local_ufrag(rt_peer_ice(peer->machine)));
    return rt_routes_set_ufrag(&peer->worker->routes, peer, &peer->route, ufrag);
}

rt_status rt_worker_add_peer(rt_worker *worker, rt_peer_config *config, uint64_t tag, rt_worker_peer **out)
{
    rt_status status = rt_heap_reserve(&worker->timers, worker->peer_count + 1);
    if (status != RT_OK)
        return status;
    rt_worker_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return RT_NO_MEMORY;
    config->random = &worker->random;
    peer->worker = worker;
    peer->tag = tag;
    peer->machine = rt_peer_new(config, rt_clock());
    status = peer->machine ? set_name(peer) : RT_NO_MEMORY;
    if (status != RT_OK) {
        if (peer->machine)
            rt_peer_free(peer->machine);
        free(peer);
        return status;
    }
    peer->next = worker->peers;
    peer->link = &worker->peers;
    if (peer->next)
        peer->next->link = &peer->next;
    worker->peers = peer;
    worker->peer_count++;
    *out = peer;
    return RT_OK;
}

static rt_status tell_agent(rt_worker_peer *peer, const rt_peer_socket *s)
{
    return rt_ice_add_host(rt_peer_ice(peer->machine), s->socket, &s->announced, s->preference, rt_clock());
}

rt_status rt_worker_peer_add_socket(rt_worker_peer *peer, uint32_t socket, const rt_addr *announced,
                                    uint16_t preference)
{
    rt_worker *worker = peer->worker;
    if (!is_open(worker, socket))
        return RT_NOT_FOUND;
    rt_worker_socket *s = &worker->sockets[socket];
    for (uint32_t i = 0; i < peer->socket_count; i++) {
        if (peer->sockets[i].socket == socket)
            return RT_EXISTS;
    }
    if (!s->shared && s->owner)
        return RT_EXISTS;
    rt_peer_socket *grown = realloc(peer->sockets, (peer->socket_count + 1) * sizeof *grown);
    if (!grown)
        return RT_NO_MEMORY;
    peer->sockets = grown;
    rt_peer_socket *mine = &peer->sockets[peer->socket_count];
    *mine = (rt_peer_socket){announced ? *announced : s->udp.address, (uint16_t)socket, preference};
    rt_status status = tell_agent(peer, mine);
    if (status != RT_OK)
        return status;
    peer->socket_count++;
    peer->sharing |= s->shared;
    s->users++;
    if (!s->shared)
        s->owner = peer;
    return RT_OK;
}

rt_peer *rt_worker_peer_machine(rt_worker_peer *peer)
{
    return peer->machine;
}

uint32_t rt_worker_peer_sockets(const rt_worker_peer *peer)
{
    return peer->socket_count;
}

rt_status rt_worker_peer_restarted(rt_worker_peer *peer)
{
    return set_name(peer);
}

rt_status rt_worker_peer_set_credentials(rt_worker_peer *peer, rt_span ufrag, rt_span pwd)
{
    rt_status status = rt_routes_set_ufrag(&peer->worker->routes, peer, &peer->route, ufrag);
    if (status != RT_OK)
        return status;
    status = rt_ice_set_local_credentials(rt_peer_ice(peer->machine), ufrag, pwd);
    if (status != RT_OK)
        (void)set_name(peer); /* its place in the map is free: it was given up just now */
    return status;
}

rt_status rt_worker_peer_gather(rt_worker_peer *peer)
{
    rt_status status = RT_OK;
    for (uint32_t i = 0; i < peer->socket_count && status == RT_OK; i++)
        status = tell_agent(peer, &peer->sockets[i]);
    return status;
}

/* Nanoseconds from the core's clock to the NTP era's, as the wall clock has it now. */
static uint64_t ntp_offset(void)
{
    const uint64_t unix_epoch = 2208988800; /* RFC 5905 figure 4, seconds */
    struct timespec wall;
    int failed = clock_gettime(CLOCK_REALTIME, &wall);
    assert(failed == 0);
    (void)failed;
    return ((uint64_t)wall.tv_sec + unix_epoch) * 1000000000 + (uint64_t)wall.tv_nsec - (uint64_t)rt_clock();
}

rt_status rt_worker_start_media(rt_worker_peer *peer, rt_media_config *config)
{
    rt_mailbox *mailbox = rt_mailbox_new(config->max_frames, RT_MAILBOX_BYTES);
    if (!mailbox)
        return RT_NO_MEMORY;
    config->ntp_offset = ntp_offset();
    rt_status status = rt_peer_start_media(peer->machine, config, rt_clock());
    if (status == RT_OK)
        peer->mailbox = mailbox;
    else
        rt_mailbox_close(mailbox);
    return status;
}

rt_status rt_worker_set_section(rt_worker_peer *peer, uint8_t section, const rt_media_section *config)
{
    if (!peer->mailbox)
        return RT_UNEXPECTED;
    rt_status status = rt_outbox_open_section(&peer->worker->outbox, peer->mailbox, section);
    if (status == RT_OK)
        status = rt_media_set_section(rt_peer_media(peer->machine), section, config, rt_clock());
    return status;
}

void rt_worker_remove_peer(rt_worker_peer *peer)
{
    rt_worker *worker = peer->worker;
    rt_time now = rt_clock();
    rt_peer_close(peer->machine, now);
    while (rt_peer_transmit(peer->machine, &worker->batch, now) > 0) /* blocked or not: there is a backlog for it */
        rt_worker_send(worker);
    rt_fanouts_forget(peer);
    rt_worker_deactivate(peer);
    rt_worker_note_handshake(peer, true);
    rt_heap_remove(&worker->timers, &peer->timer);
    rt_routes_remove(&worker->routes, &peer->route);
    rt_peer_free(peer->machine);
    rt_outbox_close_mailbox(&worker->outbox, peer->mailbox);
    for (uint32_t i = 0; i < peer->socket_count; i++) {
        uint32_t socket = peer->sockets[i].socket;
        worker->sockets[socket].users--;
        if (!worker->sockets[socket].shared)
            close_socket(worker, socket);
    }
    *peer->link = peer->next;
    if (peer->next)
        peer->next->link = peer->link;
    worker->peer_count--;
    free(peer->sockets);
    free(peer);
}

/* ---- datagrams ---- */

static rt_worker_peer *find(const rt_worker *worker, uint32_t index, const rt_addr *from, rt_span datagram)
{
    const rt_worker_socket *s = &worker->sockets[index];
    return s->shared ? rt_routes_find(&worker->routes, index, from, datagram) : s->owner;
}

static void feed(rt_worker *worker, uint32_t index, const rt_addr *from, rt_buffer datagram, rt_time now)
{
    rt_span span = rt_buffer_span(datagram);
    rt_worker_peer *peer = find(worker, index, from, span);
    if (!peer) {
        worker->unroutable++;
        return;
    }
    bool stun = worker->sockets[index].shared && rt_is_stun(span);
    rt_status status = rt_peer_receive(peer->machine, (uint16_t)index, from, datagram, now); /* counts what it drops */
    rt_worker_activate(peer);
    if (stun && status == RT_OK && rt_ice_knows(rt_peer_ice(peer->machine), (uint16_t)index, from))
        (void)rt_routes_learn(&worker->routes, peer, &peer->route, index, from); /* no memory: the next one may do */
}

/* The memory of all whose datagrams came together: mostly each peer's feedback, and each peer out of the cache. */
static void fetch(const rt_worker *worker, uint32_t index)
{
    const rt_peer *peers[RT_UDP_INBOX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < worker->inbox.count; i++) {
        const rt_arrival *arrival = &worker->inbox.arrivals[i];
        const rt_worker_peer *peer = find(worker, index, &arrival->from, rt_buffer_span(arrival->data));
        if (peer && (count == 0 || peers[count - 1] != peer->machine))
            peers[count++] = peer->machine;
    }
    for (int step = 0; step < RT_PEER_FETCH; step++) {
        for (uint32_t i = 0; i < count; i++)
            rt_peer_prefetch(peers[i], RT_MEDIA_FEEDBACK, step);
    }
}

void rt_worker_receive(rt_worker *worker, uint32_t index)
{
    bool more = true;
    for (int round = 0; round < ROUNDS && more; round++) {
        more = rt_udp_receive(&worker->sockets[index].udp, &worker->inbox, &worker->counters);
        rt_time now = rt_clock();
        if (worker->sockets[index].shared && worker->inbox.count > 1)
            fetch(worker, index);
        for (uint32_t i = 0; i < worker->inbox.count; i++) {
            const rt_arrival *arrival = &worker->inbox.arrivals[i];
            size_t at = 0, size = arrival->data.size;
            for (; at < size; at += arrival->segment) {
                size_t left = size - at;
                feed(worker, index, &arrival->from,
                     rt_buffer_of(arrival->data.data + at, left < arrival->segment ? left : arrival->segment), now);
            }
        }
    }
}
