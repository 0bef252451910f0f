/* Outgoing messages: a queue per stream and the scheduler that picks whose turn it is (RFC 8260 section 3).
 *
 * Weighted fair queueing: a stream's turn comes at a virtual time which grows by bytes sent / priority, so
 * streams share the association in proportion to their priorities and one stream alone pays nothing for it.
 * Without interleaving a message that was begun is finished before another stream has its turn (DATA needs
 * consecutive TSNs). With interleaving the turn ends after each chunk, as long as the messages begun
 * together stay small against the peer's window: a receiver whose buffer is full of unfinished messages
 * could never finish one.
 *
 * Streams are made on first use. A message lives until its last byte was sent and its last chunk
 * acknowledged or abandoned; outstanding chunks refer to its bytes, so data is copied once into it and once
 * into each packet.
 */
#ifndef RT_PROTO_SCTP_QUEUE_H
#define RT_PROTO_SCTP_QUEUE_H

#include "base/heap.h"
#include "base/map.h"
#include "proto/sctp.h"

#define RT_SCTP_MESSAGE_COST 64 /* what a message counts in a buffer beside its bytes: its bookkeeping */

typedef enum rt_sctp_reset_state {
    RT_SCTP_RESET_NONE,
    RT_SCTP_RESET_WANTED, /* waits until its data is acknowledged, or for its place in a request */
    RT_SCTP_RESET_SENT,
} rt_sctp_reset_state;

typedef struct rt_sctp_outgoing {
    struct rt_sctp_outgoing *next;
    struct rt_sctp_out_stream *stream;
    uint32_t size;
    uint32_t sent;   /* bytes handed to the network for the first time */
    uint32_t chunks; /* outstanding chunks that refer to it */
    uint32_t first_tsn;
    uint32_t mid;      /* SSN or MID, given with the first chunk */
    uint32_t fragment; /* FSN of the next chunk */
    uint32_t protocol;
    int32_t max_retransmits; /* -1: no limit */
    rt_time expires;         /* RT_NEVER: no limit */
    bool unordered;
    bool abandoned;
    bool fell_low; /* its expiry brought the stream's unsent bytes down to their threshold */
    uint8_t data[];
} rt_sctp_outgoing;

typedef struct rt_sctp_out_stream {
    rt_timer turn; /* in the schedule, keyed by virtual time, while it has messages */
    rt_time virtual_time;
    rt_sctp_outgoing *head, *tail; /* not yet sent, or only in part */
    uint16_t id;
    uint16_t priority;
    uint16_t ssn;    /* next, without interleaving */
    uint32_t mid[2]; /* next with interleaving, [unordered] */
    uint32_t unsent; /* bytes */
    uint32_t low_threshold;
    bool low_wanted; /* somebody asked: small messages drain at each send, and nobody listens mostly */
    uint32_t chunks; /* outstanding */
    rt_sctp_reset_state reset;
} rt_sctp_out_stream;

typedef struct rt_sctp_queue {
    rt_map streams;
    rt_sctp_out_stream *recent; /* most sends go to the stream of the last one */
    rt_heap schedule;
    rt_sctp_out_stream *current; /* its message was begun and must be finished first */
    rt_sctp_outgoing *expired;   /* abandoned before their first byte: the owner takes them */
    rt_time virtual_time;
    uint64_t unsent; /* bytes */
    uint64_t begun;  /* bytes of the messages sent in part */
    uint64_t begun_limit;
    bool interleaving;
} rt_sctp_queue;

void rt_sctp_queue_init(rt_sctp_queue *queue);
void rt_sctp_queue_free(rt_sctp_queue *queue);

/* NULL: not there. */
rt_sctp_out_stream *rt_sctp_queue_find(const rt_sctp_queue *queue, uint16_t stream);
/* Makes it if needed; NULL: no memory. */
rt_sctp_out_stream *rt_sctp_queue_stream(rt_sctp_queue *queue, uint16_t stream);
/* Forgets a stream without messages and outstanding chunks. */
void rt_sctp_queue_forget(rt_sctp_queue *queue, rt_sctp_out_stream *stream);

rt_status rt_sctp_queue_push(rt_sctp_queue *queue, rt_sctp_out_stream *stream, const rt_sctp_send_info *info,
                             rt_span data, rt_time now);
/* The message to send from now, or NULL; messages whose time is over before they were begun go to `expired`. */
rt_sctp_outgoing *rt_sctp_queue_next(rt_sctp_queue *queue, rt_time now);
/* `bytes` of that message are on their way. True if the stream's unsent bytes fell to its threshold. */
bool rt_sctp_queue_take(rt_sctp_queue *queue, rt_sctp_outgoing *message, uint32_t bytes);
/* The rest of a message that was begun will not be sent; answers how many bytes that were. */
uint32_t rt_sctp_queue_drop_rest(rt_sctp_queue *queue, rt_sctp_outgoing *message, bool *low);
/* One chunk less refers to the message; frees it when nobody does. True if it was freed. */
bool rt_sctp_outgoing_unref(rt_sctp_outgoing *message);
/* Takes the first message of a stream out of the queue; the caller frees it. */
rt_sctp_outgoing *rt_sctp_queue_remove(rt_sctp_queue *queue, rt_sctp_out_stream *stream);
/* The peer began anew, nothing is outstanding: streams count from zero, messages sent in part are dropped;
 * answers the bytes of those and adds their number. */
uint64_t rt_sctp_queue_restart(rt_sctp_queue *queue, uint32_t *messages);

static inline bool rt_sctp_queue_empty(const rt_sctp_queue *queue)
{
    return queue->unsent == 0;
}

#endif
