/* Which TSNs have arrived: the cumulative one, ranges beyond it, duplicates to report (RFC 9260 section 6.2).
 *
 * In order, a chunk costs two comparisons. Ranges lie in one sorted array: their number is the number of holes
 * in the window, and new chunks nearly always extend the last one. Both the distance from the cumulative TSN
 * (what a gap-ack block can say) and the number of ranges are bounded; what lies outside is refused and will
 * be sent again.
 */
#ifndef RT_PROTO_SCTP_TRACKER_H
#define RT_PROTO_SCTP_TRACKER_H

#include "base/status.h"
#include "wire/sctp.h"

#define RT_SCTP_TRACKER_RANGES 2048
#define RT_SCTP_TRACKER_DUPLICATES 32

typedef struct rt_sctp_range {
    uint32_t start, end; /* both inside */
} rt_sctp_range;

typedef struct rt_sctp_tracker {
    uint32_t cumulative;
    uint32_t count, capacity;
    rt_sctp_range *ranges; /* ascending, apart from each other, beyond cumulative + 1 */
    uint32_t duplicates[RT_SCTP_TRACKER_DUPLICATES];
    uint32_t duplicate_count;
} rt_sctp_tracker;

typedef enum rt_sctp_arrival {
    RT_SCTP_ARRIVAL_NEXT,   /* moves the cumulative TSN */
    RT_SCTP_ARRIVAL_BEYOND, /* behind a hole */
    RT_SCTP_ARRIVAL_DUPLICATE,
    RT_SCTP_ARRIVAL_OUTSIDE, /* too far ahead, or too many holes */
} rt_sctp_arrival;

void rt_sctp_tracker_init(rt_sctp_tracker *tracker, uint32_t first_tsn);
void rt_sctp_tracker_free(rt_sctp_tracker *tracker);

/* What the arrival of a TSN would be; duplicates are noted for the next SACK. */
rt_sctp_arrival rt_sctp_tracker_look(rt_sctp_tracker *tracker, uint32_t tsn);
/* It has arrived and is kept: after a look that answered NEXT or BEYOND. */
void rt_sctp_tracker_add(rt_sctp_tracker *tracker, uint32_t tsn);
/* The sender will not send anything up to `cumulative` any more (RFC 3758). False if that is nothing new. */
bool rt_sctp_tracker_forward(rt_sctp_tracker *tracker, uint32_t cumulative);
/* Gap-ack blocks up to the TSN `highest`, the lowest first, as many as there is room for. */
size_t rt_sctp_tracker_gaps(const rt_sctp_tracker *tracker, uint32_t highest, rt_sctp_gap *out, size_t room);

static inline uint32_t rt_sctp_tracker_highest(const rt_sctp_tracker *tracker)
{
    return tracker->count ? tracker->ranges[tracker->count - 1].end : tracker->cumulative;
}

#endif
