/* Time, as every state machine takes it: nanoseconds of a monotonic clock whose origin means nothing.
 *
 * Only io/ reads a clock. Everything else is told the time and answers with a deadline.
 */
#ifndef RT_BASE_TIME_H
#define RT_BASE_TIME_H

#include <stdint.h>

typedef int64_t rt_time; /* a point in time, or a span of it, in nanoseconds */

#define RT_NEVER INT64_MAX
#define RT_US(n) ((rt_time)(n) * 1000)
#define RT_MS(n) ((rt_time)(n) * 1000000)
#define RT_SECONDS(n) ((rt_time)(n) * 1000000000)

static inline rt_time rt_time_min(rt_time a, rt_time b)
{
    return a < b ? a : b;
}

static inline rt_time rt_time_max(rt_time a, rt_time b)
{
    return a > b ? a : b;
}

/* `now + span` that stays RT_NEVER when the span is RT_NEVER. */
static inline rt_time rt_time_after(rt_time now, rt_time span)
{
    return span == RT_NEVER ? RT_NEVER : now + span;
}

#endif
