/* Chunks sent and not yet acknowledged: acknowledgements, loss detection, abandonment.
 *
 * A ring indexed by TSN holds one record per outstanding chunk; the bytes stay in the message. Two lists run
 * through the records: chunks in flight in the order of their (last) transmission, and lost chunks waiting
 * for retransmission. So everything that happens per SACK costs what it newly acknowledges: cumulative
 * acknowledgement pops the ring, gap-ack blocks skip over runs that are known (a run's records know its end), and loss detection looks at the head of the transmission list and stops at the first chunk that is
 * not late. That is what keeps thousands of packets in flight as cheap as ten.
 *
 * Loss detection is RACK (RFC 8985) on TSNs: a chunk is lost when one that was sent later has arrived and a
 * reordering window has passed since. The window is a fraction of the smallest round trip, grows when a
 * retransmission proves needless (its TSN is reported as duplicate), and is zero while no reordering was
 * ever seen and three chunks behind were acknowledged (RFC 9260's rule of three).
 */
#ifndef RT_PROTO_SCTP_OUTSTANDING_H
#define RT_PROTO_SCTP_OUTSTANDING_H

#include "base/ring.h"
#include "base/seq.h"
#include "proto/sctp_queue.h"
#include "wire/sctp.h"

#define RT_SCTP_OUTSTANDING_MAX 32768 /* chunks; a gap-ack block reaches 65535 TSNs far */

typedef enum rt_sctp_sent_state {
    RT_SCTP_IN_FLIGHT,
    RT_SCTP_LOST,      /* waits for retransmission */
    RT_SCTP_ACKED,     /* by a gap-ack block */
    RT_SCTP_ABANDONED, /* RFC 3758: FORWARD-TSN will skip it */
} rt_sctp_sent_state;

typedef struct rt_sctp_sent {
    rt_sctp_outgoing *message;
    rt_time sent_at;         /* last transmission */
    uint32_t offset;         /* of its bytes in the message */
    uint32_t fragment;       /* FSN */
    uint32_t previous, next; /* TSNs in its list */
    uint32_t run_end;        /* ACKED, ABANDONED: up to there, all others are so too; itself at least */
    uint16_t size;           /* 0: stands for the rest of an abandoned message that was never sent */
    uint8_t flags;           /* RT_SCTP_FLAG_BEGIN, ..END, ..UNORDERED */
    uint8_t state;
    uint16_t transmits;
} rt_sctp_sent;

typedef struct rt_sctp_sent_list {
    uint32_t first, last; /* TSNs */
    uint32_t count;
} rt_sctp_sent_list;

typedef struct rt_sctp_outstanding {
    rt_ring ring;       /* of rt_sctp_sent; the first is `acked` + 1 */
    uint32_t acked;     /* cumulative */
    uint32_t next;      /* TSN of the next new chunk */
    uint32_t highest;   /* highest TSN acknowledged in any way */
    uint32_t abandoned; /* number of ABANDONED records */
    uint32_t bytes;     /* payload in flight */
    rt_sctp_sent_list flight, lost;

    /* RACK */
    rt_time rack_sent_at; /* of the chunk sent last among those that arrived */
    uint32_t rack_tsn;
    rt_time rack_rtt;
    rt_time min_rtt; /* RT_NEVER: unknown */
    bool reordering;
    uint32_t reorder_scale; /* quarters of min_rtt */
    uint32_t behind;        /* chunks gap-acked since the last cumulative progress */
} rt_sctp_outstanding;

/* What one SACK, or one look at the clock, changed. */
typedef struct rt_sctp_acked {
    uint32_t bytes; /* newly acknowledged, cumulatively or by gaps */
    uint32_t chunks;
    uint32_t reneged;  /* bytes that the peer had acknowledged by gaps and threw away: sent again */
    uint32_t messages; /* freed */
    rt_time rtt;       /* a sample, 0: none */
    bool advanced;     /* the cumulative TSN */
} rt_sctp_acked;

void rt_sctp_outstanding_init(rt_sctp_outstanding *o, uint32_t first_tsn);
/* Forgets all chunks; answers the payload bytes they held in the send buffer, and how many messages went. */
uint64_t rt_sctp_outstanding_clear(rt_sctp_outstanding *o, uint32_t *messages);
void rt_sctp_outstanding_free(rt_sctp_outstanding *o);

static inline uint32_t rt_sctp_outstanding_count(const rt_sctp_outstanding *o)
{
    return o->ring.count;
}

static inline rt_sctp_sent *rt_sctp_sent_at(const rt_sctp_outstanding *o, uint32_t tsn)
{
    return rt_ring_at(&o->ring, tsn - o->acked - 1);
}

/* The next `size` bytes of a message are being sent as chunk `next`; NULL when there is no room. Call before
 * rt_sctp_queue_take. A size of zero makes the record that stands for an abandoned rest. */
rt_sctp_sent *rt_sctp_outstanding_push(rt_sctp_outstanding *o, rt_sctp_outgoing *message, uint16_t size, rt_time now);
/* A lost chunk, or the last one as a probe, is on its way again. */
void rt_sctp_outstanding_resend(rt_sctp_outstanding *o, uint32_t tsn, rt_time now);

/* False: the SACK is older than another one, or acknowledges what was never sent. */
bool rt_sctp_outstanding_sack(rt_sctp_outstanding *o, const rt_sctp_sack *sack, rt_time now, rt_sctp_acked *out);
/* SHUTDOWN carries a cumulative TSN alone. */
bool rt_sctp_outstanding_ack(rt_sctp_outstanding *o, uint32_t cumulative_tsn, rt_time now, rt_sctp_acked *out);

/* Marks what is lost by now; answers its bytes. `*again` is when to look next, or RT_NEVER. */
uint32_t rt_sctp_outstanding_detect(rt_sctp_outstanding *o, rt_time srtt, bool recovering, rt_time now, rt_time *again);
/* T3: everything in flight is lost. */
void rt_sctp_outstanding_lose_all(rt_sctp_outstanding *o);
/* A retransmission proved needless: reordering, so wait longer. */
void rt_sctp_outstanding_spurious(rt_sctp_outstanding *o);

/* No chunk of the message will be sent again. */
void rt_sctp_outstanding_abandon(rt_sctp_outstanding *o, rt_sctp_outgoing *message, uint32_t *bytes);
/* The TSN up to which everything from `acked` on is abandoned (RFC 3758 section 3.5, C2), with the messages to
 * be skipped; `acked` itself when there is nothing. No farther than `room` skips can tell. */
uint32_t rt_sctp_outstanding_forward(const rt_sctp_outstanding *o, bool interleaved, rt_sctp_skip *skips, size_t room,
                                     size_t *count);

#endif
