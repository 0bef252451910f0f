/* The loss-based part (after draft-ietf-rmcat-gcc-02 section 6): more loss than a path has by itself means less.
 *
 * What a path loses by itself does not get better by sending less. So the lower the rate, the more loss is borne:
 * where the draft has 2% and 10%, here it is 1% and 3% with 40 kbit/s over the rate on top. At 1 Mbit/s that is 5%
 * and 7%, so short queues are not kept full; with 10% of random loss the rate settles at some 500 kbit/s, instead of
 * sinking to its minimum.
 */
#include "proto/bandwidth_internal.h"

#define INTERVAL RT_MS(250)
#define PACKETS_LEAST 20
#define INCREASE_BELOW 0.01
#define DECREASE_ABOVE 0.03
#define BORNE 40000.0             /* bit/s: this over the rate is borne besides */
#define DECREASE_EVERY RT_MS(300) /* and a round trip */
#define PER_SECOND 0.08
#define OUTGOING_CEILING 1.5

void rt_bandwidth_apply_loss(rt_bandwidth *bandwidth, double loss, rt_time now)
{
    double target = (double)bandwidth->stats.target, borne = BORNE / target;
    double elapsed = (double)(now - bandwidth->loss.evaluated) * 1e-9;
    bandwidth->loss.evaluated = now;
    if (elapsed > 1)
        elapsed = 1;
    bool alone = !bandwidth->stats.feedback && !bandwidth->stats.remb;
    if (loss > DECREASE_ABOVE + borne) {
        if (bandwidth->loss.decreased && now - bandwidth->loss.decreased < DECREASE_EVERY + bandwidth->stats.round_trip)
            return;
        bandwidth->loss.decreased = now;
        double rate = target * (1 - 0.5 * loss), min = (double)bandwidth->limits.min;
        bandwidth->loss.rate = rate > min ? rate : min;
    } else if (loss < INCREASE_BELOW + borne && (alone || bandwidth->loss.rate > 0)) {
        double rate = target * (1 + PER_SECOND * elapsed);
        if (alone) { /* nobody else says where it ends */
            double ceiling = OUTGOING_CEILING * (double)rt_incoming_rate(&bandwidth->outgoing, now);
            rate = rate < ceiling ? rate : ceiling > target ? ceiling : target;
        } else if (rate > (double)rt_bandwidth_base(bandwidth)) {
            rate = 0; /* the others are the limit again */
        }
        bandwidth->loss.rate = rate;
    }
}

void rt_bandwidth_evaluate_loss(rt_bandwidth *bandwidth, rt_time now)
{
    if (bandwidth->loss.total < PACKETS_LEAST || now - bandwidth->loss.evaluated < INTERVAL)
        return;
    double loss = (double)bandwidth->loss.lost / bandwidth->loss.total;
    bandwidth->loss.lost = bandwidth->loss.total = 0;
    rt_bandwidth_apply_loss(bandwidth, loss, now);
}
