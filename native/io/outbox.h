/* Events on their way from the worker to whoever takes them: a queue with its own lock.
 *
 * A message or a frame, the common cases, is a few words in a ring. Rare events with texts are boxed. Who puts
 * events in holds the worker's lock, so there is one at a time, and who takes them out holds nothing else.
 * Bounded by what fills it (io/worker.h), so it grows as needed; when memory runs out, events stay in the
 * machines until there is some. Frames wait in their peer's mailbox, which is bounded by itself (io/mailbox.h).
 */
#ifndef RT_IO_OUTBOX_H
#define RT_IO_OUTBOX_H

#include <pthread.h>

#include "base/ring.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/worker.h"

typedef struct rt_outbox {
    pthread_mutex_t lock;
    rt_ring entries;
    rt_peer_event *spare; /* the next box, made before an event is taken from a machine */
    rt_signal signal;     /* raised while events wait, if their taker must be called (rt_outbox_announce) */
} rt_outbox;

rt_status rt_outbox_init(rt_outbox *outbox, bool portable);
/* Frees what was not taken. */
void rt_outbox_free(rt_outbox *outbox);

/* Moves all events of a peer's machines into the outbox; returns how many. `mailbox`: of its media, NULL while
 * there is none. */
size_t rt_outbox_collect(rt_outbox *outbox, rt_peer *peer, rt_mailbox *mailbox, uint64_t tag, rt_time now);
/* One event that no machine has made. False: no memory. */
bool rt_outbox_put(rt_outbox *outbox, const rt_peer_event *event, uint64_t tag);
/* For a mailbox's other calls, which are made under the outbox's lock. */
rt_status rt_outbox_open_section(rt_outbox *outbox, rt_mailbox *mailbox, uint8_t section);
void rt_outbox_close_mailbox(rt_outbox *outbox, rt_mailbox *mailbox); /* NULL is fine */
/* Raises the signal if events wait. Returns whether they do. */
bool rt_outbox_announce(rt_outbox *outbox);
bool rt_outbox_empty(rt_outbox *outbox);

/* Takes up to `max` events; the signal falls with the last one. */
size_t rt_outbox_take(rt_outbox *outbox, rt_worker_event *out, size_t max);

#endif
