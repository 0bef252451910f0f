/* The delay-based estimate of a path's free bandwidth: are packets delayed more and more? (GCC,
 * draft-ietf-rmcat-gcc-02, with the trendline of later practice.)
 *
 *   packets -> groups of 5 ms -> change of one-way delay -> trendline -> adaptive threshold -> over-use?
 *                                                                                   |
 *   incoming rate (500 ms) ---------------------------> additive, multiplicative increase; decrease to 85%
 *
 * Fed with send and arrival time of each packet, wherever they are known: at the sender from transport-wide
 * feedback, at the receiver from abs-send-time. Sans-IO, fixed memory.
 */
#ifndef RT_PROTO_ESTIMATE_H
#define RT_PROTO_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

typedef struct rt_estimate rt_estimate;

/* Bit/s; `max` 0: no limit. NULL: no memory. */
rt_estimate *rt_estimate_new(uint64_t min, uint64_t start, uint64_t max);
void rt_estimate_free(rt_estimate *estimate);
void rt_estimate_prefetch(const rt_estimate *estimate); /* all of it (base/prefetch.h) */
/* `sent` is on the other end's clock, of any origin; so is `arrived` where it is the other end that tells it. Packets
 * in order of arrival, or nearly so. */
void rt_estimate_packet(rt_estimate *estimate, rt_time sent, rt_time arrived, size_t size, rt_time now);
/* The same with the 24 bits of the extension, which are unwrapped. */
void rt_estimate_abs_send_time(rt_estimate *estimate, uint32_t abs_send_time, rt_time arrived, size_t size);
void rt_estimate_set_round_trip(rt_estimate *estimate, rt_time round_trip);
void rt_estimate_set_limits(rt_estimate *estimate, uint64_t min, uint64_t max);
/* Goes on from here: what a probe has found, or a new start. */
void rt_estimate_set_bitrate(rt_estimate *estimate, uint64_t bitrate);
/* Bit/s; 0: not enough seen. */
uint64_t rt_estimate_bitrate(const rt_estimate *estimate);
uint64_t rt_estimate_received(const rt_estimate *estimate, rt_time now); /* incoming rate, bit/s */
int rt_estimate_state(const rt_estimate *estimate);                      /* -1 under-use, 0 normal, 1 over-use */

#endif
