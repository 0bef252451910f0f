/* RFC 3550 appendices A.1 (sequence numbers), A.3 (loss), A.8 (jitter) and section 6.4.1 (report blocks). */
#include "proto/reception.h"

#include <math.h>

#include "base/random.h"
#include "check.h"

static rt_arrival arrive(rt_reception *r, uint16_t sequence)
{
    uint64_t extended = 0;
    rt_arrival arrival = rt_reception_sequence(r, sequence, false, &extended);
    if (arrival != RT_ARRIVAL_JUMP)
        CHECK_EQ((uint16_t)extended, sequence);
    return arrival;
}

static void test_numbers_go_round(void)
{
    rt_reception r = {0};
    uint64_t extended, last = 0;
    for (uint32_t i = 0; i < 200000; i++) {
        CHECK_EQ(rt_reception_sequence(&r, (uint16_t)(65000 + i), false, &extended), RT_ARRIVAL_NEW);
        CHECK(i == 0 || extended == last + 1);
        last = extended;
    }
    CHECK_EQ(rt_reception_lost(&r), 0);
    rt_rtcp_block block;
    CHECK(rt_reception_report(&r, 5, &block, 0));
    CHECK_EQ(block.ssrc, 5);
    CHECK_EQ(block.highest, 65000 + 199999);
    CHECK_EQ(block.last_sr, 0);
    CHECK_EQ(block.delay, 0);
}

/* A.3: lost is what was expected less what came, duplicates included; the fraction is of the last interval. */
static void test_loss(void)
{
    rt_reception r = {0};
    rt_rtcp_block block;
    CHECK(!rt_reception_report(&r, 1, &block, 0));
    for (uint16_t i = 0; i < 100; i++)
        if (i % 4)
            CHECK_EQ(arrive(&r, i), RT_ARRIVAL_NEW);
    CHECK(rt_reception_report(&r, 1, &block, 0));
    CHECK_EQ(block.lost, 24); /* 0 came before the first */
    CHECK_EQ(block.fraction_lost, 24 * 256 / 99);
    for (uint16_t i = 100; i < 200; i++)
        CHECK_EQ(arrive(&r, i), RT_ARRIVAL_NEW);
    CHECK(rt_reception_report(&r, 1, &block, 0));
    CHECK_EQ(block.lost, 24);
    CHECK_EQ(block.fraction_lost, 0);
    for (int i = 0; i < 30; i++) /* more than was lost: negative, and no fraction */
        CHECK_EQ(arrive(&r, 199), RT_ARRIVAL_DUPLICATE);
    CHECK(rt_reception_report(&r, 1, &block, 0));
    CHECK_EQ(block.lost, -6);
    CHECK_EQ(block.fraction_lost, 0);
}

static void test_late_and_duplicate(void)
{
    rt_reception r = {0};
    CHECK_EQ(arrive(&r, 10), RT_ARRIVAL_NEW);
    CHECK_EQ(arrive(&r, 14), RT_ARRIVAL_NEW);
    CHECK_EQ(arrive(&r, 12), RT_ARRIVAL_NEW);
    CHECK_EQ(arrive(&r, 12), RT_ARRIVAL_DUPLICATE);
    CHECK_EQ(arrive(&r, 14), RT_ARRIVAL_DUPLICATE);
    CHECK_EQ(arrive(&r, 8), RT_ARRIVAL_NEW); /* overtaken by the first */
    CHECK_EQ(rt_reception_expected(&r), 7);
    uint64_t extended;
    uint64_t received = r.received;
    CHECK_EQ(rt_reception_sequence(&r, 13, true, &extended), RT_ARRIVAL_NEW); /* a repair mends no report */
    CHECK_EQ(r.received, received);
    CHECK_EQ(rt_reception_sequence(&r, 13, true, &extended), RT_ARRIVAL_DUPLICATE);
    CHECK_EQ(arrive(&r, 13), RT_ARRIVAL_DUPLICATE);
}

/* A.1: a single stray packet changes nothing, two in a row are a sender that starts anew. */
static void test_restart(void)
{
    rt_reception r = {0};
    uint64_t extended, before;
    for (uint16_t i = 0; i < 50; i++)
        arrive(&r, i);
    CHECK_EQ(arrive(&r, 30000), RT_ARRIVAL_JUMP);
    CHECK_EQ(arrive(&r, 50), RT_ARRIVAL_NEW);
    CHECK_EQ(arrive(&r, 30001), RT_ARRIVAL_JUMP); /* the probation is over: it begins again */
    CHECK_EQ(arrive(&r, 40000), RT_ARRIVAL_JUMP);
    before = r.highest;
    CHECK_EQ(rt_reception_sequence(&r, 40001, false, &extended), RT_ARRIVAL_RESTART);
    CHECK(extended > before);
    CHECK_EQ((uint16_t)extended, 40001);
    CHECK_EQ(arrive(&r, 40000), RT_ARRIVAL_NEW);
    CHECK_EQ(arrive(&r, 40002), RT_ARRIVAL_NEW);
    CHECK_EQ(rt_reception_lost(&r), 0);
    CHECK_EQ(arrive(&r, 40002 - 20000), RT_ARRIVAL_JUMP); /* backwards: the same */
    CHECK_EQ(rt_reception_sequence(&r, 40002 - 19999, true, &extended), RT_ARRIVAL_JUMP);
    CHECK_EQ(rt_reception_sequence(&r, 40002 - 19998, false, &extended), RT_ARRIVAL_RESTART); /* with one lost */
}

/* A.8 by hand: J += (|D| - J) / 16. */
static void test_jitter(void)
{
    rt_reception r = {0};
    rt_random random;
    rt_random_init_number(&random, 3);
    double jitter = 0, last = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t extended;
        CHECK_EQ(rt_reception_sequence(&r, (uint16_t)i, false, &extended), RT_ARRIVAL_NEW);
        uint32_t late = rt_random_below(&random, 40); /* in units of 8 kHz */
        rt_time now = RT_US(125) * (rt_time)(i * 160 + late);
        rt_reception_time(&r, extended, i * 160, 8000, now);
        if (i)
            jitter += (fabs((double)late - last) - jitter) / 16;
        last = late;
    }
    CHECK(fabs(jitter - (r.jitter >> 4)) < 2);
    CHECK(r.jitter >> 4 > 8);

    rt_reception paced = {0}; /* packets of one frame over 30 ms: no jitter */
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t extended;
        rt_reception_sequence(&paced, (uint16_t)i, false, &extended);
        rt_reception_time(&paced, extended, i / 10 * 3000, 90000,
                          (rt_time)(i / 10) * RT_SECONDS(1) / 30 + RT_MS(i % 10 * 3));
    }
    CHECK(paced.jitter >> 4 <= 1);
}

static void test_sender_report(void)
{
    rt_reception r = {0};
    rt_rtcp_block block;
    arrive(&r, 1);
    rt_reception_sender_report(&r, 0xABCD1234, RT_SECONDS(10));
    CHECK(rt_reception_report(&r, 1, &block, RT_SECONDS(10) + RT_MS(500)));
    CHECK_EQ(block.last_sr, 0xABCD1234);
    CHECK_EQ(block.delay, 32768);
    CHECK(rt_reception_report(&r, 1, &block, RT_SECONDS(100000)));
    CHECK_EQ(block.delay, UINT32_MAX);
}

int main(int argc, char **argv)
{
    RUN(test_numbers_go_round);
    RUN(test_loss);
    RUN(test_late_and_duplicate);
    RUN(test_restart);
    RUN(test_jitter);
    RUN(test_sender_report);
    CHECK_MAIN_END;
}
