/* Which packets of a stream to ask for again (RFC 4585 section 6.2.1), and when to give up.
 *
 * A number that was passed over is asked for after a short time of grace, in case it is only reordered (the grace
 * follows the reordering seen), then once per round trip, ten times at the most. Sequence numbers are extended ones
 * (proto/reception). Sans-IO; one thread at a time.
 *
 * Bounded: 1,000 numbers, none older than 10,000 before the highest; the oldest are given up.
 */
#ifndef RT_PROTO_NACK_H
#define RT_PROTO_NACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ring.h"
#include "base/time.h"

#define RT_NACK_MAX 1000
#define RT_NACK_AGE 10000
#define RT_NACK_TRIES 10

typedef struct rt_nack {
    rt_ring missing;  /* ascending; what has come is marked, and leaves when it is the first */
    uint64_t highest; /* 0: nothing came yet */
    uint32_t count;   /* still missing */
    rt_time deadline;
    rt_time round_trip;
    rt_time grace;
    uint64_t asked, given_up; /* counters */
} rt_nack;

void rt_nack_init(rt_nack *nack);
void rt_nack_free(rt_nack *nack);

void rt_nack_arrived(rt_nack *nack, uint64_t sequence, bool recovered, rt_time now);
/* All before it are of no use any more. */
void rt_nack_forget(rt_nack *nack, uint64_t before);
/* A sender that starts anew: nothing before `sequence`, which came, is missing. */
void rt_nack_restart(rt_nack *nack, uint64_t sequence);

/* Numbers to ask for now, ascending, up to `max`; call until 0. */
size_t rt_nack_due(rt_nack *nack, uint64_t *out, size_t max, rt_time now);
static inline rt_time rt_nack_deadline(const rt_nack *nack)
{
    return nack->deadline;
}
void rt_nack_set_round_trip(rt_nack *nack, rt_time round_trip);

#endif
