/* How much may be in flight: the congestion window, and how fast a part of it may leave at once.
 *
 * Slow start, with a part of HyStart++ (RFC 9406) to leave it before the queue overflows, then CUBIC (RFC 9438). A loss
 * reduces the window once per round of data, by as much as there is evidence that the path is full: where
 * the round trip of the current round shows a standing queue, the window falls to what the path was seen to
 * deliver per smallest round trip (as TCP Westwood+ does), but by no more than CUBIC's 0.7 and no less than
 * 0.9, and where more than one packet in ten is lost to 0.7. A loss on a path whose queue is provably empty
 * (radio, bad cable) leaves it as it is, like TCP Veno and BBR reason.
 *
 * The window grows only when it was what limited the sender, and it is kept while the application is silent:
 * instead of collapsing it, a token bucket of twice the window per round trip spreads what leaves after idle.
 * Its depth of ten milliseconds makes it invisible on short paths, where runs of 64 packets matter.
 *
 * Everything the association asks for is in this header: another controller can stand in its place.
 */
#ifndef RT_PROTO_SCTP_CONGESTION_H
#define RT_PROTO_SCTP_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

typedef struct rt_sctp_congestion {
    uint32_t mtu;
    uint32_t window, threshold; /* cwnd and ssthresh, bytes */
    uint32_t ceiling;           /* more than the peer's and our buffers hold is of no use */
    bool limited;               /* the window, not the application or the peer, stopped the last sending */

    /* Rounds of data, by TSN: a round ends when what was sent last at its beginning is acknowledged. */
    uint32_t round_end;
    rt_time round_began;
    uint64_t round_bytes;
    double delivery[2]; /* bytes per ns: largest of the current and the last few rounds */
    uint32_t delivery_rounds;
    rt_time round_rtt, last_round_rtt; /* smallest in it, RT_NEVER: none yet */
    rt_time min_rtt;                   /* smallest ever */

    /* HyStart++ */
    rt_time recent_rtt[2]; /* smallest of the current and of the last few samples */
    uint32_t recent_samples;
    bool gentle; /* conservative slow start: the path may be full */

    /* CUBIC */
    rt_time epoch;      /* when the current growth began, RT_NEVER: not yet */
    double origin, top; /* window at which the curve is flat, window before the last reduction; packets */
    double delay;       /* K, seconds */
    double friendly;    /* W_est, packets */
    double carry;       /* bytes of growth not yet whole */

    double loss_rate; /* smoothed over about 500 packets */

    uint32_t undo_window, undo_threshold; /* before the last reduction */

    rt_time tokens_at;
    int64_t tokens;
} rt_sctp_congestion;

void rt_sctp_congestion_init(rt_sctp_congestion *c, uint16_t mtu, uint32_t peer_window, uint32_t ceiling,
                             uint32_t first_tsn);
void rt_sctp_congestion_set_mtu(rt_sctp_congestion *c, uint16_t mtu);

/* A SACK acknowledged `bytes`. `rtt` is its sample, 0: none. `acked` and `next` are TSNs: the highest one
 * acknowledged and the next one to be sent. No growth while `recovering`. */
void rt_sctp_congestion_acked(rt_sctp_congestion *c, uint32_t bytes, rt_time rtt, uint32_t acked, uint32_t next,
                              bool recovering, rt_time srtt, rt_time now);
/* `bytes` were found lost: for the loss rate, at once. */
void rt_sctp_congestion_lost(rt_sctp_congestion *c, uint32_t bytes);
/* Asked at each loss until it answers true, at most once per window of data: whether the window was reduced. */
bool rt_sctp_congestion_reduce(rt_sctp_congestion *c);
void rt_sctp_congestion_timeout(rt_sctp_congestion *c);
/* The losses of the last recovery were none. */
void rt_sctp_congestion_undo(rt_sctp_congestion *c);

/* How many bytes may leave at once by now. */
int64_t rt_sctp_congestion_tokens(rt_sctp_congestion *c, rt_time srtt, rt_time now);
/* When there will be tokens for a run of packets again. */
rt_time rt_sctp_congestion_ready(const rt_sctp_congestion *c, rt_time srtt, rt_time now);

#endif
