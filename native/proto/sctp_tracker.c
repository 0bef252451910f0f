#include "proto/sctp_tracker.h"

#include <assert.h>
#include <stdlib.h>

#include "base/seq.h"

void rt_sctp_tracker_init(rt_sctp_tracker *tracker, uint32_t first_tsn)
{
    *tracker = (rt_sctp_tracker){.cumulative = first_tsn - 1};
}

void rt_sctp_tracker_free(rt_sctp_tracker *tracker)
{
    free(tracker->ranges);
    tracker->ranges = NULL;
}

/* Index of the first range whose end is not before `tsn`. */
static uint32_t find(const rt_sctp_tracker *tracker, uint32_t tsn)
{
    uint32_t low = 0, high = tracker->count;
    if (high && rt_seq32_before(tracker->ranges[high - 1].end, tsn))
        return high;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (rt_seq32_before(tracker->ranges[middle].end, tsn))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rt_sctp_arrival duplicate(rt_sctp_tracker *tracker, uint32_t tsn)
{
    if (tracker->duplicate_count < RT_SCTP_TRACKER_DUPLICATES)
        tracker->duplicates[tracker->duplicate_count++] = tsn;
    return RT_SCTP_ARRIVAL_DUPLICATE;
}

static bool make_room(rt_sctp_tracker *tracker)
{
    if (tracker->count < tracker->capacity)
        return true;
    if (tracker->count == RT_SCTP_TRACKER_RANGES)
        return false;
    uint32_t capacity = tracker->capacity ? tracker->capacity * 2 : 16;
    rt_sctp_range *ranges = realloc(tracker->ranges, capacity * sizeof *ranges);
    if (!ranges)
        return false;
    tracker->ranges = ranges;
    tracker->capacity = capacity;
    return true;
}

rt_sctp_arrival rt_sctp_tracker_look(rt_sctp_tracker *tracker, uint32_t tsn)
{
    uint32_t distance = tsn - tracker->cumulative;
    if (distance == 1)
        return RT_SCTP_ARRIVAL_NEXT;
    if (distance == 0 || distance > UINT32_MAX / 2)
        return duplicate(tracker, tsn);
    if (distance > UINT16_MAX)
        return RT_SCTP_ARRIVAL_OUTSIDE;
    uint32_t i = find(tracker, tsn);
    if (i < tracker->count && rt_seq32_at_most(tracker->ranges[i].start, tsn))
        return duplicate(tracker, tsn);
    return make_room(tracker) ? RT_SCTP_ARRIVAL_BEYOND : RT_SCTP_ARRIVAL_OUTSIDE;
}

static void remove_ranges(rt_sctp_tracker *tracker, uint32_t at, uint32_t count)
{
    tracker->count -= count;
    memmove(tracker->ranges + at, tracker->ranges + at + count, (tracker->count - at) * sizeof *tracker->ranges);
}

/* Whatever now touches the cumulative TSN belongs to it. */
static void settle(rt_sctp_tracker *tracker)
{
    uint32_t gone = 0;
    while (gone < tracker->count && rt_seq32_at_most(tracker->ranges[gone].start, tracker->cumulative + 1)) {
        if (rt_seq32_before(tracker->cumulative, tracker->ranges[gone].end))
            tracker->cumulative = tracker->ranges[gone].end;
        gone++;
    }
    if (gone)
        remove_ranges(tracker, 0, gone);
}

void rt_sctp_tracker_add(rt_sctp_tracker *tracker, uint32_t tsn)
{
    if (tsn == tracker->cumulative + 1) {
        tracker->cumulative = tsn;
        if (tracker->count)
            settle(tracker);
        return;
    }
    uint32_t i = find(tracker, tsn);
    bool joins_before = i > 0 && tracker->ranges[i - 1].end + 1 == tsn;
    bool joins_after = i < tracker->count && tracker->ranges[i].start == tsn + 1;
    if (joins_before && joins_after) {
        tracker->ranges[i - 1].end = tracker->ranges[i].end;
        remove_ranges(tracker, i, 1);
    } else if (joins_before) {
        tracker->ranges[i - 1].end = tsn;
    } else if (joins_after) {
        tracker->ranges[i].start = tsn;
    } else {
        assert(tracker->count < tracker->capacity);
        memmove(tracker->ranges + i + 1, tracker->ranges + i, (tracker->count - i) * sizeof *tracker->ranges);
        tracker->ranges[i] = (rt_sctp_range){tsn, tsn};
        tracker->count++;
    }
}

bool rt_sctp_tracker_forward(rt_sctp_tracker *tracker, uint32_t cumulative)
{
    if (rt_seq32_at_most(cumulative, tracker->cumulative))
        return false;
    tracker->cumulative = cumulative;
    settle(tracker);
    return true;
}

size_t rt_sctp_tracker_gaps(const rt_sctp_tracker *tracker, uint32_t highest, rt_sctp_gap *out, size_t room)
{
    size_t count = 0;
    for (; count < tracker->count && count < room; count++) {
        rt_sctp_range range = tracker->ranges[count];
        if (rt_seq32_before(highest, range.start))
            break;
        uint32_t end = rt_seq32_before(highest, range.end) ? highest : range.end;
        out[count].start = (uint16_t)(range.start - tracker->cumulative);
        out[count].end = (uint16_t)(end - tracker->cumulative);
    }
    return count;
}
