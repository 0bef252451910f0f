/* How long a jitter buffer has to hold back: the 0.95 quantile of the transit times seen lately.
 *
 * Transit is arrival less timestamp, in ns: meaningless by itself (the clocks have nothing in common), but media that
 * is played at timestamp + quantile comes in time in 95% of all cases. The delay that this costs is the distance of
 * the quantile from the fastest packet of the last two seconds. Transit times lie in a histogram that forgets
 * (factor 0.983 per sample): newer samples get more weight instead of older ones less, so that adding one costs
 * the same however many buckets there are. A plain struct, zeroed to begin with.
 */
#ifndef RT_PROTO_JITTER_DELAY_H
#define RT_PROTO_JITTER_DELAY_H

#include <stdint.h>

#include "base/time.h"

#define RT_JITTER_DELAY_BUCKETS 1024
#define RT_JITTER_DELAY_BUCKET RT_MS(2)
#define RT_JITTER_DELAY_WINDOWS 8 /* of 250 ms: the fastest packet of each */

typedef struct rt_jitter_delay {
    uint64_t samples;
    int64_t origin;    /* transit, in buckets, that weights[0] stands for */
    uint32_t quantile; /* its bucket */
    float below;       /* sum of weights before that bucket */
    float total;
    float weight; /* of the next sample */
    rt_time fastest;
    int64_t window; /* number of the latest */
    rt_time windows[RT_JITTER_DELAY_WINDOWS];
    float weights[RT_JITTER_DELAY_BUCKETS];
} rt_jitter_delay;

void rt_jitter_delay_add(rt_jitter_delay *delay, rt_time transit, rt_time now);

/* Transit of the fastest packet lately. */
static inline rt_time rt_jitter_delay_fastest(const rt_jitter_delay *delay)
{
    return delay->fastest;
}

/* How long after the fastest 95% have come. */
rt_time rt_jitter_delay_target(const rt_jitter_delay *delay);

#endif
