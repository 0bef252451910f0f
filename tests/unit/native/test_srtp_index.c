/* Which packets of a stream may leave (proto/srtp_index.h). What libsrtp lets pass is compared in test_srtp.py. */
#include "check.h"
#include "proto/srtp_index.h"

enum { WINDOW = 128 };

static rt_status use(rt_srtp_index *index, uint16_t sequence, uint64_t *out, bool *old)
{
    rt_status status = rt_srtp_index_claim(index, sequence, out, old);
    if (status == RT_OK)
        rt_srtp_index_note(index, *out);
    return status;
}

static void test_every_index_once(void)
{
    uint64_t sent[WINDOW / 64] = {0}, out;
    rt_srtp_index index = {.sent = sent, .window = WINDOW};
    bool old;
    for (uint64_t i = 60000; i < 200000; i++) {
        CHECK_EQ(use(&index, (uint16_t)i, &out, &old), RT_OK);
        CHECK_EQ(out, i);
        CHECK_EQ(use(&index, (uint16_t)i, &out, &old), RT_REPLAYED);
        CHECK(!old);
    }
    CHECK_EQ(use(&index, (uint16_t)(199999 - WINDOW + 1), &out, &old), RT_REPLAYED);
    CHECK(!old);
    CHECK_EQ(use(&index, (uint16_t)(199999 - WINDOW), &out, &old), RT_REPLAYED);
    CHECK(old);
}

static void test_gaps_can_be_filled_once(void)
{
    uint64_t sent[WINDOW / 64] = {0}, out;
    rt_srtp_index index = {.sent = sent, .window = WINDOW};
    bool old;
    for (uint32_t base = 0; base < 300000; base += 1000) { /* each jump clears what the places were before */
        CHECK_EQ(use(&index, (uint16_t)(base + 100), &out, &old), RT_OK);
        CHECK_EQ(out, base + 100);
        for (uint32_t i = 0; i < 100; i++)
            CHECK_EQ(use(&index, (uint16_t)(base + i), &out, &old), RT_OK);
        for (uint32_t i = 0; i <= 100; i++)
            CHECK_EQ(use(&index, (uint16_t)(base + i), &out, &old), RT_REPLAYED);
    }
}

static void test_nothing_is_before_the_first_counter(void)
{
    uint64_t sent[WINDOW / 64] = {0}, out;
    rt_srtp_index index = {.sent = sent, .window = WINDOW};
    bool old;
    CHECK_EQ(use(&index, 5, &out, &old), RT_OK);
    CHECK_EQ(use(&index, 65530, &out, &old), RT_OK);
    CHECK_EQ(out, 65530);
    CHECK_EQ(use(&index, 4, &out, &old), RT_OK);
    CHECK_EQ(out, 65540);
    CHECK_EQ(use(&index, 65531, &out, &old), RT_OK); /* late: of the counter before */
    CHECK_EQ(out, 65531);
}

static void test_repeats_within_the_window(void)
{
    rt_srtp_index index = {.window = WINDOW, .repeats = true};
    uint64_t out;
    bool old;
    for (uint16_t i = 1000; i < 2000; i++)
        CHECK_EQ(use(&index, i, &out, &old), RT_OK);
    CHECK_EQ(use(&index, 2000 - WINDOW, &out, &old), RT_OK);
    CHECK_EQ(use(&index, 2000 - WINDOW - 1, &out, &old), RT_REPLAYED);
    CHECK(old);
    CHECK_EQ(index.highest, 1999);
}

static void test_the_end_of_all_indices(void)
{
    rt_srtp_index index = {.window = WINDOW, .repeats = true, .started = true, .highest = ((uint64_t)1 << 48) - 2};
    uint64_t out;
    bool old;
    CHECK_EQ(use(&index, 65535, &out, &old), RT_OK);
    CHECK_EQ(use(&index, 0, &out, &old), RT_CLOSED);
    CHECK_EQ(use(&index, 65535, &out, &old), RT_OK); /* what may be repeated still may */
}

int main(int argc, char **argv)
{
    RUN(test_every_index_once);
    RUN(test_gaps_can_be_filled_once);
    RUN(test_nothing_is_before_the_first_counter);
    RUN(test_repeats_within_the_window);
    RUN(test_the_end_of_all_indices);
    CHECK_MAIN_END;
}
