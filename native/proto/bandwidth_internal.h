/* What the bandwidth's files share: bandwidth.c (what was sent, feedback, the target), bandwidth_loss.c,
 * bandwidth_probe.c.
 */
#ifndef RT_PROTO_BANDWIDTH_INTERNAL_H
#define RT_PROTO_BANDWIDTH_INTERNAL_H

#include "proto/bandwidth.h"
#include "proto/estimate_internal.h"

typedef enum rt_sent_state {
    RT_SENT_NONE, /* nothing sent, or arrived */
    RT_SENT_FLYING,
    RT_SENT_LOST, /* as feedback said; may still come late */
} rt_sent_state;

typedef struct rt_sent_packet {
    rt_time at;
    uint32_t size;
    uint16_t sequence;
    uint8_t state;   /* rt_sent_state */
    uint8_t cluster; /* of the probe; 0: none */
} rt_sent_packet;

/* A probe: packets at a rate above the target, whose arrival shows whether the path takes it. */
typedef struct rt_probe {
    double wish;     /* rate of the next one, bit/s; 0: none; negative: so many times the start rate */
    uint8_t cluster; /* under way, by number; 0: none */
    uint8_t last_cluster;
    uint8_t stage;    /* of the first ones */
    double lost_rate; /* that the path took before it became narrow, to be tried again; 0: none */
    rt_time try_at, try_after;
    double wanted; /* that media would send; 0: no more than the target */
    rt_time want_at, want_after;
    double rate;  /* of the one under way */
    size_t bytes; /* that it should have */
    rt_time taken;
    /* What has arrived of it. */
    uint32_t count;
    size_t arrived_bytes;
    rt_time first_sent, last_sent, first_arrived, last_arrived;
    uint32_t last_sent_size, first_arrived_size;
} rt_probe;

void rt_probe_init(rt_probe *probe);
void rt_probe_wish(rt_probe *probe, double rate);
/* What media would send. Tried at once when it begins, and again after 5, 10, 20, 20 ... s while it is wanted. */
void rt_probe_want(rt_probe *probe, double rate, rt_time now);
/* What the path takes has fallen. If it was deep, the rate of before will be tried again, in 5, 15 and 35 s. */
void rt_probe_fell(rt_probe *probe, double from, double to, rt_time now);
/* Begins the next one if there should be one now: its bytes. No rate above `ceiling`. */
size_t rt_probe_take(rt_probe *probe, double start, double target, double ceiling, rt_time now);
void rt_probe_arrived(rt_probe *probe, rt_time sent, rt_time arrived, uint32_t size);
/* Bit/s that the path has shown to take, once enough has arrived; 0: nothing new. Ends the probe. */
double rt_probe_result(rt_probe *probe);
rt_time rt_probe_deadline(const rt_probe *probe);
void rt_probe_expire(rt_probe *probe, rt_time now);

struct rt_bandwidth {
    rt_bandwidth_config limits;
    rt_estimate *estimate;

    rt_sent_packet *sent; /* by the low bits of their sequence numbers */
    uint32_t capacity;    /* a power of two */
    rt_twcc_packet *scratch;
    uint32_t scratch_capacity;
    int64_t reference;     /* of the last feedback, unwrapped, 64 ms */
    rt_time last_feedback; /* when it came */
    rt_time newest;        /* when the newest packet left that the last feedback says has arrived; INT64_MIN: none */
    rt_time silent_since;  /* first packet sent after the last feedback; 0: none */
    rt_incoming outgoing;  /* what leaves */

    /* The shortest round trip of this and of the last period: what is beyond it, waits in a queue. */
    struct {
        rt_time begun, shortest, before;
        bool draining;
    } queue;

    struct {
        double rate;          /* bit/s; 0: it has no opinion */
        uint32_t lost, total; /* since `evaluated` */
        rt_time evaluated, decreased;
    } loss;
    rt_probe probe;

    rt_bandwidth_stats stats;
};

/* What the path takes, loss aside. */
uint64_t rt_bandwidth_base(const rt_bandwidth *bandwidth);
/* The target anew, after anything has changed. */
void rt_bandwidth_update(rt_bandwidth *bandwidth);

/* bandwidth_loss.c */
void rt_bandwidth_evaluate_loss(rt_bandwidth *bandwidth, rt_time now);
/* `loss`: a share of 1. */
void rt_bandwidth_apply_loss(rt_bandwidth *bandwidth, double loss, rt_time now);

#endif
