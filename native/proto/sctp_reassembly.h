/* From chunks to messages, for DATA and I-DATA: reassembly, order within a stream, skipping and reset.
 *
 * A message's first fragment makes a partial message of the expected size; fragments that follow in order
 * are appended to it straight from the packet, one copy, which is nearly all of them. A fragment whose
 * predecessor is missing is parked as a copy of its own until it fits. Both kinds lie in sorted lists
 * (sctp_nodes.h). Streams are made on first use.
 *
 * Within a stream a position is the TSN for DATA and the FSN for I-DATA. Message numbers of 16 or 32 bits and TSNs
 * are widened to 64 bits beside the ones expected next, so that they have an order; unordered DATA has no message
 * number, its fragments are known by their consecutive TSNs (number 0 for all of them).
 */
#ifndef RT_PROTO_SCTP_REASSEMBLY_H
#define RT_PROTO_SCTP_REASSEMBLY_H

#include "base/map.h"
#include "base/message.h"
#include "base/status.h"
#include "proto/sctp_nodes.h"
#include "wire/sctp.h"

#define RT_SCTP_PARKED_MAX 16384 /* fragments: what a peer who never finishes anything can make us keep */

typedef struct rt_sctp_in_stream {
    uint16_t id;
    uint64_t next_mid;        /* of the ordered message to be delivered next */
    uint64_t unordered_mid;   /* the highest that came */
    uint32_t expected_size;   /* of a message in several fragments: the last one's */
    rt_sctp_nodes partial[2]; /* [unordered] */
    rt_sctp_nodes parked[2];
} rt_sctp_in_stream;

typedef struct rt_sctp_reassembly {
    rt_map streams;
    rt_sctp_in_stream *recent;
    rt_message *ready, *ready_last; /* complete and in order: the owner takes them */
    uint64_t buffered;              /* bytes of everything not ready, with RT_SCTP_MESSAGE_COST per node */
    uint64_t reserved;              /* capacity of partial messages */
    uint64_t reserve_limit;
    uint32_t max_message_size;
    uint64_t nodes;
    uint32_t parked;    /* fragments */
    uint32_t unordered; /* nodes of unordered messages */
    uint32_t forwards;  /* FORWARD-TSNs since their unordered fragments were last looked for */
    uint64_t tsn;       /* the highest that came, widened */
    uint64_t seed;      /* of the streams' places in their map, and of weights */
    uint64_t weights;   /* given so far */
} rt_sctp_reassembly;

/* `seed` is a secret that the peer cannot know. */
void rt_sctp_reassembly_init(rt_sctp_reassembly *r, uint64_t reserve_limit, uint32_t max_message_size, uint64_t seed);
void rt_sctp_reassembly_free(rt_sctp_reassembly *r);

/* One chunk that has not arrived before. RT_TOO_LARGE: the message exceeds max_message_size; RT_MALFORMED:
 * fragments contradict each other; RT_UNEXPECTED: its message was delivered or skipped (drop it, it has
 * arrived); RT_AGAIN: too many parked, as if it had not arrived; RT_NO_MEMORY. */
rt_status rt_sctp_reassembly_add(rt_sctp_reassembly *r, const rt_sctp_data *data);
/* FORWARD-TSN or I-FORWARD-TSN (RFC 3758 section 3.6, RFC 8260 section 2.3.1). */
rt_status rt_sctp_reassembly_forward(rt_sctp_reassembly *r, const rt_sctp_forward *forward);
/* The peer reset a stream: it counts from zero. */
void rt_sctp_reassembly_reset(rt_sctp_reassembly *r, uint16_t stream);
void rt_sctp_reassembly_reset_all(rt_sctp_reassembly *r);
/* The next ready message, owned by the caller, or NULL. */
rt_message *rt_sctp_reassembly_take(rt_sctp_reassembly *r);

static inline bool rt_sctp_reassembly_waiting(const rt_sctp_reassembly *r)
{
    return r->buffered > 0;
}

#endif
