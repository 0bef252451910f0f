/* What is asked for again, when, how often, and when it is given up. */
#include "proto/nack.h"

#include "base/random.h"
#include "check.h"

enum { FIRST = 70000 };

static size_t due(rt_nack *nack, uint64_t *out, rt_time now)
{
    return rt_nack_due(nack, out, RT_NACK_MAX, now);
}

static void test_asks_by_round_trip(void)
{
    rt_nack nack;
    uint64_t out[RT_NACK_MAX];
    rt_nack_init(&nack);
    rt_nack_set_round_trip(&nack, RT_MS(40));
    rt_time now = RT_SECONDS(1);
    rt_nack_arrived(&nack, FIRST, false, now);
    CHECK_EQ(rt_nack_deadline(&nack), RT_NEVER);
    rt_nack_arrived(&nack, FIRST + 4, false, now);
    CHECK_EQ(nack.count, 3);
    CHECK_EQ(due(&nack, out, now), 0); /* it may only be late */
    rt_time first = rt_nack_deadline(&nack);
    CHECK(first > now && first <= now + RT_MS(20));
    CHECK_EQ(due(&nack, out, first), 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(out[i], FIRST + 1 + i);
    CHECK_EQ(due(&nack, out, first), 0);
    CHECK_EQ(rt_nack_deadline(&nack), first + RT_MS(40));
    rt_nack_arrived(&nack, FIRST + 2, true, first + RT_MS(39));
    CHECK_EQ(due(&nack, out, first + RT_MS(40)), 2);
    CHECK_EQ(out[1], FIRST + 3);
    rt_nack_arrived(&nack, FIRST + 1, true, now);
    rt_nack_arrived(&nack, FIRST + 3, true, now);
    CHECK_EQ(nack.count, 0);
    CHECK_EQ(rt_nack_deadline(&nack), RT_NEVER);
    rt_nack_free(&nack);
}

static void test_gives_up(void)
{
    rt_nack nack;
    uint64_t out[RT_NACK_MAX];
    rt_nack_init(&nack);
    rt_time now = RT_SECONDS(1);
    rt_nack_arrived(&nack, FIRST, false, now);
    rt_nack_arrived(&nack, FIRST + 2, false, now);
    uint32_t asked = 0;
    for (int i = 0; i < 50 && rt_nack_deadline(&nack) != RT_NEVER; i++) {
        now = rt_nack_deadline(&nack);
        asked += (uint32_t)due(&nack, out, now);
    }
    CHECK_EQ(asked, RT_NACK_TRIES);
    CHECK_EQ(nack.given_up, 1);
    CHECK_EQ(nack.asked, RT_NACK_TRIES);
    rt_nack_free(&nack);
}

/* A bit of reordering is not asked for, once it has been seen. */
static void test_reordering(void)
{
    rt_nack nack;
    uint64_t out[RT_NACK_MAX];
    rt_nack_init(&nack);
    rt_time now = RT_SECONDS(1);
    uint64_t sequence = FIRST;
    size_t asked = 0;
    for (int i = 0; i < 100; i++) { /* each tenth comes 12 ms late */
        rt_nack_arrived(&nack, sequence, false, now);
        rt_nack_arrived(&nack, sequence + 2, false, now);
        asked += i > 2 ? due(&nack, out, now + RT_MS(12)) : 0;
        rt_nack_arrived(&nack, sequence + 1, false, now + RT_MS(12));
        sequence += 3;
        now += RT_MS(100);
    }
    CHECK_EQ(asked, 0);
    rt_nack_free(&nack);
}

static void test_bounds(void)
{
    rt_nack nack;
    uint64_t out[RT_NACK_MAX];
    rt_nack_init(&nack);
    rt_time now = RT_SECONDS(1);
    uint64_t sequence = FIRST;
    rt_nack_arrived(&nack, sequence, false, now);
    sequence += 2900;
    rt_nack_arrived(&nack, sequence, false, now);
    CHECK_EQ(nack.count, RT_NACK_MAX);
    CHECK_EQ(due(&nack, out, now + RT_MS(20)), RT_NACK_MAX);
    CHECK_EQ(out[0], sequence - RT_NACK_MAX); /* the newest */
    CHECK_EQ(out[RT_NACK_MAX - 1], sequence - 1);
    for (int i = 0; i < 5000; i++)
        rt_nack_arrived(&nack, sequence += 2, false, now);
    CHECK_EQ(nack.count, RT_NACK_MAX);
    for (int i = 0; i < RT_NACK_AGE + 1; i++)
        rt_nack_arrived(&nack, ++sequence, false, now);
    CHECK_EQ(nack.count, 0);
    CHECK_EQ(rt_nack_deadline(&nack), RT_NEVER);
    rt_nack_arrived(&nack, sequence + 3, false, now);
    rt_nack_restart(&nack, sequence + 100000);
    CHECK_EQ(nack.count, 0);
    rt_nack_arrived(&nack, sequence + 100001, false, now);
    CHECK_EQ(nack.count, 0);
    rt_nack_free(&nack);
}

/* Against a plain list: what is missing is the same after any arrivals. */
static void test_random(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rt_random random;
        rt_random_init_number(&random, seed);
        rt_nack nack;
        rt_nack_init(&nack);
        static bool here[3000];
        memset(here, 0, sizeof here);
        uint64_t highest = 0;
        rt_time now = RT_SECONDS(1);
        for (int i = 0; i < 2000; i++) {
            uint64_t at = highest + 5 > rt_random_below(&random, 40) ? highest + 5 - rt_random_below(&random, 40) : 0;
            if (i == 0)
                at = 0;
            if (at >= 3000)
                break;
            here[at] = true;
            highest = at > highest ? at : highest;
            rt_nack_arrived(&nack, FIRST + at, rt_random_below(&random, 2), now += RT_US(100));
            uint32_t missing = 0;
            for (uint64_t k = 0; k < highest; k++)
                missing += !here[k];
            if (missing != nack.count)
                fprintf(stderr, "seed %d\n", (int)seed);
            CHECK_EQ(nack.count, missing);
        }
        uint64_t out[RT_NACK_MAX];
        size_t count = due(&nack, out, now + RT_SECONDS(1)), at = 0;
        for (uint64_t k = 0; k < highest; k++)
            if (!here[k])
                CHECK_EQ(out[at++], FIRST + k);
        CHECK_EQ(at, count);
        rt_nack_free(&nack);
    }
}

int main(int argc, char **argv)
{
    RUN(test_asks_by_round_trip);
    RUN(test_gives_up);
    RUN(test_reordering);
    RUN(test_bounds);
    RUN(test_random);
    CHECK_MAIN_END;
}
