/* The incoming rate, and the rate that follows from it: additive increase near the link's known capacity,
 * multiplicative elsewhere, decrease to a share of what came in (draft-ietf-rmcat-gcc-02 section 5.5). */
#include <math.h>

#include "proto/estimate_internal.h"

#define INCOMING_LEAST RT_MS(150) /* a rate over less says little */
#define BETA 0.85
#define PER_SECOND 0.08
#define START_PER_SECOND 0.5 /* until the path was full for the first time */
#define HIGHEST 1e11         /* bit/s; nobody's path */
#define CEILING 1.5
#define CEILING_MORE 10000.0
#define RESPONSE RT_MS(100)   /* to be added to the round trip */
#define ROUND_TRIP RT_MS(200) /* until it is known */
#define CAPACITY_SMOOTHING 0.05
#define ADDITIVE_LEAST 4000.0 /* bit/s per second */
#define FRAMES_PER_SECOND 30.0

/* ---- what comes in ---- */

static void move_to(rt_incoming *incoming, int64_t slot)
{
    if (slot - incoming->slot >= RT_INCOMING_SLOTS) {
        for (int i = 0; i < RT_INCOMING_SLOTS; i++)
            incoming->slots[i] = 0;
        incoming->sum = 0;
        incoming->slot = slot;
        return;
    }
    while (incoming->slot < slot) {
        uint32_t *oldest = &incoming->slots[(uint64_t)++incoming->slot % RT_INCOMING_SLOTS];
        incoming->sum -= *oldest;
        *oldest = 0;
    }
}

void rt_incoming_add(rt_incoming *incoming, rt_time arrived, size_t size)
{
    int64_t slot = arrived / RT_INCOMING_SLOT;
    bool paused = arrived - incoming->last > RT_INCOMING_SLOTS * RT_INCOMING_SLOT;
    if (!incoming->any || paused) {
        *incoming = (rt_incoming){.slot = slot, .first = arrived, .last = arrived, .any = true};
    } else if (arrived > incoming->last) {
        incoming->last = arrived;
    }
    if (slot > incoming->slot)
        move_to(incoming, slot);
    else if (incoming->slot - slot >= RT_INCOMING_SLOTS)
        return;
    incoming->slots[(uint64_t)slot % RT_INCOMING_SLOTS] += (uint32_t)size;
    incoming->sum += size;
}

uint64_t rt_incoming_rate(const rt_incoming *incoming, rt_time at)
{
    rt_incoming seen = *incoming;
    if (!seen.any)
        return 0;
    if (at < seen.last)
        at = seen.last;
    int64_t slot = at / RT_INCOMING_SLOT;
    move_to(&seen, slot);
    rt_time elapsed = at - seen.first, window = at - (slot - RT_INCOMING_SLOTS + 1) * RT_INCOMING_SLOT;
    if (elapsed < INCOMING_LEAST)
        return 0;
    return (uint64_t)((double)seen.sum * 8e9 / (double)rt_time_min(elapsed, window));
}

/* ---- what may be sent ---- */

static double clamp(const rt_aimd *aimd, double rate)
{
    if (aimd->max > 0 && rate > aimd->max)
        rate = aimd->max;
    if (rate > HIGHEST)
        rate = HIGHEST;
    return rate < aimd->min ? aimd->min : rate;
}

void rt_aimd_init(rt_aimd *aimd, uint64_t min, uint64_t start, uint64_t max)
{
    *aimd = (rt_aimd){.min = (double)min, .max = (double)max, .round_trip = ROUND_TRIP, .increasing = true};
    aimd->rate = clamp(aimd, (double)start);
}

void rt_aimd_set(rt_aimd *aimd, uint64_t bitrate)
{
    aimd->rate = clamp(aimd, (double)bitrate);
}

/* How far the capacity may be off: three deviations, which are kept relative to it. */
static double spread(const rt_aimd *aimd)
{
    return 3 * sqrt(aimd->deviation * aimd->capacity);
}

static void learn_capacity(rt_aimd *aimd, double incoming)
{
    /* In kbit/s: the deviation is normalized by the capacity, and kept in bounds that go with this unit. */
    if (aimd->capacity == 0)
        aimd->capacity = incoming;
    else
        aimd->capacity += CAPACITY_SMOOTHING * (incoming - aimd->capacity);
    double norm = aimd->capacity > 1 ? aimd->capacity : 1, error = aimd->capacity - incoming;
    aimd->deviation += CAPACITY_SMOOTHING * (error * error / norm - aimd->deviation);
    if (aimd->deviation < 0.4)
        aimd->deviation = 0.4;
    if (aimd->deviation > 2.5)
        aimd->deviation = 2.5;
}

static void decrease(rt_aimd *aimd, double incoming, rt_time now)
{
    double kbps = incoming / 1000, rate = aimd->rate;
    if (incoming > 0) {
        rate = BETA * incoming;
        if (rate > aimd->rate && aimd->capacity > 0)
            rate = BETA * aimd->capacity * 1000;
        if (aimd->capacity > 0 && kbps < aimd->capacity - spread(aimd))
            aimd->capacity = aimd->deviation = 0;
        learn_capacity(aimd, kbps);
    } else {
        rate = aimd->rate / 2;
    }
    if (rate < aimd->rate)
        aimd->rate = clamp(aimd, rate);
    aimd->increasing = false;
    aimd->changed = aimd->reduced = now;
}

static void increase(rt_aimd *aimd, double incoming, double packet, rt_time now)
{
    double kbps = incoming / 1000;
    if (aimd->capacity > 0 && kbps > aimd->capacity + spread(aimd))
        aimd->capacity = aimd->deviation = 0;
    double elapsed = (double)(now - aimd->changed) * 1e-9;
    if (elapsed > 1)
        elapsed = 1;
    double more;
    if (aimd->capacity > 0) {
        /* One packet per response time, as video at 30 frames per second would make them at this rate. */
        double frame = aimd->rate / FRAMES_PER_SECOND, bits = packet * 8;
        double count = ceil(frame / bits);
        double response = (double)(aimd->round_trip + RESPONSE) * 1e-9;
        double slope = frame / (count > 1 ? count : 1) / response;
        more = (slope > ADDITIVE_LEAST ? slope : ADDITIVE_LEAST) * elapsed;
    } else {
        /* What comes in without over-use is there. */
        if (aimd->rate < incoming)
            aimd->rate = incoming;
        more = aimd->rate * (aimd->reduced ? PER_SECOND : START_PER_SECOND) * elapsed;
    }
    aimd->changed = now;
    double ceiling = CEILING * incoming + CEILING_MORE;
    if (aimd->rate + more > ceiling)
        more = ceiling > aimd->rate ? ceiling - aimd->rate : 0;
    aimd->rate = clamp(aimd, aimd->rate + more);
}

void rt_aimd_update(rt_aimd *aimd, int state, uint64_t incoming, double packet, rt_time now)
{
    if (state > 0) {
        rt_time interval = rt_time_max(RT_MS(10), rt_time_min(aimd->round_trip, RT_MS(200)));
        if (!aimd->reduced || now - aimd->reduced >= interval || (double)incoming < aimd->rate / 2)
            decrease(aimd, (double)incoming, now);
    } else if (state < 0) {
        aimd->increasing = false; /* the queue empties: wait until it has */
    } else if (!aimd->increasing) {
        aimd->increasing = true;
        aimd->changed = now;
    } else if (incoming > 0) {
        increase(aimd, (double)incoming, packet, now);
    }
}
