/* How much may be sent: the target bitrate of one transport, from what the other end reports.
 *
 * The seam of congestion control: packets as they leave, and the feedback on them, go in; a target comes out.
 * Transport-wide feedback drives a delay-based estimate (groups of packets, trend of their one-way delay, adaptive
 * threshold, additive and multiplicative increase) and a loss-based one; a queue that stands is drained; REMB is a
 * ceiling, and with nothing else the target itself; report blocks alone drive the loss-based one. Sans-IO, no
 * allocation per packet.
 *
 * Bounded: 16,384 packets in flight at the most are waited for, each for 2 s.
 *
 * proto/estimate is the delay-based part alone; the receiving end uses it too, to make REMB out of abs-send-time.
 */
#ifndef RT_PROTO_BANDWIDTH_H
#define RT_PROTO_BANDWIDTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/time.h"
#include "wire/rtcp.h"

typedef struct rt_bandwidth rt_bandwidth;

typedef struct rt_bandwidth_config {
    uint64_t min, start, max; /* bit/s; default 30 k, 300 k, 0 (no limit) */
} rt_bandwidth_config;

void rt_bandwidth_config_default(rt_bandwidth_config *config);
rt_bandwidth *rt_bandwidth_new(const rt_bandwidth_config *config, rt_time now);
void rt_bandwidth_free(rt_bandwidth *bandwidth);
/* 0: `min` as it was, no `max`; `start` other than 0 begins anew from there. */
void rt_bandwidth_set_limits(rt_bandwidth *bandwidth, uint64_t min, uint64_t start, uint64_t max, rt_time now);

/* A packet leaves, `size` bytes with its headers. */
void rt_bandwidth_sent(rt_bandwidth *bandwidth, uint16_t transport_sequence, size_t size, bool probe, rt_time now);
/* RT_MALFORMED: its lists do not fit, or it speaks of more packets than can be in flight. */
rt_status rt_bandwidth_twcc(rt_bandwidth *bandwidth, const rt_rtcp_twcc *feedback, rt_time now);
void rt_bandwidth_remb(rt_bandwidth *bandwidth, uint64_t bitrate, rt_time now);
/* A report block; `fraction` of 256; `round_trip` 0: not known. */
void rt_bandwidth_report(rt_bandwidth *bandwidth, uint8_t fraction, rt_time round_trip, rt_time now);

/* Bit/s that media would send if it could, beyond the target: a probe tries them at once, then every 5 to 20 s while they
 * are wanted. What is sent does not show by itself that the path takes more. 0: nothing more. */
void rt_bandwidth_want(rt_bandwidth *bandwidth, uint64_t bitrate, rt_time now);
uint64_t rt_bandwidth_target(const rt_bandwidth *bandwidth);
/* For the pacer. */
uint64_t rt_bandwidth_pacing_rate(const rt_bandwidth *bandwidth);
/* Bytes of padding that would make a useful probe now, and at which rate; 0: none. Takes it: send so many as soon
 * as the pacer lets them go, and tell rt_bandwidth_sent() that they are a `probe` (media that leaves among them may be
 * told so, too). The pacing rate is that of the probe meanwhile. Ask when there is something new: after feedback. */
size_t rt_bandwidth_probe(rt_bandwidth *bandwidth, uint64_t *rate, rt_time now);
/* What noting the next packets sent, from `transport_sequence` on, takes, or else feedback about those before; two steps
 * (base/prefetch.h). */
void rt_bandwidth_prefetch(const rt_bandwidth *bandwidth, uint16_t transport_sequence, bool feedback, int step);
rt_time rt_bandwidth_deadline(const rt_bandwidth *bandwidth);
void rt_bandwidth_expire(rt_bandwidth *bandwidth, rt_time now);

typedef struct rt_bandwidth_stats {
    uint64_t target, delay_based, loss_based, remb, acknowledged; /* bit/s; 0: not known */
    uint64_t feedback, feedback_malformed, packets_lost, probes;
    rt_time round_trip;
    int state; /* -1 under-use, 0 normal, 1 over-use */
} rt_bandwidth_stats;

void rt_bandwidth_get_stats(const rt_bandwidth *bandwidth, rt_bandwidth_stats *out);

#endif
