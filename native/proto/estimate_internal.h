/* What the estimate is made of: estimate_trend.c (is the delay growing?), estimate_rate.c (what comes in, and
 * what follows from both), put together by estimate.c. Times in the trend are milliseconds, as in GCC's constants.
 */
#ifndef RT_PROTO_ESTIMATE_INTERNAL_H
#define RT_PROTO_ESTIMATE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/estimate.h"

/* ---- the trend of the one-way delay ---- */

#define RT_TREND_POINTS 20

typedef struct rt_trend {
    struct {
        double at, delay;
    } points[RT_TREND_POINTS]; /* a ring */
    uint32_t count;            /* of groups seen, up to a bound that the gain wants */
    uint32_t next;
    double origin;      /* arrival of the first group */
    double accumulated; /* sum of all changes of delay */
    double smoothed;
    double threshold;
    double previous; /* slope */
    double updated;  /* when the threshold was adapted; negative: never */
    double over_for; /* how long over-use has been suspected; negative: it is not */
    uint32_t over_count;
    int state; /* -1, 0, 1 */
} rt_trend;

void rt_trend_init(rt_trend *trend);
/* A group more: how much later it came, how much later it was sent than the one before, and when it came. */
void rt_trend_update(rt_trend *trend, double arrival_delta, double send_delta, double arrived);

/* ---- what comes in ---- */

#define RT_INCOMING_SLOTS 20
#define RT_INCOMING_SLOT RT_MS(25)

typedef struct rt_incoming { /* bytes of the last half second, in slots */
    uint32_t slots[RT_INCOMING_SLOTS];
    int64_t slot; /* number of the newest */
    uint64_t sum;
    rt_time first, last; /* since when without a pause; the newest packet */
    bool any;
} rt_incoming;

void rt_incoming_add(rt_incoming *incoming, rt_time arrived, size_t size);
/* Bit/s at `at`; 0: too little was seen yet. */
uint64_t rt_incoming_rate(const rt_incoming *incoming, rt_time at);

/* ---- what may be sent ---- */

typedef struct rt_aimd {
    double rate, min, max; /* bit/s; max 0: none */
    bool increasing;       /* else it holds */
    rt_time changed;       /* last increase or decrease */
    rt_time reduced;       /* last decrease; 0: none */
    rt_time round_trip;
    double capacity, deviation; /* of the link, as over-use showed it; capacity 0: not known */
} rt_aimd;

void rt_aimd_init(rt_aimd *aimd, uint64_t min, uint64_t start, uint64_t max);
/* `incoming`: bit/s, 0 when not known. `packet`: mean size in bytes. */
void rt_aimd_update(rt_aimd *aimd, int state, uint64_t incoming, double packet, rt_time now);
void rt_aimd_set(rt_aimd *aimd, uint64_t bitrate);

#endif
