#include "proto/estimate.h"

#include <stdlib.h>

#include "base/prefetch.h"
#include "proto/estimate_internal.h"

#define GROUP RT_MS(5)     /* of sending times; pacers send in bursts of this length */
#define BURST_GAP RT_MS(5) /* packets that a path has held back together come so close */
#define BURST_MAX RT_MS(100)
#define JUMP RT_SECONDS(3) /* of the other end's clock: begin anew */
#define REORDERED_MAX 3    /* groups in a row that came before the one before them */
#define PACKET_START 1200.0
#define PACKET_SMOOTHING 0.05
#define ABS_SEND_TIME_BITS 24

typedef struct group {
    bool any;
    rt_time first_sent, last_sent, first_arrived, last_arrived;
    rt_time now;
} group;

struct rt_estimate {
    group current, previous;
    uint32_t reordered;
    rt_trend trend;
    rt_incoming incoming;
    rt_aimd aimd;
    double packet;       /* mean size */
    rt_time clock_ahead; /* `now` minus arrival: what the reader's clock is ahead of the other end's */
    bool ready;
    bool has_time;
    int64_t abs_send_time; /* unwrapped */
};

rt_estimate *rt_estimate_new(uint64_t min, uint64_t start, uint64_t max)
{
    rt_estimate *estimate = calloc(1, sizeof *estimate);
    if (!estimate)
        return NULL;
    rt_trend_init(&estimate->trend);
    rt_aimd_init(&estimate->aimd, min, start, max);
    estimate->packet = PACKET_START;
    return estimate;
}

void rt_estimate_prefetch(const rt_estimate *estimate)
{
    rt_prefetch(estimate, sizeof *estimate);
}

void rt_estimate_free(rt_estimate *estimate)
{
    free(estimate);
}

static void forget_times(rt_estimate *estimate)
{
    estimate->current = estimate->previous = (group){0};
    estimate->reordered = 0;
    estimate->incoming = (rt_incoming){0};
    rt_trend_init(&estimate->trend);
}

/* A group is whole when the next one begins: it is compared with the one before. */
static void compare(rt_estimate *estimate)
{
    const group *current = &estimate->current, *previous = &estimate->previous;
    if (!previous->any)
        return;
    rt_time send_delta = current->last_sent - previous->last_sent;
    rt_time arrival_delta = current->last_arrived - previous->last_arrived;
    if (arrival_delta - (current->now - previous->now) >= JUMP || send_delta >= JUMP) {
        forget_times(estimate);
        return;
    }
    if (arrival_delta < 0) {
        if (++estimate->reordered >= REORDERED_MAX)
            forget_times(estimate);
        return;
    }
    estimate->reordered = 0;
    rt_trend_update(&estimate->trend, (double)arrival_delta * 1e-6, (double)send_delta * 1e-6,
                    (double)current->last_arrived * 1e-6);
    rt_aimd_update(&estimate->aimd, estimate->trend.state, rt_incoming_rate(&estimate->incoming, current->last_arrived),
                   estimate->packet, current->now);
    if (estimate->trend.count >= RT_TREND_POINTS)
        estimate->ready = true;
}

static bool belongs(const group *current, rt_time sent, rt_time arrived)
{
    if (sent - current->first_sent <= GROUP)
        return true;
    rt_time gap = arrived - current->last_arrived;
    return gap - (sent - current->last_sent) < 0 && gap <= BURST_GAP && arrived - current->first_arrived < BURST_MAX;
}

void rt_estimate_packet(rt_estimate *estimate, rt_time sent, rt_time arrived, size_t size, rt_time now)
{
    group *current = &estimate->current;
    if (current->any && (arrived < current->last_arrived - JUMP || sent < current->last_sent - JUMP)) {
        forget_times(estimate);
    }
    rt_incoming_add(&estimate->incoming, arrived, size);
    estimate->clock_ahead = now - arrived;
    estimate->packet += PACKET_SMOOTHING * ((double)size - estimate->packet);
    if (current->any) {
        if (sent < current->first_sent)
            return; /* of a group that was compared already */
        if (belongs(current, sent, arrived)) {
            current->last_sent = rt_time_max(current->last_sent, sent);
            current->last_arrived = rt_time_max(current->last_arrived, arrived);
            current->now = now;
            return;
        }
        compare(estimate);
        if (current->any) /* the times were not forgotten */
            estimate->previous = *current;
    }
    *current = (group){true, sent, sent, arrived, arrived, now};
}

void rt_estimate_abs_send_time(rt_estimate *estimate, uint32_t abs_send_time, rt_time arrived, size_t size)
{
    const uint32_t mask = ((uint32_t)1 << ABS_SEND_TIME_BITS) - 1;
    if (!estimate->has_time) {
        /* A turn ahead, so that packets from before the first one have times, too. */
        estimate->abs_send_time = (int64_t)(abs_send_time & mask) + mask + 1;
        estimate->has_time = true;
    }
    int32_t ahead = (int32_t)((abs_send_time - (uint32_t)estimate->abs_send_time) << 8) >> 8;
    int64_t sent = estimate->abs_send_time + ahead;
    if (ahead > 0)
        estimate->abs_send_time = sent;
    /* 6.18 bits of seconds */
    rt_time ns = (sent >> 18) * RT_SECONDS(1) + ((sent & 0x3FFFF) * RT_SECONDS(1) >> 18);
    rt_estimate_packet(estimate, ns, arrived, size, arrived);
}

void rt_estimate_set_round_trip(rt_estimate *estimate, rt_time round_trip)
{
    estimate->aimd.round_trip = round_trip;
}

void rt_estimate_set_limits(rt_estimate *estimate, uint64_t min, uint64_t max)
{
    estimate->aimd.min = (double)min;
    estimate->aimd.max = (double)max;
    rt_aimd_set(&estimate->aimd, (uint64_t)estimate->aimd.rate);
}

void rt_estimate_set_bitrate(rt_estimate *estimate, uint64_t bitrate)
{
    rt_aimd_set(&estimate->aimd, bitrate);
    estimate->ready = true;
}

uint64_t rt_estimate_bitrate(const rt_estimate *estimate)
{
    return estimate->ready ? (uint64_t)estimate->aimd.rate : 0;
}

uint64_t rt_estimate_received(const rt_estimate *estimate, rt_time now)
{
    return rt_incoming_rate(&estimate->incoming, now - estimate->clock_ahead);
}

int rt_estimate_state(const rt_estimate *estimate)
{
    return estimate->trend.state;
}
