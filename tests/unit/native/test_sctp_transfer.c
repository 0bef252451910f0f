/* Moving messages through an association: order, sizes, bundling, windows, losses, timers. */
#include "sctp_pair.h"

static sctp_pair pair;

static void begin(void)
{
    sctp_pair_init(&pair);
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
}

static void messages_of_all_sizes_arrive_in_order(void)
{
    static const size_t sizes[] = {1, 2, 3, 100, 1131, 1132, 1133, 2264, 16384, 65536, 262144, 1 << 20};
    begin();
    for (size_t i = 0; i < 12; i++) {
        CHECK_EQ(sctp_pair_send(&pair, 0, 5, sizes[i]), RT_OK);
        uint64_t before = pair.messages[1];
        sctp_pair_run(&pair, RT_SECONDS(2));
        CHECK_EQ(pair.messages[1], before + 1);
        CHECK_EQ(pair.last_size[1], sizes[i]);
        CHECK_EQ(pair.last_stream[1], 5);
    }
    CHECK_EQ(pair.checked[1], 12);
    rt_sctp_stats stats;
    rt_sctp_get_stats(pair.end[0], &stats);
    CHECK_EQ(stats.chunks_retransmitted, 0);
    CHECK_EQ(stats.timeouts, 0);
    CHECK_EQ(stats.bytes_in_flight, 0);
    rt_sctp_get_stats(pair.end[1], &stats);
    CHECK_EQ(stats.receive_buffered, 0);
    sctp_pair_free(&pair);
}

int main(int argc, char **argv)
{
    RUN(messages_of_all_sizes_arrive_in_order);
    CHECK_MAIN_END;
}
