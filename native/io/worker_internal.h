/* What the worker's files share: worker.c (life, threads, iteration), worker_peer.c (sockets and peers),
 * worker_drain.c (from the machines to the network). All of it under the worker's lock.
 */
#ifndef RT_IO_WORKER_INTERNAL_H
#define RT_IO_WORKER_INTERNAL_H

#include <pthread.h>

#include "base/heap.h"
#include "base/random.h"
#include "io/fanout_internal.h"
#include "io/outbox.h"
#include "io/route.h"
#include "io/udp.h"

/* One drain's packets: what fits well in the cache, and several full runs. The memory takes two packets of the
 * largest size that there is, so a full batch is never empty. */
#define RT_WORKER_BATCH 128
#define RT_WORKER_BATCH_BYTES ((size_t)3 << 16)
#define RT_WORKER_PACKET_MAX ((size_t)65535)

typedef struct rt_worker_socket {
    rt_socket udp;         /* fd -1: the place is free */
    rt_worker_peer *owner; /* the only user; NULL for a shared one */
    uint32_t users;
    bool shared;
    bool blocked; /* its backlog waits, and we wait for writability */
} rt_worker_socket;

typedef struct rt_peer_socket {
    rt_addr announced;
    uint16_t socket;
    uint16_t preference;
} rt_peer_socket;

struct rt_worker_peer {
    rt_worker *worker;
    rt_peer *machine;
    rt_mailbox *mailbox; /* once there is media */
    rt_fanout_ties fanout;
    uint64_t tag;
    rt_worker_peer *next, **link; /* all peers */
    rt_worker_peer *next_active;  /* those to be drained, a queue */
    rt_timer timer;
    bool active;
    bool held;        /* has not been drained because a socket is blocked */
    bool handshaking; /* counted in the worker's `handshakes` */
    bool sharing;     /* uses a shared socket: its STUN requests are noted */
    uint32_t socket_count;
    rt_peer_socket *sockets;
    rt_route route;
};

struct rt_worker {
    rt_worker_config config;
    /* Who wants the lock waits at the gate; who holds the gate is next. So the thread, which wants it again at
     * once, lets others by. */
    pthread_mutex_t gate, lock;
    pthread_t thread;
    bool started, stopping;
    rt_loop *loop;
    rt_outbox outbox;
    rt_random random;
    rt_heap timers;
    rt_routes routes;
    rt_worker_peer *peers;
    uint32_t peer_count;
    uint32_t handshakes, handshakes_at_once; /* under way now, and at the most since there were none */
    rt_worker_peer *active_first, **active_last;
    rt_fanouts fanouts;

    rt_worker_socket *sockets; /* by index */
    uint32_t sockets_max, socket_count, socket_hint, blocked_count;

    /* What rt_interfaces() said last, and until when it counts. */
    struct {
        rt_interface *list;
        size_t count;
        bool loopback;
        rt_time until;
    } interfaces;

    rt_inbox inbox;
    rt_batch batch;
    rt_packet packets[RT_WORKER_BATCH];
    rt_udp_counters counters;
    uint64_t iterations, wakeups, unroutable;
};

/* worker_drain.c */

/* Notes whether a peer has a DTLS handshake under way; `over`: it has none any more. */
void rt_worker_note_handshake(rt_worker_peer *peer, bool over);
/* To be drained in this or the next iteration. */
void rt_worker_activate(rt_worker_peer *peer);
void rt_worker_deactivate(rt_worker_peer *peer);
/* Events to the outbox, packets into the batch, the timer set. Returns whether there were events. */
bool rt_worker_drain(rt_worker_peer *peer, rt_time now);
/* All that are active, without what follows from it. */
void rt_worker_drain_queue(rt_worker *worker, rt_time now);
void rt_worker_drain_active(rt_worker *worker, rt_time now);
/* After calls into many peers' machines, which are active: as rt_worker_flush, for all of them together. */
void rt_worker_flush_active(rt_worker *worker);
/* Sends what is in the batch, and empties it. */
void rt_worker_send(rt_worker *worker);
/* A blocked socket is writable again, or gone. */
void rt_worker_resume(rt_worker *worker, uint32_t index);
void rt_worker_unblock(rt_worker *worker, uint32_t index);

/* worker_peer.c */

/* All datagrams that wait at a socket, to their peers, which become active. */
void rt_worker_receive(rt_worker *worker, uint32_t index);
void rt_worker_free_sockets(rt_worker *worker);

#endif
