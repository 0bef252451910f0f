/* The delay-based estimate: does it see over-use, and nothing where there is none? */
#include "check.h"
#include "proto/estimate.h"
#include "proto/estimate_internal.h"

#define PACKET 1000

/* A link of `capacity` bit/s with an endless queue, fed with `rate` bit/s. */
typedef struct path {
    rt_estimate *estimate;
    double capacity;
    rt_time sent, free; /* the sender's clock; when the link is free again */
    rt_time clock;      /* the receiver's clock is so much ahead */
} path;

static void feed(path *p, double rate, rt_time span)
{
    rt_time end = p->sent + span, gap = (rt_time)(PACKET * 8e9 / rate);
    for (; p->sent < end; p->sent += gap) {
        rt_time begin = rt_time_max(p->free, p->sent);
        p->free = begin + (rt_time)(PACKET * 8e9 / p->capacity);
        rt_time arrived = p->free + RT_MS(20);
        rt_estimate_packet(p->estimate, p->sent, arrived + p->clock, PACKET, arrived);
    }
}

static path path_new(double capacity)
{
    path p = {.estimate = rt_estimate_new(30000, 300000, 0), .capacity = capacity, .sent = RT_SECONDS(10)};
    CHECK(p.estimate);
    return p;
}

static void says_nothing_at_first(void)
{
    path p = path_new(1e6);
    CHECK_EQ(rt_estimate_bitrate(p.estimate), 0);
    feed(&p, 500e3, RT_MS(50));
    CHECK_EQ(rt_estimate_bitrate(p.estimate), 0);
    rt_estimate_free(p.estimate);
}

static void knows_what_comes_in(void)
{
    path p = path_new(1e7);
    feed(&p, 500e3, RT_SECONDS(2));
    uint64_t received = rt_estimate_received(p.estimate, p.sent + RT_MS(20));
    CHECK(received > 470000 && received < 530000);
    CHECK_EQ(rt_estimate_received(p.estimate, p.sent + RT_SECONDS(5)), 0);
    rt_estimate_free(p.estimate);
}

static void sees_over_use_and_lets_go(void)
{
    path p = path_new(1e6);
    feed(&p, 900e3, RT_SECONDS(3));
    CHECK_EQ(rt_estimate_state(p.estimate), 0);
    uint64_t before = rt_estimate_bitrate(p.estimate);
    CHECK(before > 1000000 && before <= 1450000); /* some 1.5 times what comes in */
    rt_time until = 0;
    for (; until < RT_SECONDS(2) && rt_estimate_state(p.estimate) != 1; until += RT_MS(20))
        feed(&p, 1300e3, RT_MS(20));
    CHECK(until < RT_MS(500));
    uint64_t after = rt_estimate_bitrate(p.estimate);
    CHECK(after > 700000 && after < 900000); /* 0.85 of the link */
    feed(&p, 300e3, RT_SECONDS(2));          /* the queue empties */
    CHECK_EQ(rt_estimate_state(p.estimate), 0);
    rt_estimate_free(p.estimate);
}

static void sees_under_use_while_a_queue_empties(void)
{
    path p = path_new(1e6);
    feed(&p, 1300e3, RT_SECONDS(2));
    bool under = false;
    for (int i = 0; i < 100; i++) {
        feed(&p, 300e3, RT_MS(20));
        under = under || rt_estimate_state(p.estimate) < 0;
    }
    CHECK(under);
    rt_estimate_free(p.estimate);
}

/* Other clocks, other origins, a jump of the clock: the same. */
static void clocks_do_not_matter(void)
{
    for (int i = 0; i < 3; i++) {
        path p = path_new(1e6);
        p.clock = i == 1 ? RT_SECONDS(100000) : i == 2 ? -RT_SECONDS(7) : 0;
        feed(&p, 800e3, RT_SECONDS(2));
        p.clock += RT_SECONDS(3600);
        feed(&p, 800e3, RT_SECONDS(2));
        p.clock -= RT_SECONDS(1800);
        feed(&p, 800e3, RT_SECONDS(2));
        CHECK_EQ(rt_estimate_state(p.estimate), 0);
        CHECK(rt_estimate_bitrate(p.estimate) > 1000000);
        rt_estimate_free(p.estimate);
    }
}

static void abs_send_time_turns_over(void)
{
    rt_estimate *estimate = rt_estimate_new(30000, 300000, 0);
    rt_time now = RT_SECONDS(1);
    for (int i = 0; i < 20000; i++, now += RT_MS(10)) { /* 200 s, three turns of 64 s */
        uint32_t time = (uint32_t)((double)now * 1e-9 * 262144) & 0xFFFFFF;
        rt_estimate_abs_send_time(estimate, time, now + RT_MS(30), PACKET);
        if (i == 3000) /* a late one of before */
            rt_estimate_abs_send_time(estimate, (time - 2621) & 0xFFFFFF, now + RT_MS(31), PACKET);
        CHECK_EQ(rt_estimate_state(estimate), 0);
    }
    CHECK(rt_estimate_bitrate(estimate) > 1000000);
    rt_estimate_free(estimate);
}

static void limits_hold(void)
{
    path p = path_new(1e7);
    feed(&p, 2e6, RT_SECONDS(3));
    CHECK(rt_estimate_bitrate(p.estimate) > 2000000);
    rt_estimate_set_limits(p.estimate, 30000, 1500000);
    CHECK_EQ(rt_estimate_bitrate(p.estimate), 1500000);
    feed(&p, 2e6, RT_SECONDS(1));
    CHECK_EQ(rt_estimate_bitrate(p.estimate), 1500000);
    rt_estimate_set_limits(p.estimate, 1600000, 0);
    CHECK_EQ(rt_estimate_bitrate(p.estimate), 1600000);
    rt_estimate_free(p.estimate);
}

static void additive_near_the_known_capacity(void)
{
    rt_aimd aimd;
    rt_aimd_init(&aimd, 30000, 1000000, 0);
    rt_aimd_update(&aimd, 1, 1000000, 1200, RT_SECONDS(1));
    CHECK_EQ(aimd.rate, 850000);
    rt_aimd_update(&aimd, 0, 900000, 1200, RT_SECONDS(2)); /* from now on it may grow */
    rt_aimd_update(&aimd, 0, 900000, 1200, RT_SECONDS(3));
    /* One packet of a frame's three per response time of 300 ms: 9.4 kbit / 0.3 s. */
    CHECK(aimd.rate > 850000 + 25000 && aimd.rate < 850000 + 40000);
    /* More came in than the link was thought to take: it is another one. */
    double rate = aimd.rate;
    rt_aimd_update(&aimd, 0, 2000000, 1200, RT_SECONDS(4));
    CHECK(aimd.capacity == 0 && aimd.rate > rate * 1.5);
}

int main(int argc, char **argv)
{
    RUN(says_nothing_at_first);
    RUN(knows_what_comes_in);
    RUN(sees_over_use_and_lets_go);
    RUN(sees_under_use_while_a_queue_empties);
    RUN(clocks_do_not_matter);
    RUN(abs_send_time_turns_over);
    RUN(limits_hold);
    RUN(additive_near_the_known_capacity);
    CHECK_MAIN_END;
}
