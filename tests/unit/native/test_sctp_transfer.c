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

static rt_sctp_stats stats_of(int side)
{
    rt_sctp_stats stats;
    rt_sctp_get_stats(pair.end[side], &stats);
    return stats;
}

/* ---- packets ---- */

static size_t full_packets, data_packets, chunks_in_packet;

static bool watch_packets(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    rt_reader r = rt_reader_of(packet);
    rt_sctp_header header;
    (void)p;
    CHECK(packet.size <= 1163);
    if (from != 0 || !rt_sctp_read_header(&r, &header))
        return false;
    size_t chunks = 0;
    while (rt_sctp_next_chunk(&r, &chunk))
        chunks += chunk.type == RT_SCTP_DATA || chunk.type == RT_SCTP_I_DATA;
    if (chunks > chunks_in_packet)
        chunks_in_packet = chunks;
    data_packets += chunks > 0;
    full_packets += packet.size == 1160;
    return false;
}

/* RFC 9260 section 6.10, and what GSO wants: packets of one size. */
static void small_messages_share_packets(void)
{
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        sctp_pair_init(&pair);
        pair.config[0].interleaving = interleaving;
        sctp_pair_start(&pair);
        sctp_pair_connect(&pair, 2);
        CHECK_EQ(stats_of(0).interleaving, interleaving);
        pair.filter = watch_packets;
        data_packets = full_packets = chunks_in_packet = 0;
        for (int i = 0; i < 900; i++)
            CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(2));
        CHECK_EQ(pair.messages[1], 900);
        CHECK_EQ(pair.checked[1], 900);
        CHECK_EQ(chunks_in_packet, 9);
        CHECK_EQ(data_packets, 100);
        sctp_pair_free(&pair);
    }
}

static void long_messages_fill_packets(void)
{
    begin();
    pair.filter = watch_packets;
    data_packets = full_packets = 0;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 16384), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(2));
    CHECK_EQ(pair.checked[1], 20);
    CHECK(full_packets + 10 >= data_packets);
    sctp_pair_free(&pair);
}

/* Section 6.2: every second packet is acknowledged at once, a lone one after a while. */
static size_t sacks;

static bool count_sacks(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    (void)p;
    sacks += from == 1 && sctp_find_chunk(packet, RT_SCTP_SACK, &chunk);
    return false;
}

static void small_bursts_are_acknowledged_every_second_packet(void)
{
    begin();
    pair.filter = count_sacks;
    sacks = 0;
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 10000), RT_OK); /* 9 packets, fits the initial window: one burst */
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(sacks, 5);
    rt_time start = pair.now;
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100), RT_OK);
    while (sacks < 6)
        CHECK(sctp_pair_step(&pair, RT_NEVER - 1));
    CHECK_EQ(pair.now - start, pair.delay + RT_MS(20));
    sctp_pair_free(&pair);
}

static void large_bursts_are_acknowledged_once(void)
{
    begin();
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 1000000), RT_OK); /* the window grows */
    sctp_pair_run(&pair, RT_SECONDS(1));
    pair.filter = count_sacks;
    sacks = 0;
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 60000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.messages[1], 2);
    CHECK_EQ(sacks, 1);
    sctp_pair_free(&pair);
}

/* ---- order and interleaving ---- */

static void streams_do_not_wait_for_each_other(void)
{
    begin();
    for (uint16_t stream = 0; stream < 1000; stream++)
        CHECK_EQ(sctp_pair_send(&pair, 0, (uint16_t)(stream * 65), 50), RT_OK);
    CHECK_EQ(sctp_pair_send(&pair, 0, 65534, 5), RT_OK);
    CHECK_EQ(sctp_pair_send(&pair, 0, 65535, 5), RT_INVALID);
    CHECK_EQ(sctp_pair_send(&pair, 0, 0, 0), RT_INVALID);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.messages[1], 1001);
    CHECK_EQ(pair.checked[1], 1001);
    sctp_pair_free(&pair);
}

/* RFC 8260: a small message overtakes a large one on another stream if, and only if, both sides interleave. */
static void small_overtakes_large(void)
{
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        sctp_pair_init(&pair);
        pair.config[1].interleaving = interleaving;
        sctp_pair_start(&pair);
        sctp_pair_connect(&pair, 2);
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 1000000), RT_OK);
        sctp_pair_run(&pair, RT_MS(50));
        CHECK_EQ(sctp_pair_send(&pair, 0, 2, 100), RT_OK);
        while (pair.messages[1] == 0)
            CHECK(sctp_pair_step(&pair, RT_NEVER - 1));
        CHECK_EQ(pair.bytes[1] < 1000000, interleaving);
        sctp_pair_run(&pair, RT_SECONDS(5));
        CHECK_EQ(pair.checked[1], 2);
        sctp_pair_free(&pair);
    }
}

/* RFC 8831 section 6.4: twice the priority, twice the share. */
static void priorities_share_the_association(void)
{
    sctp_pair_init(&pair);
    pair.delay = RT_MS(50);
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
    rt_sctp_set_priority(pair.end[0], 1, 128);
    rt_sctp_set_priority(pair.end[0], 2, 512);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 20000), RT_OK);
        CHECK_EQ(sctp_pair_send(&pair, 0, 2, 20000), RT_OK);
    }
    while (rt_sctp_buffered(pair.end[0], 2) > 1000000)
        CHECK(sctp_pair_step(&pair, RT_NEVER - 1));
    double first = 2000000.0 - rt_sctp_buffered(pair.end[0], 1);
    double second = 2000000.0 - rt_sctp_buffered(pair.end[0], 2);
    CHECK(second / first > 3.7 && second / first < 4.3);
    sctp_pair_run(&pair, RT_SECONDS(20));
    CHECK_EQ(pair.checked[1], 200);
    sctp_pair_free(&pair);
}

/* ---- windows and events ---- */

static void slow_reader_slows_the_sender(void)
{
    sctp_pair_init(&pair);
    pair.config[1].receive_buffer = 100000;
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
    pair.hold[1] = true;
    for (int i = 0; i < 50; i++)
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 10000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(100));
    CHECK(pair.messages[1] >= 8 && pair.messages[1] <= 10);
    CHECK(stats_of(1).receive_buffered <= 110000);
    CHECK(stats_of(0).unsent >= 390000);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CLOSED], 0);
    uint64_t timeouts = stats_of(0).timeouts;
    while (pair.messages[1] < 50) {
        uint64_t before = pair.messages[1];
        sctp_pair_release(&pair, 1, 5);
        sctp_pair_run(&pair, RT_SECONDS(3));
        CHECK(pair.messages[1] > before || pair.held[1]);
    }
    CHECK_EQ(pair.checked[1], 50);
    (void)timeouts;
    sctp_pair_free(&pair);
}

/* A reader that takes nothing for an hour does not end the association: closed windows are probed for ever. */
static void closed_window_is_no_failure(void)
{
    sctp_pair_init(&pair);
    pair.config[1].receive_buffer = 50000;
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
    pair.hold[1] = true;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 20000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(7200));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CLOSED], 0);
    pair.hold[1] = false;
    sctp_pair_release(&pair, 1, 100);
    sctp_pair_run(&pair, RT_SECONDS(300));
    CHECK_EQ(pair.checked[1], 10);
    sctp_pair_free(&pair);
}

static bool drop_updates(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    return p->drops && from == 1 && sctp_find_chunk(packet, RT_SCTP_SACK, &chunk) && p->drops--;
}

static void lost_window_update_is_found_by_probing(void)
{
    sctp_pair_init(&pair);
    pair.config[1].receive_buffer = 50000;
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
    pair.hold[1] = true;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 20000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(3));
    pair.filter = drop_updates;
    pair.drops = 1;
    pair.hold[1] = false;
    sctp_pair_release(&pair, 1, 100);
    sctp_pair_run(&pair, RT_SECONDS(30));
    CHECK_EQ(pair.drops, 0);
    CHECK_EQ(pair.checked[1], 10);
    sctp_pair_free(&pair);
}

static void send_buffer_is_bounded(void)
{
    sctp_pair_init(&pair);
    pair.config[0].send_buffer = 100000;
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 300000), RT_OK); /* an empty buffer takes any message */
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 1), RT_AGAIN);
    CHECK_EQ(rt_sctp_send_room(pair.end[0]), 0);
    sctp_pair_run(&pair, RT_SECONDS(3));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_SEND_ROOM], 1);
    int accepted = 0;
    while (sctp_pair_send(&pair, 0, 1, 1000) == RT_OK)
        accepted++;
    CHECK(accepted >= 90 && accepted <= 100);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_SEND_ROOM], 1);
    sctp_pair_run(&pair, RT_SECONDS(3));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_SEND_ROOM], 2);
    CHECK_EQ(rt_sctp_send_room(pair.end[0]), 100000 - 64);
    sctp_pair_free(&pair);
}

static void buffered_amount_and_its_event(void)
{
    begin();
    rt_sctp_set_buffered_low(pair.end[0], 1, 50000);
    CHECK_EQ(rt_sctp_buffered(pair.end[0], 1), 0);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100000), RT_OK);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100000), RT_OK);
    CHECK_EQ(rt_sctp_buffered(pair.end[0], 1), 200000);
    while (!pair.events[0][RT_SCTP_EVENT_BUFFERED_LOW]) {
        CHECK(rt_sctp_buffered(pair.end[0], 1) > 50000);
        CHECK(sctp_pair_step(&pair, RT_NEVER - 1));
    }
    CHECK(rt_sctp_buffered(pair.end[0], 1) <= 50000);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_BUFFERED_LOW], 1);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 50000), RT_OK); /* not above the threshold: no falling to it */
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_BUFFERED_LOW], 1);
    sctp_pair_free(&pair);
}

static void too_large_messages(void)
{
    sctp_pair_init(&pair);
    pair.config[1].max_message_size = 50000;
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
    rt_sctp_set_remote_max_message_size(pair.end[0], 60000);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 60001), RT_TOO_LARGE);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 50000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.checked[1], 1);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 50001), RT_OK); /* more than was agreed */
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.last[1].error, RT_SCTP_CAUSE_PROTOCOL_VIOLATION);
    CHECK_EQ(pair.last[0].error, RT_SCTP_CAUSE_PROTOCOL_VIOLATION);
    sctp_pair_free(&pair);
}

/* ---- losses ---- */

static uint32_t victim; /* the victim-th data packet of side 0 is lost, and `victims` - 1 after it */
static int victims, seen;

static bool drop_victim(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    if (from != 0 ||
        !(sctp_find_chunk(packet, RT_SCTP_I_DATA, &chunk) || sctp_find_chunk(packet, RT_SCTP_DATA, &chunk)))
        return false;
    seen++;
    if (seen >= (int)victim && seen < (int)victim + victims) {
        p->drops++;
        return true;
    }
    return false;
}

static void lose(uint32_t first, int count)
{
    pair.filter = drop_victim;
    victim = first;
    victims = count;
    seen = 0;
    pair.drops = 0;
}

/* RFC 8985: a loss in the middle costs one round trip and no timeout. */
static void loss_is_repaired_in_a_round_trip(void)
{
    begin();
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 10000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(1));
    lose(3, 1);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 12000), RT_OK);
    rt_time start = pair.now;
    while (pair.messages[1] < 2)
        CHECK(sctp_pair_step(&pair, RT_NEVER - 1));
    CHECK_EQ(pair.drops, 1);
    CHECK(pair.now - start < RT_MS(40)); /* 1.5 round trips of 20 ms, and the reordering window */
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(stats_of(0).chunks_retransmitted, 1);
    CHECK_EQ(stats_of(0).timeouts, 0);
    CHECK_EQ(stats_of(0).fast_retransmits, 1);
    sctp_pair_free(&pair);
}

/* RFC 8985 section 7: the last packets of a flight have nobody behind them. */
static void lost_tail_is_probed(void)
{
    for (int count = 1; count <= 4; count++) {
        begin();
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 10000), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(1));
        lose(9 - (uint32_t)count, count);
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 8 * 1128), RT_OK);
        rt_time start = pair.now;
        while (pair.messages[1] < 2)
            CHECK(sctp_pair_step(&pair, RT_NEVER - 1));
        CHECK_EQ(pair.drops, count);
        CHECK(pair.now - start < RT_MS(140));
        CHECK_EQ(stats_of(0).timeouts, 0);
        CHECK_EQ(stats_of(0).tail_probes, 1);
        sctp_pair_free(&pair);
    }
}

/* RFC 9260 section 6.3.3: when nothing helps, T3 with back-off. */
static void silence_is_repaired_by_t3(void)
{
    begin();
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 10000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(1));
    lose(1, 13); /* 8 of the message, the probe, and four repetitions of the first */
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 8 * 1128), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(30));
    CHECK_EQ(pair.drops, 13);
    CHECK_EQ(pair.checked[1], 2);
    CHECK(stats_of(0).timeouts >= 4);
    CHECK_EQ(stats_of(0).bytes_in_flight, 0);
    sctp_pair_free(&pair);
}

static uint32_t percent;
static rt_random dice;

static bool drop_some(sctp_pair *p, int from, rt_span packet)
{
    (void)p, (void)from, (void)packet;
    return rt_random_below(&dice, 100) < percent;
}

static void many_losses_in_both_directions(void)
{
    static const uint32_t rates[] = {1, 5, 15, 30};
    for (int i = 0; i < 4; i++) {
        for (int interleaving = 0; interleaving < 2; interleaving++) {
            sctp_pair_init(&pair);
            pair.config[0].interleaving = interleaving;
            sctp_pair_start(&pair);
            sctp_pair_connect(&pair, 2);
            percent = rates[i];
            rt_random_init_number(&dice, percent);
            pair.filter = drop_some;
            for (int k = 0; k < 60; k++) {
                for (int side = 0; side < 2; side++) {
                    CHECK_EQ(sctp_pair_send(&pair, side, (uint16_t)(k % 7), (size_t)(1 + k * 997)), RT_OK);
                    CHECK_EQ(sctp_pair_send_unordered(&pair, side, (uint16_t)(k % 5), (size_t)(1 + k * 331)), RT_OK);
                }
            }
            sctp_pair_run(&pair, RT_SECONDS(600));
            for (int side = 0; side < 2; side++) {
                CHECK_EQ(pair.checked[side], 120);
                CHECK_EQ(pair.messages[side], 120);
                CHECK_EQ(stats_of(side).receive_buffered, 0);
                CHECK_EQ(rt_sctp_send_room(pair.end[side]), (4 << 20) - 64);
            }
            sctp_pair_free(&pair);
        }
    }
}

/* Packets that come twice are reported and do no harm. */
static void duplicates_are_counted(void)
{
    begin();
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 3000), RT_OK);
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(pair.memory, sizeof pair.memory), pair.slots, 64);
    rt_sctp_transmit(pair.end[0], &batch, pair.now);
    for (int twice = 0; twice < 2; twice++) {
        for (uint32_t k = 0; k < batch.count; k++)
            CHECK_EQ(rt_sctp_receive(pair.end[1], rt_span_of(batch.packets[k].data, batch.packets[k].size), pair.now),
                     RT_OK);
    }
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.messages[1], 1);
    CHECK_EQ(stats_of(1).duplicate_chunks, 3);
    CHECK_EQ(stats_of(0).chunks_retransmitted, 0);
    sctp_pair_free(&pair);
}

/* ---- partial reliability: RFC 3758, 7496 ---- */

static rt_status send_partial(int side, uint16_t stream, size_t size, int32_t retransmits, rt_time lifetime,
                              bool unordered)
{
    static uint8_t data[200000];
    for (size_t k = 0; k < size; k++)
        data[k] = (uint8_t)(7 + k);
    rt_sctp_send_info info = {
        .protocol = 53, .stream = stream, .unordered = unordered, .max_retransmits = retransmits, .lifetime = lifetime};
    return rt_sctp_send(pair.end[side], &info, rt_span_of(data, size), pair.now);
}

static void begin_partial(int interleaving)
{
    sctp_pair_init(&pair);
    pair.config[0].interleaving = interleaving;
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
    CHECK_EQ(sctp_pair_send(&pair, 0, 9, 10000), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(1));
}

static void without_retransmission_a_lost_message_is_skipped(void)
{
    for (int mode = 0; mode < 4; mode++) {
        begin_partial(mode & 1);
        lose(2, 1);
        for (int i = 0; i < 5; i++)
            CHECK_EQ(send_partial(0, 1, 1100, 0, RT_NEVER, mode & 2), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(2));
        CHECK_EQ(pair.drops, 1);
        CHECK_EQ(pair.messages[1], 1 + 4);
        CHECK_EQ(pair.checked[1], 1 + 4);
        CHECK_EQ(pair.events[0][RT_SCTP_EVENT_ABANDONED], 1);
        CHECK_EQ(stats_of(0).chunks_retransmitted, stats_of(0).tail_probes);
        CHECK_EQ(rt_sctp_send_room(pair.end[0]), (4 << 20) - 64);
        CHECK_EQ(stats_of(1).receive_buffered, 0);
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 50), RT_OK); /* the stream goes on */
        sctp_pair_run(&pair, RT_SECONDS(1));
        CHECK_EQ(pair.messages[1], 6);
        sctp_pair_free(&pair);
    }
}

static void fragments_of_an_abandoned_message_are_forgotten(void)
{
    for (int mode = 0; mode < 4; mode++) {
        for (uint32_t lost = 1; lost <= 6; lost++) {
            begin_partial(mode & 1);
            lose(lost, 1);
            CHECK_EQ(send_partial(0, 1, 6000, 0, RT_NEVER, mode & 2), RT_OK);
            CHECK_EQ(send_partial(0, 1, 6000, -1, RT_NEVER, mode & 2), RT_OK);
            sctp_pair_run(&pair, RT_SECONDS(5));
            CHECK_EQ(pair.drops, 1);
            /* A packet in the middle holds pieces of both messages: the second one is always repaired. */
            CHECK(pair.messages[1] >= 2);
            CHECK_EQ(pair.messages[1], pair.checked[1]);
            CHECK_EQ(pair.messages[1] + pair.events[0][RT_SCTP_EVENT_ABANDONED], 3);
            CHECK_EQ(stats_of(1).receive_buffered, 0);
            CHECK_EQ(rt_sctp_send_room(pair.end[0]), (4 << 20) - 64);
            sctp_pair_free(&pair);
        }
    }
}

static bool blackout(sctp_pair *p, int from, rt_span packet)
{
    (void)from, (void)packet;
    return p->drops;
}

static void lifetime_ends_in_the_queue_and_in_flight(void)
{
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        begin_partial(interleaving);
        pair.filter = blackout;
        pair.drops = 1;
        CHECK_EQ(send_partial(0, 1, 150000, -1, RT_MS(300), false), RT_OK); /* sent in part */
        for (int i = 0; i < 10; i++)
            CHECK_EQ(send_partial(0, 1, 50000, -1, RT_MS(300), false), RT_OK); /* never begun */
        rt_sctp_set_buffered_low(pair.end[0], 1, 0);
        sctp_pair_run(&pair, RT_SECONDS(3));
        pair.drops = 0;
        sctp_pair_run(&pair, RT_SECONDS(20));
        CHECK_EQ(pair.messages[1], 1);
        CHECK_EQ(pair.events[0][RT_SCTP_EVENT_ABANDONED], 11);
        CHECK_EQ(stats_of(0).messages_abandoned, 11);
        CHECK(pair.events[0][RT_SCTP_EVENT_BUFFERED_LOW] >= 1);
        CHECK_EQ(rt_sctp_buffered(pair.end[0], 1), 0);
        CHECK_EQ(rt_sctp_send_room(pair.end[0]), (4 << 20) - 64);
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 5000), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(5));
        CHECK_EQ(pair.messages[1], 2);
        CHECK_EQ(stats_of(1).receive_buffered, 0);
        sctp_pair_free(&pair);
    }
}

/* All that was sent of a message is acknowledged when its time is over: the rest must still be skipped. */
static void acknowledged_part_of_an_abandoned_message(void)
{
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        sctp_pair_init(&pair);
        pair.config[0].interleaving = interleaving;
        pair.delay = RT_MS(100);
        sctp_pair_start(&pair);
        sctp_pair_connect(&pair, 2);
        CHECK_EQ(send_partial(0, 1, 190000, -1, RT_MS(150), false), RT_OK); /* needs several windows */
        CHECK_EQ(send_partial(0, 1, 500, -1, RT_NEVER, false), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(10));
        CHECK_EQ(pair.messages[1], 1);
        CHECK_EQ(pair.last_size[1], 500);
        CHECK_EQ(stats_of(1).receive_buffered, 0);
        CHECK_EQ(stats_of(0).bytes_in_flight, 0);
        sctp_pair_free(&pair);
    }
}

int main(int argc, char **argv)
{
    RUN(messages_of_all_sizes_arrive_in_order);
    RUN(small_messages_share_packets);
    RUN(long_messages_fill_packets);
    RUN(small_bursts_are_acknowledged_every_second_packet);
    RUN(large_bursts_are_acknowledged_once);
    RUN(streams_do_not_wait_for_each_other);
    RUN(small_overtakes_large);
    RUN(priorities_share_the_association);
    RUN(slow_reader_slows_the_sender);
    RUN(closed_window_is_no_failure);
    RUN(lost_window_update_is_found_by_probing);
    RUN(send_buffer_is_bounded);
    RUN(buffered_amount_and_its_event);
    RUN(too_large_messages);
    RUN(loss_is_repaired_in_a_round_trip);
    RUN(lost_tail_is_probed);
    RUN(silence_is_repaired_by_t3);
    RUN(many_losses_in_both_directions);
    RUN(duplicates_are_counted);
    RUN(without_retransmission_a_lost_message_is_skipped);
    RUN(fragments_of_an_abandoned_message_are_forgotten);
    RUN(lifetime_ends_in_the_queue_and_in_flight);
    RUN(acknowledged_part_of_an_abandoned_message);
    CHECK_MAIN_END;
}
