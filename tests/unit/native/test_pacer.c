/* The pacer: its rate, its bursts, its deadline. */
#include "check.h"
#include "proto/pacer.h"

#define PACKET 1200

/* Drains `queued` bytes as a transport would; returns how long it took. `bursts` counts the wake-ups. */
static rt_time drain(rt_pacer *pacer, size_t queued, rt_time now, int *bursts)
{
    rt_time begin = now;
    *bursts = 0;
    while (queued) {
        rt_time due = rt_pacer_deadline(pacer, now);
        CHECK(due >= now && (due == now || due % RT_MS(1) == 0));
        now = due;
        size_t budget = rt_pacer_budget(pacer, queued, PACKET, now);
        CHECK(budget > 0); /* the deadline is exact: no wake-up in vain */
        ++*bursts;
        while (budget > 0) {
            size_t size = queued < PACKET ? queued : PACKET;
            queued -= size;
            rt_pacer_sent(pacer, size, now);
            budget = rt_pacer_budget(pacer, queued, PACKET, now);
        }
    }
    return now - begin;
}

static void keeps_its_rate(void)
{
    static const uint64_t rates[] = {100000, 750000, 5000000, 50000000, 1000000000};
    for (int i = 0; i < 5; i++) {
        rt_pacer pacer;
        rt_pacer_init(&pacer, rates[i], 0);
        size_t bytes = rates[i] / 8; /* one second's worth */
        int bursts;
        double took = (double)drain(&pacer, bytes, RT_SECONDS(1), &bursts) * 1e-9;
        /* The bucket begins empty: three packets, or 20 ms, or 16 kB, are ahead of the rate. */
        double ahead = (double)(3 * PACKET * 8) / (double)rates[i];
        CHECK(took <= 1.002 && took >= 1.0 - (ahead > 0.02 ? ahead : 0.02) - 0.01);
    }
}

static void sends_in_bursts_of_5_ms_at_high_rates(void)
{
    rt_pacer pacer;
    rt_pacer_init(&pacer, 100000000, 0);
    int bursts;
    drain(&pacer, 100000000 / 8 / 10, RT_SECONDS(1), &bursts); /* 100 ms */
    CHECK(bursts >= 19 && bursts <= 26);
}

/* What a fan-out to many is cheap by: at 2.5 times the target, a picture of the usual size leaves in one run. */
static void a_usual_frame_leaves_at_once(void)
{
    static const uint64_t targets[] = {500000, 1500000, 2500000, 3500000};
    for (int i = 0; i < 4; i++) {
        rt_pacer pacer;
        rt_pacer_init(&pacer, targets[i] * 5 / 2, 0);
        int bursts;
        rt_time now = RT_SECONDS(1);
        for (int frame = 0; frame < 30; frame++, now += RT_SECONDS(1) / 30) {
            drain(&pacer, targets[i] / 8 / 30, now, &bursts);
            CHECK_EQ(bursts, 1);
        }
        drain(&pacer, targets[i] / 8, now, &bursts); /* a key frame thirty times as large does not */
        CHECK(bursts > 15);
    }
}

static void spreads_packets_at_low_rates(void)
{
    rt_pacer pacer;
    rt_pacer_init(&pacer, 250000, 0);
    int bursts;
    drain(&pacer, 13 * PACKET, RT_SECONDS(1), &bursts);
    CHECK_EQ(bursts, 1 + 10); /* a handful, then one by one */
}

static void audio_counts_but_never_waits(void)
{
    rt_pacer pacer;
    rt_pacer_init(&pacer, 800000, 0);
    for (int i = 0; i < 10; i++)
        rt_pacer_sent(&pacer, 1000, RT_SECONDS(1));
    CHECK_EQ(rt_pacer_budget(&pacer, 5000, PACKET, RT_SECONDS(1)), 0);
    rt_time due = rt_pacer_deadline(&pacer, RT_SECONDS(1));
    /* 80,000 bits less what the bucket takes besides the next 19 ms */
    CHECK(due >= RT_SECONDS(1) + RT_MS(82) && due <= RT_SECONDS(1) + RT_MS(85));
    CHECK(rt_pacer_budget(&pacer, 5000, PACKET, due) >= PACKET);
}

static void a_long_queue_drains_within_two_seconds(void)
{
    rt_pacer pacer;
    rt_pacer_init(&pacer, 100000, 0);
    int bursts;
    rt_time took = drain(&pacer, 250000, RT_SECONDS(1), &bursts); /* 20 s at the rate */
    CHECK(took < RT_SECONDS(11)); /* its rate falls with what is left: 2 s * ln(10), and 2 s */
    rt_pacer_init(&pacer, 100000, 0);
    CHECK(rt_pacer_budget(&pacer, 250000, PACKET, 0) >= 2500); /* 20 ms of 1 Mbit/s, at least a handful */
    CHECK_EQ(pacer.drain, 1000000);
}

static void a_pause_earns_one_burst_only(void)
{
    rt_pacer pacer;
    rt_pacer_init(&pacer, 8000000, 0);
    size_t budget = rt_pacer_budget(&pacer, 1 << 20, PACKET, RT_SECONDS(1000));
    CHECK_EQ(budget, 16000);
    rt_pacer_sent(&pacer, 16000, RT_SECONDS(1000));
    CHECK_EQ(rt_pacer_budget(&pacer, 1 << 20, PACKET, RT_SECONDS(1000)), 0);
}

/* Asked every microsecond, the rate is not lost in rounding. */
static void frequent_questions_cost_no_rate(void)
{
    rt_pacer pacer;
    rt_pacer_init(&pacer, 300000, 0);
    size_t sent = 0;
    for (rt_time now = 0; now < RT_SECONDS(1); now += RT_US(1))
        if (rt_pacer_budget(&pacer, 1 << 14, PACKET, now)) {
            rt_pacer_sent(&pacer, PACKET, now);
            sent += PACKET;
        }
    CHECK(sent >= 37500 && sent <= 37500 + 4 * PACKET);
}

int main(int argc, char **argv)
{
    RUN(keeps_its_rate);
    RUN(sends_in_bursts_of_5_ms_at_high_rates);
    RUN(a_usual_frame_leaves_at_once);
    RUN(spreads_packets_at_low_rates);
    RUN(audio_counts_but_never_waits);
    RUN(a_long_queue_drains_within_two_seconds);
    RUN(a_pause_earns_one_burst_only);
    RUN(frequent_questions_cost_no_rate);
    CHECK_MAIN_END;
}
