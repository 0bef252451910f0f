#include "proto/sctp_congestion.h"

#include <math.h>

#include "base/seq.h"

static const double CUBIC_C = 0.4;
static const double CUBIC_BETA = 0.7;
static const double CUBIC_GENTLE = 0.9;
static const double FULL_LOSS_RATE = 0.1;
static const double LOSS_MEMORY = 500; /* packets */

enum {
    INITIAL_PACKETS = 10,
    MINIMUM_PACKETS = 4,
    RUN_PACKETS = 64, /* one GSO send */
    HYSTART_SAMPLES = 8,
    HYSTART_DIVISOR = 4,
    DELIVERY_ROUNDS = 8,
};

static uint32_t minimum(const rt_sctp_congestion *c)
{
    return MINIMUM_PACKETS * c->mtu;
}

void rt_sctp_congestion_init(rt_sctp_congestion *c, uint16_t mtu, uint32_t peer_window, uint32_t ceiling,
                             uint32_t first_tsn)
{
    *c = (rt_sctp_congestion){
        .mtu = mtu,
        .window = INITIAL_PACKETS * (uint32_t)mtu,
        .threshold = peer_window > minimum(c) ? peer_window : UINT32_MAX,
        .ceiling = ceiling,
        .round_end = first_tsn,
        .round_rtt = RT_NEVER,
        .last_round_rtt = RT_NEVER,
        .recent_rtt = {RT_NEVER, RT_NEVER},
        .min_rtt = RT_NEVER,
        .epoch = RT_NEVER,
        .tokens_at = INT64_MIN,
    };
}

void rt_sctp_congestion_set_mtu(rt_sctp_congestion *c, uint16_t mtu)
{
    c->mtu = mtu;
    if (c->window < minimum(c))
        c->window = minimum(c);
}

/* A queue stands in the path when even the fastest packet of a round is slower than the path can be. The
 * smallest of a round, since delayed acknowledgements and bursts lengthen the others. */
static bool queue_stands(const rt_sctp_congestion *c)
{
    rt_time fastest = rt_time_min(c->round_rtt, c->last_round_rtt);
    if (fastest == RT_NEVER)
        return true;
    rt_time margin = rt_time_max(RT_MS(1), rt_time_min(RT_MS(4), c->min_rtt / 16));
    return fastest - c->min_rtt > margin;
}

static void leave_slow_start(rt_sctp_congestion *c)
{
    c->threshold = c->window;
    c->gentle = false;
    c->top = c->origin = (double)c->window / c->mtu;
    c->epoch = RT_NEVER;
}

/* RFC 9406 section 4.2, with the smallest of the last samples instead of the round's: the beginning of a round
 * is always fast, and waiting for the next one doubles the window once too often. */
static void hystart(rt_sctp_congestion *c, rt_time rtt)
{
    if (c->recent_samples++ % HYSTART_SAMPLES == 0) {
        c->recent_rtt[1] = c->recent_rtt[0];
        c->recent_rtt[0] = RT_NEVER;
    }
    c->recent_rtt[0] = rt_time_min(c->recent_rtt[0], rtt);
    if (c->recent_samples < 2 * HYSTART_SAMPLES)
        return;
    rt_time recent = rt_time_min(c->recent_rtt[0], c->recent_rtt[1]);
    rt_time step = rt_time_max(RT_MS(4), rt_time_min(RT_MS(16), c->min_rtt / 8));
    if (recent >= c->min_rtt + step)
        c->gentle = true;
    else if (recent < c->min_rtt + step / 2)
        c->gentle = false;
}

/* What the round delivered, bytes per nanosecond; `*growing` if it was a tenth more than ever before. */
static void measure_delivery(rt_sctp_congestion *c, bool *growing, rt_time now)
{
    *growing = true;
    if (now > c->round_began) {
        double rate = (double)c->round_bytes / (double)(now - c->round_began);
        *growing = rate > 1.1 * fmax(c->delivery[0], c->delivery[1]);
        c->delivery[0] = fmax(c->delivery[0], rate);
    }
    if (++c->delivery_rounds == DELIVERY_ROUNDS) {
        c->delivery[1] = c->delivery[0];
        c->delivery[0] = 0;
        c->delivery_rounds = 0;
    }
    c->round_bytes = 0;
    c->round_began = now;
}

/* A delay that goes with a delivery that stopped growing is a full path, any other one a jitter: where RFC 9406
 * counts five rounds, this looks. */
static void end_round(rt_sctp_congestion *c, uint32_t next, rt_time now)
{
    bool growing;
    measure_delivery(c, &growing, now);
    if (c->gentle && !growing && c->window < c->threshold)
        leave_slow_start(c);
    if (c->round_rtt != RT_NEVER)
        c->last_round_rtt = c->round_rtt;
    c->round_rtt = RT_NEVER;
    c->round_end = next;
}

/* RFC 9438 sections 4.2 to 4.5; windows in packets. */
static void grow_cubic(rt_sctp_congestion *c, uint32_t bytes, rt_time srtt, rt_time now)
{
    double window = (double)c->window / c->mtu;
    if (c->epoch == RT_NEVER) {
        c->epoch = now;
        c->origin = c->top > window ? c->top : window;
        c->delay = cbrt((c->origin - window) / CUBIC_C);
        c->friendly = window;
    }
    double after = (double)(now - c->epoch + srtt) / 1e9 - c->delay;
    double target = c->origin + CUBIC_C * after * after * after;
    double packets = (double)bytes / c->mtu;
    double alpha = c->friendly < c->top ? 3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) : 1;
    c->friendly += alpha * packets / window;
    if (target > 1.5 * window)
        target = 1.5 * window;
    double step = target > window ? (target - window) / window * packets : 0;
    if (c->friendly > window + step)
        step = c->friendly - window;
    c->carry += step * c->mtu;
    uint32_t whole = (uint32_t)c->carry;
    c->carry -= whole;
    c->window += whole;
}

void rt_sctp_congestion_acked(rt_sctp_congestion *c, uint32_t bytes, rt_time rtt, uint32_t acked, uint32_t next,
                              bool recovering, rt_time srtt, rt_time now)
{
    double packets = (double)bytes / c->mtu;
    c->loss_rate *= packets < LOSS_MEMORY ? 1 - packets / LOSS_MEMORY : 0;
    c->round_bytes += bytes;
    if (rtt) {
        c->min_rtt = rt_time_min(c->min_rtt, rtt);
        c->round_rtt = rt_time_min(c->round_rtt, rtt);
    }
    bool slow = c->window < c->threshold;
    if (slow && rtt)
        hystart(c, rtt);
    if (bytes && c->limited && !recovering && c->window < c->ceiling) {
        if (slow)
            c->window += c->gentle ? bytes / HYSTART_DIVISOR : bytes;
        else
            grow_cubic(c, bytes, srtt, now);
        if (c->window > c->ceiling)
            c->window = c->ceiling;
    } else if (!c->limited) {
        c->epoch = RT_NEVER; /* the curve does not run while nobody asks for more */
    }
    if (rt_seq32_at_most(c->round_end, acked))
        end_round(c, next, now);
}

void rt_sctp_congestion_lost(rt_sctp_congestion *c, uint32_t bytes)
{
    double packets = (double)bytes / c->mtu;
    c->loss_rate += (1 - c->loss_rate) * (packets < LOSS_MEMORY ? packets / LOSS_MEMORY : 1);
}

bool rt_sctp_congestion_reduce(rt_sctp_congestion *c)
{
    c->undo_window = c->window;
    c->undo_threshold = c->threshold;
    if (!queue_stands(c) && c->loss_rate < FULL_LOSS_RATE)
        return false;
    double window = (double)c->window / c->mtu;
    c->top = window < c->top ? window * (1 + CUBIC_BETA) / 2 : window; /* fast convergence */
    /* Slow start may have gone far beyond what the path carries: then straight back to that. */
    bool slow = c->window < c->threshold;
    double reduced = c->window * (slow ? CUBIC_BETA / 2 : CUBIC_BETA);
    if (slow || c->loss_rate < FULL_LOSS_RATE) {
        double carries = fmax(c->delivery[0], c->delivery[1]) * (double)c->min_rtt;
        reduced = fmax(reduced, fmin(carries, c->window * CUBIC_GENTLE));
    }
    c->loss_rate = 0; /* answered */
    c->window = reduced > minimum(c) ? (uint32_t)reduced : minimum(c);
    c->threshold = c->window;
    c->gentle = false;
    c->epoch = RT_NEVER;
    return true;
}

void rt_sctp_congestion_timeout(rt_sctp_congestion *c)
{
    c->undo_window = c->window;
    c->undo_threshold = c->threshold;
    if (c->window >
        c->mtu) { /* one silence halves it once, however often the timer fires in it (RFC 5681 section 3.1) */
        c->top = (double)c->window / c->mtu;
        uint32_t half = c->window / 2;
        c->threshold = half > minimum(c) ? half : minimum(c);
    }
    c->window = c->mtu;
    c->gentle = false;
    c->epoch = RT_NEVER;
}

void rt_sctp_congestion_undo(rt_sctp_congestion *c)
{
    if (c->undo_window > c->window)
        c->window = c->undo_window;
    if (c->undo_threshold > c->threshold)
        c->threshold = c->undo_threshold;
    c->undo_window = 0;
    c->undo_threshold = 0;
}

/* Bytes per nanosecond: twice the window per round trip. */
static double rate(const rt_sctp_congestion *c, rt_time srtt)
{
    return 2.0 * c->window / (double)(srtt ? srtt : RT_MS(1));
}

static int64_t depth(const rt_sctp_congestion *c, rt_time srtt)
{
    int64_t run = (int64_t)RUN_PACKETS * c->mtu;
    int64_t span = (int64_t)(rate(c, srtt) * 10e6);
    return span > run ? span : run;
}

int64_t rt_sctp_congestion_tokens(rt_sctp_congestion *c, rt_time srtt, rt_time now)
{
    int64_t full = depth(c, srtt);
    if (c->tokens_at == INT64_MIN || now - c->tokens_at > RT_SECONDS(1))
        c->tokens = full;
    else
        c->tokens += (int64_t)(rate(c, srtt) * (double)(now - c->tokens_at));
    if (c->tokens > full)
        c->tokens = full;
    c->tokens_at = now;
    return c->tokens;
}

rt_time rt_sctp_congestion_ready(const rt_sctp_congestion *c, rt_time srtt, rt_time now)
{
    int64_t missing = depth(c, srtt) / 4 - c->tokens;
    return missing <= 0 ? now : now + 1 + (rt_time)((double)missing / rate(c, srtt));
}
