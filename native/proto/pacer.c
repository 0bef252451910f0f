#include "proto/pacer.h"

#define BURST RT_MS(5)
#define FRAME RT_MS(20)      /* at 2.5 times the target: a frame of the usual size, at 25 a second and more */
#define FRAME_MOST 128000    /* bits; above this a burst is long enough for what it costs */
#define GRID RT_MS(1)        /* deadlines are whole multiples: what waits for many pacers leaves together */
#define HANDFUL 3            /* packets that leave together however low the rate is */
#define PACKET_DEFAULT 1200  /* until the first one tells */
#define LONGEST_QUEUE 2      /* seconds */
#define SLOWEST 1000         /* bit/s */
#define IDLE RT_SECONDS(100) /* after so long any bucket is empty; keeps products within 64 bits */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* bits that leak in a time; rates up to 2^50 bit/s */
static int64_t leaked(uint64_t rate, rt_time elapsed)
{
    if (elapsed >= IDLE)
        return INT64_MAX;
    return (int64_t)((double)rate * (double)elapsed * 1e-9);
}

static void shape(rt_pacer *pacer, size_t packet)
{
    int64_t packet_bits = (int64_t)packet * 8, frame_bits = leaked(pacer->drain, FRAME);
    int64_t burst_bits = larger(leaked(pacer->drain, BURST), frame_bits < FRAME_MOST ? frame_bits : FRAME_MOST);
    pacer->size = larger(burst_bits, HANDFUL * packet_bits);
    /* Less than all: what leaks until the grid's next line is not lost. */
    pacer->quantum = larger(burst_bits - leaked(pacer->drain, GRID), packet_bits);
}

static void leak(rt_pacer *pacer, rt_time now)
{
    rt_time elapsed = now - pacer->updated;
    if (elapsed <= 0)
        return;
    int64_t bits = leaked(pacer->drain, elapsed);
    if (bits >= pacer->level) {
        pacer->level = 0;
        pacer->updated = now;
        return;
    }
    /* What is less than a bit stays for the next time: only the time of whole bits has passed. */
    pacer->level -= bits;
    pacer->updated += (rt_time)((double)bits * 1e9 / (double)pacer->drain);
}

void rt_pacer_init(rt_pacer *pacer, uint64_t rate, rt_time now)
{
    *pacer = (rt_pacer){.updated = now};
    rt_pacer_set_rate(pacer, rate, now);
}

void rt_pacer_set_rate(rt_pacer *pacer, uint64_t rate, rt_time now)
{
    leak(pacer, now);
    pacer->rate = pacer->drain = rate > SLOWEST ? rate : SLOWEST;
    shape(pacer, PACKET_DEFAULT);
}

size_t rt_pacer_budget(rt_pacer *pacer, size_t queued, size_t packet, rt_time now)
{
    leak(pacer, now);
    uint64_t needed = (uint64_t)queued * 8 / LONGEST_QUEUE;
    pacer->drain = needed > pacer->rate ? needed : pacer->rate;
    shape(pacer, packet);
    int64_t room = (pacer->size - pacer->level) / 8;
    if (room < (int64_t)packet)
        return 0;
    return (size_t)room < queued ? (size_t)room : queued;
}

void rt_pacer_sent(rt_pacer *pacer, size_t bytes, rt_time now)
{
    leak(pacer, now);
    pacer->level += (int64_t)bytes * 8;
}

rt_time rt_pacer_deadline(const rt_pacer *pacer, rt_time now)
{
    int64_t excess = pacer->level - (pacer->size - pacer->quantum);
    if (excess <= 0)
        return now;
    rt_time due = pacer->updated + (rt_time)((double)excess * 1e9 / (double)pacer->drain) + 2;
    return rt_time_max((due / GRID + 1) * GRID, now);
}
