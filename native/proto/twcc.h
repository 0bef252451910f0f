/* Receiving end of transport-wide feedback: notes arrivals of all streams of a transport, tells of them.
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01)
 *
 * Feedback goes out every 50 to 250 ms, more often at higher rates (5% of the incoming rate), 100 ms at first; at
 * once after 256 packets. Notes at most 4,096 sequence numbers; beyond that the oldest are forgotten. Sans-IO.
 */
#ifndef RT_PROTO_TWCC_H
#define RT_PROTO_TWCC_H

#include "base/span.h"
#include "base/time.h"

typedef struct rt_twcc rt_twcc;

rt_twcc *rt_twcc_new(void);
void rt_twcc_free(rt_twcc *twcc);
void rt_twcc_prefetch(const rt_twcc *twcc); /* what its deadline takes (base/prefetch.h) */
void rt_twcc_arrived(rt_twcc *twcc, uint16_t sequence, uint32_t ssrc, size_t size, rt_time now);
rt_time rt_twcc_deadline(const rt_twcc *twcc);
/* Writes one RTCP packet if one is due and it fits; call until false. */
bool rt_twcc_feedback(rt_twcc *twcc, rt_writer *out, uint32_t sender, rt_time now);

#endif
