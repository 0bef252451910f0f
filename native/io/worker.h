/* The worker: sockets, clock, and many peers, on its own thread or driven by somebody's event loop.
 *
 * One iteration: receive batches until the sockets are dry, route each datagram (by its socket; on a shared
 * one as io/route.h tells), feed the peers, expire deadlines, drain the peers into the send batch, send (UDP
 * GSO for runs to one destination, sendmmsg across destinations; each probed, each with a fall-back), put
 * events into the outbox and signal its descriptor once.
 *
 * The same iteration runs in two ways:
 *   threaded   a thread of the worker's blocks on the sockets; fd() is readable when events wait
 *   driven     nothing runs by itself; fd() is readable when run() is due (traffic, or a timer)
 *
 * Locking: one lock per worker guards everything of it. Between lock() and unlock() the machines of its
 * peers may be called; rt_worker_flush() then sends what that produced, in the caller's thread. The worker
 * holds the lock for one iteration at the most. event() takes only the outbox's lock.
 */
#ifndef RT_IO_WORKER_H
#define RT_IO_WORKER_H

#include "peer/peer.h"

typedef struct rt_worker rt_worker;
typedef struct rt_worker_peer rt_worker_peer; /* a peer with its sockets and routes */

typedef struct rt_worker_config {
    bool threaded;
    bool poll;    /* use poll(2) although there is epoll: the portable path */
    bool no_mmsg; /* one system call per datagram */
    bool no_gso;
    bool no_gro;
    uint32_t socket_buffer; /* SO_RCVBUF and SO_SNDBUF, default 4 MiB (what the system allows of it) */
} rt_worker_config;

void rt_worker_config_default(rt_worker_config *config);

rt_status rt_worker_new(const rt_worker_config *config, rt_worker **out);
/* Stops the thread, frees all peers and sockets. */
void rt_worker_free(rt_worker *worker);

int rt_worker_fd(const rt_worker *worker);
/* Driven: one iteration without waiting, and some more while packets come in and no event waits. Threaded:
 * nothing. */
void rt_worker_run(rt_worker *worker);
/* Driven: when run() is due without traffic; for loops on systems without timerfd. */
rt_time rt_worker_deadline(rt_worker *worker);
rt_time rt_worker_now(void); /* CLOCK_MONOTONIC */

void rt_worker_lock(rt_worker *worker);
bool rt_worker_try_lock(rt_worker *worker);
void rt_worker_unlock(rt_worker *worker);

/* Binds a UDP socket. Port 0: any port in [port_min, port_max] (both 0: the system's choice). A `shared`
 * socket serves many peers. RT_SYSTEM leaves errno. Lock held. */
rt_status rt_worker_bind(rt_worker *worker, const rt_addr *address, uint16_t port_min, uint16_t port_max, bool shared,
                         uint32_t *socket, rt_addr *bound);
rt_status rt_worker_unbind(rt_worker *worker, uint32_t socket); /* RT_UNEXPECTED while peers use it */

/* Lock held. `config->random` is filled in by the worker. `tag` comes back with each event. */
rt_status rt_worker_add_peer(rt_worker *worker, rt_peer_config *config, uint64_t tag, rt_worker_peer **out);
/* The peer's ICE agent learns the socket as a host candidate `announced` (for 1:1 NATs; NULL: as bound).
 * Sockets that are not shared are closed with the peer. */
rt_status rt_worker_peer_add_socket(rt_worker_peer *peer, uint32_t socket, const rt_addr *announced,
                                    uint16_t preference);
rt_peer *rt_worker_peer_machine(rt_worker_peer *peer);
/* How many sockets it has. */
uint32_t rt_worker_peer_sockets(const rt_worker_peer *peer);
/* Routes by the current local ufrag; call after rt_ice_restart. */
rt_status rt_worker_peer_restarted(rt_worker_peer *peer);
/* rt_ice_set_local_credentials, and routes by them. RT_EXISTS: another peer of the worker has this ufrag. Nothing is
 * changed by a failure. */
rt_status rt_worker_peer_set_credentials(rt_worker_peer *peer, rt_span ufrag, rt_span pwd);
/* Tells the agent of the peer's sockets once more: a restarted one gathers again. */
rt_status rt_worker_peer_gather(rt_worker_peer *peer);
/* Its media begins (rt_peer_start_media): `random` and `ntp_offset` of `config` are filled in. Frames that wait for
 * their taker are bounded by `max_frames` of it per section (and in bytes: io/mailbox.h). */
rt_status rt_worker_start_media(rt_worker_peer *peer, rt_media_config *config);
/* As rt_media_set_section; only frames of sections that were set here come as events. RT_UNEXPECTED: there is no
 * media. */
rt_status rt_worker_set_section(rt_worker_peer *peer, uint8_t section, const rt_media_section *config);
/* Closes the peer, sends its good-bye, frees it and its sockets; events of it still in the outbox are
 * dropped by the taker, who knows the tag. Lock held. */
void rt_worker_remove_peer(rt_worker_peer *peer);

/* After calls into a peer's machines: sends what they produced now, in this thread, collects its events,
 * and sets its timer. Lock held. */
void rt_worker_flush(rt_worker_peer *peer);
/* The same, later: with the next iteration of the worker, which is woken for it. Lock held. */
void rt_worker_flush_soon(rt_worker_peer *peer);

/* The type of an event of a fan-out, whose tag it has: ask rt_fanout_key_frame_needed() and rt_fanout_bitrate(). */
#define RT_WORKER_EVENT_FANOUT ((rt_peer_event_type)(RT_PEER_EVENT_MEDIA + 1))

typedef struct rt_worker_event {
    uint64_t tag;
    rt_peer_event event;
} rt_worker_event;

/* One event of the outbox, any thread. The outbox is bounded by what fills it: messages by each association's
 * receive window, frames and requests by the media's mailbox (the oldest frames go), all others by state
 * changes of the machines. */
bool rt_worker_event_next(rt_worker *worker, rt_worker_event *out);
/* Up to `max` of them at once; returns how many. */
size_t rt_worker_events(rt_worker *worker, rt_worker_event *out, size_t max);
/* Frees what an event carries, for a taker who has no use for it. */
void rt_worker_event_drop(rt_worker_event *event);
/* Makes fd() readable: for a taker who leaves events waiting, and has run() called again. Any thread. */
void rt_worker_recall(rt_worker *worker);

typedef struct rt_worker_stats {
    uint64_t datagrams_received, datagrams_sent, bytes_received, bytes_sent;
    uint64_t receive_calls, send_calls, gso_runs, gro_runs;
    uint64_t unroutable; /* no peer for this source and no known user name */
    uint64_t send_errors, send_blocked, receive_errors;
    uint64_t iterations, wakeups;
    uint32_t peers, sockets;
    bool gso, gro, mmsg, epoll, threaded;
} rt_worker_stats;

void rt_worker_get_stats(rt_worker *worker, rt_worker_stats *out);

/* Addresses of this machine's interfaces, for host candidates: up to `max`, ordered by preference.
 * Loopback only when asked, or when there is nothing else. Returns the count. */
typedef struct rt_interface {
    rt_addr address;     /* port 0 */
    uint16_t preference; /* for rt_worker_peer_add_socket */
    bool loopback;
    char name[32];
} rt_interface;

size_t rt_interfaces(rt_interface *out, size_t max, bool loopback);
/* The same for a worker's peers, RT_INTERFACES at the most: asking the system takes as long as a handshake's
 * signature, so the answer is kept for a second. The array is valid until the next call. Lock held. */
#define RT_INTERFACES 64
size_t rt_worker_interfaces(rt_worker *worker, const rt_interface **out, bool loopback);

#endif
