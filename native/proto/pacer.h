/* The pacer: when packets may leave. A leaky bucket over all streams of one transport.
 *
 * Audio goes at once (it is counted, never held back); then retransmissions, then video, then padding. The bucket
 * leaks at the pacing rate, 2.5 times the target bitrate; it takes bursts of 20 ms up to 16 kB, beyond that of 5 ms (or a
 * handful of packets where the rate is low): a frame of the usual size leaves as one GSO run, and only larger ones are
 * spread. A queue that would take longer than 2 s at that rate drains faster. Sans-IO.
 *
 * One drain: ask for the budget, write packets up to it, tell of each (or of all) what was sent; then sleep until
 * the deadline. The deadline is the first whole millisecond at which the next burst is whole, so that the bursts of many
 * transports leave together, and without loss of rate; asking earlier, because something else came up, is fine.
 */
#ifndef RT_PROTO_PACER_H
#define RT_PROTO_PACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

typedef struct rt_pacer {
    uint64_t rate; /* bit/s */
    int64_t level; /* bits in the bucket: sent ahead of the rate */
    rt_time updated;
    uint64_t drain;  /* bit/s at which it leaks now: the rate, or more for a long queue */
    int64_t size;    /* bits that the bucket takes */
    int64_t quantum; /* bits that must have room before the next burst begins */
} rt_pacer;

void rt_pacer_init(rt_pacer *pacer, uint64_t rate, rt_time now);
void rt_pacer_set_rate(rt_pacer *pacer, uint64_t rate, rt_time now);
/* How many bytes of `queued` may leave now: at least one packet of `packet` bytes, or nothing. */
size_t rt_pacer_budget(rt_pacer *pacer, size_t queued, size_t packet, rt_time now);
void rt_pacer_sent(rt_pacer *pacer, size_t bytes, rt_time now);
/* When the next packet may leave, if any is queued. Not before `now`. */
rt_time rt_pacer_deadline(const rt_pacer *pacer, rt_time now);

#endif
