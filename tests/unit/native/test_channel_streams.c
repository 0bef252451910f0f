/* proto/channel_streams: the table of streams and the choice of ids. */
#include "check.h"
#include "proto/channel_streams.h"

/* The table never looks into a channel. */
static struct rt_channel *fake(uint32_t n)
{
    return (struct rt_channel *)(uintptr_t)(n + 1);
}

static void test_put_get_remove(void)
{
    rt_channel_streams streams = {0};
    CHECK(rt_channel_streams_get(&streams, 7) == NULL);
    CHECK(!rt_channel_streams_taken(&streams, 65534));
    rt_channel_streams_remove(&streams, 9, false);
    CHECK_EQ(rt_channel_streams_put(&streams, 7, fake(7)), RT_OK);
    CHECK_EQ(rt_channel_streams_put(&streams, 65534, fake(65534)), RT_OK);
    CHECK_EQ(rt_channel_streams_put(&streams, 7, fake(8)), RT_EXISTS);
    CHECK(rt_channel_streams_get(&streams, 7) == fake(7));
    CHECK(rt_channel_streams_get(&streams, 65534) == fake(65534));
    rt_channel_streams_remove(&streams, 7, false);
    CHECK(rt_channel_streams_get(&streams, 7) == NULL);
    CHECK_EQ(rt_channel_streams_put(&streams, 7, fake(8)), RT_OK);
    rt_channel_streams_remove(&streams, 7, true);
    CHECK(rt_channel_streams_get(&streams, 7) == NULL);
    CHECK_EQ(rt_channel_streams_put(&streams, 7, fake(8)), RT_EXISTS);
    rt_channel_streams_free(&streams);
}

static void test_lowest_free_id(void)
{
    rt_channel_streams streams = {0};
    uint16_t id;
    CHECK_EQ(rt_channel_streams_vacant(&streams, false, 65535, &id), RT_OK);
    CHECK_EQ(id, 0);
    CHECK_EQ(rt_channel_streams_vacant(&streams, true, 65535, &id), RT_OK);
    CHECK_EQ(id, 1);
    CHECK_EQ(rt_channel_streams_put(&streams, 1, fake(1)), RT_OK); /* negotiated, say */
    CHECK_EQ(rt_channel_streams_put(&streams, 5, fake(5)), RT_OK);
    static const uint16_t expected[] = {3, 7, 9};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rt_channel_streams_vacant(&streams, true, 65535, &id), RT_OK);
        CHECK_EQ(id, expected[i]);
        CHECK_EQ(rt_channel_streams_put(&streams, id, fake(id)), RT_OK);
    }
    rt_channel_streams_remove(&streams, 5, false);
    CHECK_EQ(rt_channel_streams_vacant(&streams, true, 65535, &id), RT_OK);
    CHECK_EQ(id, 5);
    rt_channel_streams_free(&streams);
}

static void test_all_ids(void)
{
    rt_channel_streams streams = {0};
    uint16_t id;
    for (int odd = 0; odd < 2; odd++) {
        for (uint32_t expected = (uint32_t)odd; expected < 65535; expected += 2) {
            CHECK_EQ(rt_channel_streams_vacant(&streams, odd, 65535, &id), RT_OK);
            CHECK_EQ(id, expected);
            CHECK_EQ(rt_channel_streams_put(&streams, id, fake(id)), RT_OK);
        }
        CHECK_EQ(rt_channel_streams_vacant(&streams, odd, 65535, &id), RT_AGAIN);
    }
    rt_channel_streams_remove(&streams, 40001, false);
    CHECK_EQ(rt_channel_streams_vacant(&streams, false, 65535, &id), RT_AGAIN);
    CHECK_EQ(rt_channel_streams_vacant(&streams, true, 40001, &id), RT_AGAIN);
    CHECK_EQ(rt_channel_streams_vacant(&streams, true, 40002, &id), RT_OK);
    CHECK_EQ(id, 40001);
    rt_channel_streams_free(&streams);
}

int main(int argc, char **argv)
{
    RUN(test_put_get_remove);
    RUN(test_lowest_free_id);
    RUN(test_all_ids);
    CHECK_MAIN_END;
}
