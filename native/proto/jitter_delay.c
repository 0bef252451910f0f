#include "proto/jitter_delay.h"

#include <string.h>

enum {
    BUCKETS = RT_JITTER_DELAY_BUCKETS,
    WINDOWS = RT_JITTER_DELAY_WINDOWS,
    ROOM = 16, /* buckets kept below the fastest packet, so that a faster one moves nothing */
    EVEN = 59, /* so many samples count alike, then the older are forgotten: 1 / (1 - 0.983) */
};

#define WINDOW RT_MS(250)
#define QUANTILE 0.95f
#define FORGET 0.983f
#define WEIGHT_MAX 1e20f

static int64_t bucket_of(rt_time transit)
{
    int64_t bucket = transit / RT_JITTER_DELAY_BUCKET;
    return bucket - (transit % RT_JITTER_DELAY_BUCKET < 0);
}

/* Moves the quantile to where it belongs after the weights have changed. */
static void settle(rt_jitter_delay *d)
{
    float goal = d->total * QUANTILE;
    while (d->quantile > 0 && d->below >= goal) {
        d->quantile--;
        d->below -= d->weights[d->quantile];
    }
    while (d->quantile < BUCKETS - 1 && d->below + d->weights[d->quantile] < goal) {
        d->below += d->weights[d->quantile];
        d->quantile++;
    }
}

static void recount(rt_jitter_delay *d)
{
    d->total = d->below = 0;
    d->quantile = 0;
    for (uint32_t i = 0; i < BUCKETS; i++)
        d->total += d->weights[i];
    settle(d);
}

/* The same history, counted from another origin. What leaves at either end stays in the outermost bucket. */
static void move_origin(rt_jitter_delay *d, int64_t origin)
{
    int64_t shift = origin - d->origin;
    uint64_t distance = shift < 0 ? (uint64_t)-shift : (uint64_t)shift;
    uint32_t by = distance < BUCKETS ? (uint32_t)distance : BUCKETS;
    float gone = 0;
    if (shift > 0) {
        for (uint32_t i = 0; i < by; i++)
            gone += d->weights[i];
        memmove(d->weights, d->weights + by, (BUCKETS - by) * sizeof *d->weights);
        memset(d->weights + BUCKETS - by, 0, by * sizeof *d->weights);
        d->weights[0] += gone;
    } else {
        for (uint32_t i = BUCKETS - by; i < BUCKETS; i++)
            gone += d->weights[i];
        memmove(d->weights + by, d->weights, (BUCKETS - by) * sizeof *d->weights);
        memset(d->weights, 0, by * sizeof *d->weights);
        d->weights[BUCKETS - 1] += gone;
    }
    d->origin = origin;
    recount(d);
}

static void lighten(rt_jitter_delay *d)
{
    float scale = 1 / d->weight;
    for (uint32_t i = 0; i < BUCKETS; i++)
        d->weights[i] *= scale;
    d->weight = 1;
    recount(d);
}

static void note_fastest(rt_jitter_delay *d, rt_time transit, rt_time now)
{
    int64_t window = now / WINDOW;
    if (d->samples == 0 || window - d->window >= WINDOWS) {
        for (int i = 0; i < WINDOWS; i++)
            d->windows[i] = RT_NEVER;
        d->window = window;
    } else if (window > d->window) {
        while (d->window < window)
            d->windows[(uint64_t)++d->window % WINDOWS] = RT_NEVER;
    }
    rt_time *slot = &d->windows[(uint64_t)d->window % WINDOWS];
    if (*slot > transit)
        *slot = transit;
    d->fastest = d->windows[0];
    for (int i = 1; i < WINDOWS; i++)
        d->fastest = rt_time_min(d->fastest, d->windows[i]);
}

void rt_jitter_delay_add(rt_jitter_delay *d, rt_time transit, rt_time now)
{
    note_fastest(d, transit, now);
    int64_t bucket = bucket_of(transit);
    if (d->samples++ == 0) {
        d->origin = bucket - ROOM;
        d->weight = 1;
    }
    int64_t lowest = bucket_of(d->fastest);
    if (bucket < d->origin || lowest > d->origin + BUCKETS / 2)
        move_origin(d, lowest - ROOM);
    int64_t place = bucket - d->origin;
    uint32_t at = place < BUCKETS ? (uint32_t)place : BUCKETS - 1;
    d->weights[at] += d->weight;
    d->total += d->weight;
    if (at < d->quantile)
        d->below += d->weight;
    settle(d);
    if (d->samples > EVEN && (d->weight /= FORGET) > WEIGHT_MAX)
        lighten(d);
}

rt_time rt_jitter_delay_target(const rt_jitter_delay *d)
{
    int64_t buckets = d->origin + d->quantile - bucket_of(d->fastest);
    return d->samples && buckets > 0 ? buckets * RT_JITTER_DELAY_BUCKET : 0;
}
