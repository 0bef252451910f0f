/* The association's life: RFC 9260 sections 5 (begin), 8 (failure) and 9 (end), RFC 9653. */
#include "sctp_pair.h"

static sctp_pair pair;

static void begin(void)
{
    sctp_pair_init(&pair);
    sctp_pair_start(&pair);
}

static void exchange(void)
{
    for (int side = 0; side < 2; side++) {
        uint64_t before = pair.messages[1 - side];
        CHECK_EQ(sctp_pair_send(&pair, side, 3, 5000), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(5));
        CHECK_EQ(pair.messages[1 - side], before + 1);
    }
    CHECK_EQ(pair.checked[0], pair.messages[0]);
    CHECK_EQ(pair.checked[1], pair.messages[1]);
}

static void one_side_connects(void)
{
    begin();
    sctp_pair_connect(&pair, 0);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CONNECTED], 1);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_CONNECTED], 1);
    CHECK_EQ(rt_sctp_streams_out(pair.end[0]), 65535);
    exchange();
    sctp_pair_free(&pair);
}

/* Section 5.2.1: INITs cross. */
static void both_sides_connect(void)
{
    begin();
    sctp_pair_connect(&pair, 2);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CONNECTED], 1);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_CONNECTED], 1);
    exchange();
    sctp_pair_free(&pair);
}

static void second_connects_later(void)
{
    for (int ms = 1; ms < 60; ms += 3) {
        begin();
        CHECK_EQ(rt_sctp_connect(pair.end[0], pair.now), RT_OK);
        sctp_pair_run(&pair, RT_MS(ms));
        sctp_pair_connect(&pair, 1);
        sctp_pair_run(&pair, RT_SECONDS(1));
        CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CONNECTED], 1);
        CHECK_EQ(pair.events[1][RT_SCTP_EVENT_CONNECTED], 1);
        exchange();
        sctp_pair_free(&pair);
    }
}

static uint8_t lost_type;

static bool drop_first_of_type(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    (void)from;
    return p->drops == 0 && sctp_find_chunk(packet, lost_type, &chunk) && ++p->drops;
}

static void every_lost_step_is_repeated(void)
{
    static const uint8_t steps[] = {RT_SCTP_INIT, RT_SCTP_INIT_ACK, RT_SCTP_COOKIE_ECHO, RT_SCTP_COOKIE_ACK};
    for (int i = 0; i < 4; i++) {
        for (int side = 0; side < 3; side += 2) {
            begin();
            lost_type = steps[i];
            pair.filter = drop_first_of_type;
            rt_time start = pair.now;
            sctp_pair_connect(&pair, side);
            CHECK_EQ(pair.drops, 1);
            CHECK(side == 2 || pair.now - start >= RT_MS(500));
            CHECK(pair.now - start < RT_MS(700));
            pair.filter = NULL;
            exchange();
            sctp_pair_free(&pair);
        }
    }
}

static bool drop_all(sctp_pair *p, int from, rt_span packet)
{
    (void)from, (void)packet;
    p->drops++;
    return true;
}

static void nobody_answers(void)
{
    begin();
    pair.filter = drop_all;
    CHECK_EQ(rt_sctp_connect(pair.end[0], pair.now), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(600));
    CHECK_EQ(pair.drops, 9); /* 1 + max_init_retransmits */
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CLOSED], 1);
    CHECK_EQ(pair.last[0].error, 0xffff);
    CHECK_EQ(rt_sctp_connect(pair.end[0], pair.now), RT_CLOSED);
    CHECK_EQ(sctp_pair_send(&pair, 0, 0, 1), RT_CLOSED);
    sctp_pair_free(&pair);
}

/* Section 5.1.3: an INIT leaves no state, and its answer is not much larger. */
static size_t init_size, init_ack_size;

static bool measure_inits(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    if (sctp_find_chunk(packet, RT_SCTP_INIT, &chunk))
        init_size = packet.size;
    if (sctp_find_chunk(packet, RT_SCTP_INIT_ACK, &chunk))
        init_ack_size = packet.size;
    (void)from;
    return p->drops > 0 && sctp_find_chunk(packet, RT_SCTP_INIT_ACK, &chunk);
}

static void init_costs_no_state(void)
{
    begin();
    pair.filter = measure_inits;
    pair.drops = 1;
    CHECK_EQ(rt_sctp_connect(pair.end[0], pair.now), RT_OK);
    sctp_pair_run(&pair, RT_MS(100));
    CHECK_EQ(rt_sctp_get_state(pair.end[1]), RT_SCTP_CLOSED);
    CHECK_EQ(rt_sctp_deadline(pair.end[1]), RT_NEVER);
    CHECK(init_ack_size <= init_size + 72);
    sctp_pair_free(&pair);
}

/* RFC 9653: neither INIT nor COOKIE ECHO goes without a checksum; afterwards all do, if the peer said so. */
static int with_checksum, without_checksum;

static bool watch_checksums(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    (void)p, (void)from;
    if (rt_load32(packet.data + 8) == 0) {
        without_checksum++;
        CHECK(!sctp_find_chunk(packet, RT_SCTP_INIT, &chunk));
        CHECK(!sctp_find_chunk(packet, RT_SCTP_COOKIE_ECHO, &chunk));
    } else {
        with_checksum++;
        CHECK(rt_sctp_checksum_ok(packet));
    }
    return false;
}

static void zero_checksum_needs_both(void)
{
    for (int offered = 0; offered < 2; offered++) {
        sctp_pair_init(&pair);
        pair.config[1].zero_checksum = offered;
        sctp_pair_start(&pair);
        pair.filter = watch_checksums;
        sctp_pair_connect(&pair, 0);
        with_checksum = without_checksum = 0;
        uint64_t before = pair.messages[1];
        CHECK_EQ(sctp_pair_send(&pair, 0, 0, 50000), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(1));
        CHECK_EQ(pair.messages[1], before + 1);
        CHECK(without_checksum > 0);
        /* Side 1 may send zero to side 0, who offered, in either case. */
        CHECK(offered ? with_checksum == 0 : with_checksum >= 45);
        rt_sctp_stats stats;
        rt_sctp_get_stats(pair.end[0], &stats);
        CHECK_EQ(stats.zero_checksum_out, offered);
        sctp_pair_free(&pair);
    }
}

static void zero_checksum_unasked_is_dropped(void)
{
    sctp_pair_init(&pair);
    pair.config[0].zero_checksum = false;
    sctp_pair_start(&pair);
    uint8_t packet[16] = {0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 4};
    CHECK_EQ(rt_sctp_receive(pair.end[0], rt_span_of(packet, 16), 0), RT_UNAUTHENTICATED);
    rt_sctp_stats stats;
    rt_sctp_get_stats(pair.end[0], &stats);
    CHECK_EQ(stats.bad_checksum, 1);
    sctp_pair_free(&pair);
}

static void bad_packets_are_counted_and_dropped(void)
{
    begin();
    sctp_pair_connect(&pair, 0);
    uint8_t packet[20] = {0x13, 0x88, 0x13, 0x88, 1, 2, 3, 4, 0, 0, 0, 0, 6, 0, 0, 4};
    CHECK_EQ(rt_sctp_receive(pair.end[0], rt_span_of(packet, 16), pair.now), RT_UNAUTHENTICATED); /* tag */
    packet[0] = 9;
    CHECK_EQ(rt_sctp_receive(pair.end[0], rt_span_of(packet, 16), pair.now), RT_UNEXPECTED); /* port */
    packet[8] = 9;
    CHECK_EQ(rt_sctp_receive(pair.end[0], rt_span_of(packet, 16), pair.now), RT_UNAUTHENTICATED); /* checksum */
    CHECK_EQ(rt_sctp_receive(pair.end[0], rt_span_of(packet, 15), pair.now), RT_MALFORMED);
    rt_sctp_stats stats;
    rt_sctp_get_stats(pair.end[0], &stats);
    CHECK_EQ(stats.bad_tag, 1);
    CHECK_EQ(stats.unexpected, 1);
    CHECK_EQ(stats.bad_checksum, 1);
    CHECK_EQ(stats.malformed, 1);
    exchange();
    sctp_pair_free(&pair);
}

/* A cookie that was changed on its way is no cookie. */
static bool spoil_cookie(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    (void)from;
    if (p->drops == 0 && sctp_find_chunk(packet, RT_SCTP_COOKIE_ECHO, &chunk)) {
        p->drops++;
        uint8_t *data = (uint8_t *)(uintptr_t)packet.data;
        data[(size_t)(chunk.value.data - packet.data) + 30] ^= 1;
        rt_sctp_seal(rt_buffer_of(data, packet.size));
    }
    return false;
}

static void forged_cookie_is_dropped(void)
{
    begin();
    pair.filter = spoil_cookie;
    CHECK_EQ(rt_sctp_connect(pair.end[0], pair.now), RT_OK);
    sctp_pair_run(&pair, RT_MS(200));
    CHECK_EQ(pair.drops, 1);
    CHECK_EQ(rt_sctp_get_state(pair.end[1]), RT_SCTP_CLOSED);
    rt_sctp_stats stats;
    rt_sctp_get_stats(pair.end[1], &stats);
    CHECK_EQ(stats.malformed, 1);
    sctp_pair_run(&pair, RT_SECONDS(1)); /* the next one is good */
    exchange();
    sctp_pair_free(&pair);
}

/* Section 5.2.6: a stale cookie is reported, and the next one asked to live longer. */
static void stale_cookie_is_renewed(void)
{
    sctp_pair_init(&pair);
    pair.config[1].cookie_life = RT_MS(900);
    pair.delay = RT_MS(480);
    sctp_pair_start(&pair);
    CHECK_EQ(rt_sctp_connect(pair.end[0], pair.now), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(20));
    CHECK_EQ(rt_sctp_get_state(pair.end[0]), RT_SCTP_ESTABLISHED);
    CHECK_EQ(rt_sctp_get_state(pair.end[1]), RT_SCTP_ESTABLISHED);
    exchange();
    sctp_pair_free(&pair);
}

/* Section 5.2.4, action A. */
static void restart_begins_anew(void)
{
    begin();
    sctp_pair_connect(&pair, 2);
    exchange();
    CHECK_EQ(sctp_pair_send(&pair, 1, 3, 300000), RT_OK); /* in flight when the peer forgets everything */
    sctp_pair_drain(&pair, 1);
    rt_sctp_free(pair.end[0]);
    pair.end[0] = rt_sctp_new(&pair.config[0]);
    sctp_pair_connect(&pair, 0);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESTARTED], 1);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_CLOSED], 0);
    exchange();
    rt_sctp_stats stats;
    rt_sctp_get_stats(pair.end[1], &stats);
    CHECK_EQ(rt_sctp_send_room(pair.end[1]), pair.config[1].send_buffer - 64);
    sctp_pair_free(&pair);
}

/* An INIT to an open association changes nothing until a cookie proves the restart (section 5.2.2). */
static void init_alone_does_not_restart(void)
{
    begin();
    sctp_pair_connect(&pair, 0);
    rt_sctp *stranger = rt_sctp_new(&pair.config[0]);
    rt_sctp *original = pair.end[0];
    pair.end[0] = stranger;
    CHECK_EQ(rt_sctp_connect(stranger, pair.now), RT_OK);
    sctp_pair_drain(&pair, 0);
    pair.end[0] = original;
    sctp_pair_run(&pair, RT_MS(100));
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESTARTED], 0);
    exchange();
    rt_sctp_free(stranger);
    sctp_pair_free(&pair);
}

/* Section 3.2: unknown chunks by their high bits. */
static void unknown_chunks(void)
{
    begin();
    sctp_pair_connect(&pair, 0);
    static const struct {
        uint8_t type;
        bool goes_on, reported;
    } cases[] = {{0x3f, false, false}, {0x7f, false, true}, {0xbf, true, false}, {0xff, true, true}};
    for (int i = 0; i < 4; i++) {
        /* A copy of a real packet, to know the tag: unknown chunk first, then a heartbeat. */
        rt_batch batch;
        rt_batch_init(&batch, rt_buffer_of(pair.memory, sizeof pair.memory), pair.slots, 64);
        CHECK_EQ(sctp_pair_send(&pair, 0, 0, 10), RT_OK);
        CHECK_EQ(rt_sctp_transmit(pair.end[0], &batch, pair.now), 1);
        uint32_t tag = rt_load32(batch.packets[0].data + 4);
        rt_sctp_receive(pair.end[1], rt_span_of(batch.packets[0].data, batch.packets[0].size), pair.now);
        sctp_pair_run(&pair, RT_SECONDS(1));

        uint8_t packet[64];
        rt_writer w = rt_writer_of(rt_buffer_of(packet, sizeof packet));
        rt_sctp_write_header(&w, 5000, 5000, tag);
        rt_sctp_write_chunk(&w, cases[i].type, 0, rt_span_text("hey"));
        rt_sctp_write_chunk(&w, RT_SCTP_HEARTBEAT, 0, rt_span_text("\0\1\0\4"));
        rt_sctp_receive(pair.end[1], rt_span_of(packet, rt_writer_size(&w)), pair.now);
        rt_batch_init(&batch, rt_buffer_of(pair.memory, sizeof pair.memory), pair.slots, 64);
        rt_sctp_transmit(pair.end[1], &batch, pair.now);
        bool answered = false, reported = false;
        for (uint32_t k = 0; k < batch.count; k++) {
            rt_sctp_chunk chunk;
            rt_span sent = rt_span_of(batch.packets[k].data, batch.packets[k].size);
            answered |= sctp_find_chunk(sent, RT_SCTP_HEARTBEAT_ACK, &chunk);
            reported |= sctp_find_chunk(sent, RT_SCTP_ERROR, &chunk) &&
                        rt_load16(chunk.value.data) == RT_SCTP_CAUSE_UNRECOGNIZED_CHUNK;
        }
        CHECK_EQ(answered, cases[i].goes_on);
        CHECK_EQ(reported, cases[i].reported);
    }
    sctp_pair_free(&pair);
}

/* ---- the end ---- */

static void shutdown_delivers_everything(void)
{
    for (int both = 0; both < 2; both++) {
        begin();
        sctp_pair_connect(&pair, 2);
        for (int i = 0; i < 20; i++)
            CHECK_EQ(sctp_pair_send(&pair, 0, 1, 60000), RT_OK);
        CHECK_EQ(sctp_pair_send(&pair, 1, 1, 100000), RT_OK);
        CHECK_EQ(rt_sctp_shutdown(pair.end[0], pair.now), RT_OK);
        if (both)
            CHECK_EQ(rt_sctp_shutdown(pair.end[1], pair.now), RT_OK);
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 10), RT_CLOSED);
        sctp_pair_run(&pair, RT_SECONDS(5));
        CHECK_EQ(pair.messages[1], 20);
        CHECK_EQ(pair.messages[0], 1);
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(pair.events[i][RT_SCTP_EVENT_CLOSED], 1);
            CHECK_EQ(pair.last[i].error, 0);
            CHECK_EQ(rt_sctp_deadline(pair.end[i]), RT_NEVER);
        }
        sctp_pair_free(&pair);
    }
}

static void every_lost_step_of_the_shutdown(void)
{
    static const uint8_t steps[] = {RT_SCTP_SHUTDOWN, RT_SCTP_SHUTDOWN_ACK, RT_SCTP_SHUTDOWN_COMPLETE};
    for (int i = 0; i < 3; i++) {
        begin();
        sctp_pair_connect(&pair, 2);
        lost_type = steps[i];
        pair.filter = drop_first_of_type;
        CHECK_EQ(rt_sctp_shutdown(pair.end[0], pair.now), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(5));
        CHECK_EQ(pair.drops, 1);
        for (int side = 0; side < 2; side++) {
            CHECK_EQ(pair.events[side][RT_SCTP_EVENT_CLOSED], 1);
            CHECK_EQ(pair.last[side].error, 0);
        }
        sctp_pair_free(&pair);
    }
}

static void shutdown_while_connecting(void)
{
    begin();
    CHECK_EQ(rt_sctp_connect(pair.end[0], pair.now), RT_OK);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 3000), RT_OK);
    CHECK_EQ(rt_sctp_shutdown(pair.end[0], pair.now), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(5));
    CHECK_EQ(pair.messages[1], 1);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CLOSED], 1);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_CLOSED], 1);
    sctp_pair_free(&pair);
}

static void abort_tells_the_peer(void)
{
    begin();
    sctp_pair_connect(&pair, 2);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100000), RT_OK);
    rt_sctp_abort(pair.end[0], rt_span_text("enough"), pair.now);
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 1), RT_CLOSED);
    sctp_pair_run(&pair, RT_SECONDS(1));
    for (int side = 0; side < 2; side++) {
        CHECK_EQ(pair.events[side][RT_SCTP_EVENT_CLOSED], 1);
        CHECK_EQ(pair.last[side].error, RT_SCTP_CAUSE_USER_ABORT);
    }
    sctp_pair_free(&pair);
}

/* ---- failure ---- */

static void dead_peer_is_noticed_by_data(void)
{
    begin();
    sctp_pair_connect(&pair, 2);
    pair.filter = drop_all;
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(3600));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CLOSED], 1);
    CHECK_EQ(pair.last[0].error, 0xffff);
    sctp_pair_free(&pair);
}

static void dead_peer_is_noticed_by_heartbeats(void)
{
    begin();
    sctp_pair_connect(&pair, 2);
    sctp_pair_run(&pair, RT_SECONDS(1000));
    rt_sctp_stats stats;
    rt_sctp_get_stats(pair.end[0], &stats);
    CHECK(stats.packets_sent > 60); /* one heartbeat and one answer in 30 s */
    CHECK(stats.packets_sent < 75);
    CHECK_EQ(stats.timeouts, 0);
    CHECK(stats.smoothed_round_trip == RT_MS(20));
    pair.filter = drop_all;
    sctp_pair_run(&pair, RT_SECONDS(3600));
    for (int side = 0; side < 2; side++) {
        CHECK_EQ(pair.events[side][RT_SCTP_EVENT_CLOSED], 1);
        CHECK_EQ(pair.last[side].error, 0xffff);
    }
    sctp_pair_free(&pair);
}

/* RFC 8899: probes find what passes; when nothing passes any more the size falls back. */
static size_t path_mtu;

static bool drop_large(sctp_pair *p, int from, rt_span packet)
{
    (void)p, (void)from;
    return packet.size > path_mtu;
}

static void path_mtu_is_found(void)
{
    static const size_t paths[] = {1163, 1200, 1380, 1463};
    for (int i = 0; i < 4; i++) {
        sctp_pair_init(&pair);
        pair.config[0].max_mtu = 1463;
        path_mtu = paths[i];
        pair.filter = drop_large;
        sctp_pair_start(&pair);
        sctp_pair_connect(&pair, 0);
        sctp_pair_run(&pair, RT_SECONDS(60));
        rt_sctp_stats stats;
        rt_sctp_get_stats(pair.end[0], &stats);
        CHECK(stats.mtu <= path_mtu);
        CHECK(stats.mtu + 20 > path_mtu);
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 200000), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(1));
        CHECK_EQ(pair.messages[1], 1);
        CHECK_EQ(pair.checked[1], 1);
        sctp_pair_free(&pair);
    }
}

int main(int argc, char **argv)
{
    RUN(one_side_connects);
    RUN(both_sides_connect);
    RUN(second_connects_later);
    RUN(every_lost_step_is_repeated);
    RUN(nobody_answers);
    RUN(init_costs_no_state);
    RUN(zero_checksum_needs_both);
    RUN(zero_checksum_unasked_is_dropped);
    RUN(bad_packets_are_counted_and_dropped);
    RUN(forged_cookie_is_dropped);
    RUN(stale_cookie_is_renewed);
    RUN(restart_begins_anew);
    RUN(init_alone_does_not_restart);
    RUN(unknown_chunks);
    RUN(shutdown_delivers_everything);
    RUN(every_lost_step_of_the_shutdown);
    RUN(shutdown_while_connecting);
    RUN(abort_tells_the_peer);
    RUN(dead_peer_is_noticed_by_data);
    RUN(dead_peer_is_noticed_by_heartbeats);
    RUN(path_mtu_is_found);
    CHECK_MAIN_END;
}
