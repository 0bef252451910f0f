/* What RFC 3550 counts of a received stream: sequence numbers (appendix A.1), loss (A.3), interarrival jitter (A.8).
 *
 * Extends 16-bit sequence numbers to 64 bits that only go up, tells duplicates from late packets, and keeps a
 * sender that starts its numbers anew on probation for one packet: a single stray packet moves nothing.
 * A plain struct, zeroed to begin with; allocates nothing; any thread, one at a time.
 */
#ifndef RT_PROTO_RECEPTION_H
#define RT_PROTO_RECEPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "wire/rtcp.h"

#define RT_RECEPTION_DROPOUT 3000 /* numbers ahead that may be loss; beyond it is a jump (MAX_DROPOUT) */
#define RT_RECEPTION_WINDOW 2048  /* numbers behind the highest whose duplicates are known */

typedef enum rt_arrival {
    RT_ARRIVAL_NEW,
    RT_ARRIVAL_DUPLICATE,
    RT_ARRIVAL_JUMP,    /* far from all others: on probation, to be dropped */
    RT_ARRIVAL_RESTART, /* the second packet in a row from there: new, and all goes on from here */
} rt_arrival;

typedef struct rt_reception {
    uint64_t first, highest;  /* extended; 0: nothing came yet */
    uint64_t expected_before; /* of earlier runs, before a restart */
    uint64_t received;        /* without retransmissions; with duplicates, as the RFC wants it */
    uint64_t expected_prior, received_prior;
    uint64_t seen[RT_RECEPTION_WINDOW / 64]; /* bit of each number modulo the window */
    uint16_t awaited;                        /* would end the probation */
    bool probation;

    /* Interarrival jitter. */
    bool timed;
    uint32_t timestamp, transit, clock_rate;
    uint32_t jitter; /* in sixteenths of a clock unit */

    /* The last sender report. */
    uint32_t last_sr;
    rt_time last_sr_at;
} rt_reception;

/* A packet came; `recovered`: as a retransmission, which counts for no loss or jump. `*extended`: its number, whose
 * low 16 bits are `sequence`; not set by RT_ARRIVAL_JUMP. */
rt_arrival rt_reception_sequence(rt_reception *reception, uint16_t sequence, bool recovered, uint64_t *extended);
/* It was refused further on: should it come again, it is new. */
void rt_reception_forget(rt_reception *reception, uint64_t extended);
/* Its time, for the jitter: of new packets in order, one per timestamp, so that pacing of a large frame is no
 * jitter. */
void rt_reception_time(rt_reception *reception, uint64_t extended, uint32_t timestamp, uint32_t clock_rate,
                       rt_time now);
/* A sender report with these middle 32 bits of NTP time came. */
void rt_reception_sender_report(rt_reception *reception, uint32_t ntp_middle, rt_time now);

uint64_t rt_reception_expected(const rt_reception *reception);
static inline int64_t rt_reception_lost(const rt_reception *reception)
{
    return (int64_t)(rt_reception_expected(reception) - reception->received);
}

/* The report block (section 6.4.1); false: nothing came yet. Begins a new interval for the fraction lost. */
bool rt_reception_report(rt_reception *reception, uint32_t ssrc, rt_rtcp_block *out, rt_time now);

#endif
