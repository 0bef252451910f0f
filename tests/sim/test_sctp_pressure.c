/* SCTP under pressure: slow readers, closed windows, floods, packets of attackers. What is bounded stays
 * bounded, nothing is lost that was accepted, and nobody gets back more than he sent. */
#include "sctp_net.h"
#include "wire/sctp.h"
#include "check.h"

static const rt_sctp_send_info RELIABLE = {.protocol = 53, .stream = 2, .max_retransmits = -1, .lifetime = RT_NEVER};

static sctp_net *small_window(uint64_t seed, uint32_t window)
{
    rt_sctp_config config;
    rt_sctp_config_default(&config);
    config.receive_buffer = window;
    config.send_buffer = 256 << 10;
    sctp_net *p = sctp_net_new(seed, &config, &config);
    net_set_both(p->net, 0, 1, &(net_path){.delay = RT_MS(5), .bandwidth = 100e6, .queue = 200000});
    sctp_net_establish(p);
    return p;
}

static uint64_t fill(sctp_net *p, uint64_t number, size_t size)
{
    for (;; number++) {
        sctp_sim_header header = {.stream = 2, .number = number};
        if (rt_sctp_send(p->end[0], &RELIABLE, sctp_sim_make(&header, size), p->now) != RT_OK)
            return number;
    }
}

/* Takes up to `most` messages, checks them, releases them if asked to. Returns their bytes. */
static size_t take(sctp_net *p, uint64_t *next, int most, bool release)
{
    rt_sctp_event event;
    size_t bytes = 0;
    while (most-- > 0 && rt_sctp_event_next(p->end[1], &event)) {
        sctp_sim_header header;
        CHECK_EQ(event.type, RT_SCTP_EVENT_MESSAGE);
        CHECK(sctp_sim_check(rt_span_of(event.message->data, event.message->size), &header));
        CHECK_EQ(header.number, *next);
        (*next)++;
        bytes += event.message->size;
        if (release)
            rt_sctp_release(p->end[1], event.message->size, p->now);
        rt_message_free(event.message);
    }
    return bytes;
}

static void test_slow_reader_slows_the_sender(void)
{
    const uint32_t window = 64 << 10;
    sctp_net *p = small_window(41, window);
    uint64_t sent = 0, next = 0;
    rt_time begin = p->now;
    /* One message of 4 KiB is read every 20 ms: 1.6 Mbit/s of the 100 that the path could carry. */
    while (next < 500) {
        sent = fill(p, sent, 4096);
        sctp_net_run(p, p->now + RT_MS(20));
        CHECK(sctp_net_stats(p, 1).receive_buffered <= window + 2400);
        take(p, &next, 1, true);
        CHECK(sent - next <= (window + (256u << 10)) / 4096 + 3);
    }
    CHECK(p->now - begin < RT_SECONDS(11));
    /* Overhead stays in proportion: no storm of probes or window updates of a few bytes each. */
    CHECK(p->packets_out[0] < 500 * 12);
    CHECK(p->packets_out[1] < 500 * 12);
    sctp_net_free(p);
}

static void test_messages_taken_but_not_released_hold_the_window(void)
{
    const uint32_t window = 64 << 10;
    sctp_net *p = small_window(42, window);
    uint64_t sent = 0, next = 0;
    size_t held = 0;
    for (int i = 0; i < 100; i++) {
        sent = fill(p, sent, 4096);
        sctp_net_run(p, p->now + RT_MS(20));
        held += take(p, &next, 1000, false);
    }
    CHECK(held <= window + 2400);
    CHECK(held >= window / 2);
    rt_sctp_release(p->end[1], held, p->now);
    for (int i = 0; i < 200 && next < sent; i++) {
        sctp_net_run(p, p->now + RT_MS(20));
        take(p, &next, 1000, true);
    }
    CHECK_EQ(next, sent);
    sctp_net_free(p);
}

static void test_zero_window_is_probed_and_opens(void)
{
    /* The reader stops for ten minutes. The association lives, probes rarely, and goes on at once when the
     * window opens, even if the packet that said so is lost. */
    for (int lose_update = 0; lose_update < 2; lose_update++) {
        sctp_net *p = small_window(43, 32 << 10);
        uint64_t sent = fill(p, 0, 4096), next = 0;
        sctp_net_run(p, p->now + RT_SECONDS(2));
        CHECK(sctp_net_stats(p, 0).peer_window < 4096);
        uint64_t before = p->packets_out[0];
        sctp_net_run(p, p->now + RT_SECONDS(600));
        CHECK_EQ(rt_sctp_get_state(p->end[0]), RT_SCTP_ESTABLISHED);
        CHECK_EQ(rt_sctp_get_state(p->end[1]), RT_SCTP_ESTABLISHED);
        uint64_t probes = p->packets_out[0] - before;
        CHECK(probes >= 5 && probes < 200);
        CHECK(sctp_net_stats(p, 1).receive_buffered <= (32u << 10) + 2400);

        rt_time opened = p->now;
        if (lose_update) {
            net_path *back = net_path_of(p->net, 1, 0);
            back->down_from = p->now;
            back->down_until = p->now + RT_MS(1);
        }
        while (next < sent) {
            take(p, &next, 1000, true);
            CHECK(sctp_net_step(p, opened + RT_SECONDS(130)));
        }
        CHECK(lose_update || p->now - opened < RT_SECONDS(1));
        sctp_net_free(p);
    }
}

static void test_send_buffer_is_bounded_and_says_when_there_is_room(void)
{
    sctp_net *p = small_window(44, 4 << 20);
    rt_sctp_event event;
    uint64_t next = 0;
    bool room = false;
    CHECK(rt_sctp_send_room(p->end[0]) > 255 << 10 && rt_sctp_send_room(p->end[0]) <= 256 << 10);
    uint64_t sent = fill(p, 0, 1000);
    CHECK(sent * 1000 <= 256 << 10 && sent * 1000 > 240 << 10); /* messages have a cost of their own */
    CHECK(rt_sctp_buffered(p->end[0], 2) == sent * 1000);
    CHECK(!rt_sctp_event_next(p->end[0], &event));
    while (next < sent) {
        CHECK(sctp_net_step(p, p->now + RT_SECONDS(5)));
        take(p, &next, 1000, true);
        while (rt_sctp_event_next(p->end[0], &event)) {
            if (event.type == RT_SCTP_EVENT_BUFFERED_LOW)
                continue;
            CHECK_EQ(event.type, RT_SCTP_EVENT_SEND_ROOM);
            CHECK(rt_sctp_send_room(p->end[0]) >= 128 << 10);
            room = true;
        }
    }
    CHECK(room);
    sctp_net_run(p, p->now + RT_SECONDS(1));
    CHECK(rt_sctp_send_room(p->end[0]) > 255 << 10 && rt_sctp_send_room(p->end[0]) <= 256 << 10);
    CHECK_EQ(rt_sctp_buffered(p->end[0], 2), 0);
    sctp_net_free(p);
}

static void test_buffered_low(void)
{
    sctp_net *p = small_window(45, 4 << 20);
    rt_sctp_event event;
    uint64_t next = 0;
    int low = 0;
    rt_sctp_set_buffered_low(p->end[0], 2, 50000);
    uint64_t sent = fill(p, 0, 1000);
    while (next < sent) {
        CHECK(sctp_net_step(p, p->now + RT_SECONDS(5)));
        take(p, &next, 1000, true);
        while (rt_sctp_event_next(p->end[0], &event)) {
            if (event.type != RT_SCTP_EVENT_BUFFERED_LOW)
                continue;
            CHECK_EQ(event.stream, 2);
            CHECK(rt_sctp_buffered(p->end[0], 2) <= 50000);
            low++;
        }
    }
    CHECK_EQ(low, 1);
    sctp_net_free(p);
}

/* ---- floods ---- */

typedef struct answer {
    uint64_t packets, bytes;
} answer;

static answer drain(sctp_net *p, int end)
{
    answer out = {0};
    for (;;) {
        rt_batch_reset(&p->batch);
        if (rt_sctp_transmit(p->end[end], &p->batch, p->now) == 0)
            return out;
        for (uint32_t i = 0; i < p->batch.count; i++) {
            out.packets++;
            out.bytes += p->batch.packets[i].size;
        }
    }
}

static size_t make_init(uint8_t *memory, size_t room, rt_random *random)
{
    rt_writer w = rt_writer_of(rt_buffer_of(memory, room));
    rt_sctp_init init = {rt_random32(random) | 1, 100000, 100, 100, rt_random32(random), {0}};
    rt_sctp_write_header(&w, 5000, 5000, 0);
    uint8_t *chunk = rt_sctp_open_chunk(&w, RT_SCTP_INIT, 0);
    rt_sctp_write_init(&w, &init);
    rt_sctp_close_chunk(&w, chunk);
    CHECK(rt_writer_ok(&w));
    rt_sctp_seal(rt_buffer_of(memory, rt_writer_size(&w)));
    return rt_writer_size(&w);
}

/* Strangers' INITs make no state, and a burst of them gets a bounded answer: before an association exists,
 * and while one works. */
static void test_flood_of_inits(void)
{
    for (int established = 0; established < 2; established++) {
        sctp_net *p = sctp_net_new(46, NULL, NULL);
        uint8_t packet[200];
        uint64_t in = 0;
        answer total = {0};
        if (established)
            sctp_net_establish(p);
        for (int i = 0; i < 20000; i++) {
            size_t size = make_init(packet, sizeof packet, &p->random[0]);
            in += size;
            (void)rt_sctp_receive(p->end[1], rt_span_of(packet, size), p->now);
            if (i % 100 == 99) { /* a hundred in one burst, then a drain */
                answer one = drain(p, 1);
                total.packets += one.packets;
                total.bytes += one.bytes;
            }
        }
        /* An INIT ACK carries a cookie and is larger than a bare INIT; that there is one for a burst and not
         * for each packet keeps it from amplifying. */
        CHECK(total.packets <= 20000);
        CHECK(total.bytes <= in * 4);
        printf("20,000 INITs%s: %llu bytes in, %llu packets and %llu bytes out\n",
               established ? " while established" : "", (unsigned long long)in, (unsigned long long)total.packets,
               (unsigned long long)total.bytes);
        if (established) {
            uint64_t sent = 0, next = 0;
            while (sent < 10) {
                sctp_sim_header header = {.stream = 2, .number = sent++};
                CHECK_EQ(rt_sctp_send(p->end[0], &RELIABLE, sctp_sim_make(&header, 5000), p->now), RT_OK);
            }
            while (next < 10) {
                CHECK(sctp_net_step(p, p->now + RT_SECONDS(5)));
                take(p, &next, 1000, true);
            }
        }
        sctp_net_free(p);
    }
}

static void test_flood_of_garbage(void)
{
    sctp_net *p = sctp_net_new(47, NULL, NULL);
    uint8_t packet[1200];
    uint64_t in = 0, next = 0;
    answer total = {0};
    sctp_net_establish(p);
    rt_sctp_stats before = sctp_net_stats(p, 1);
    for (int i = 0; i < 50000; i++) {
        size_t size = rt_random_below(&p->random[0], sizeof packet);
        rt_random_fill(&p->random[0], packet, size);
        if (size >= 12 && i % 2) { /* half of them with the right ports and checksum */
            rt_store16(packet, 5000);
            rt_store16(packet + 2, 5000);
            rt_sctp_seal(rt_buffer_of(packet, size));
        }
        in += size;
        (void)rt_sctp_receive(p->end[1], rt_span_of(packet, size), p->now);
        answer one = drain(p, 1);
        total.packets += one.packets;
        total.bytes += one.bytes;
    }
    rt_sctp_stats after = sctp_net_stats(p, 1);
    uint64_t counted =
        after.malformed + after.bad_checksum + after.bad_tag + after.unexpected + after.out_of_window -
        (before.malformed + before.bad_checksum + before.bad_tag + before.unexpected + before.out_of_window);
    CHECK(counted >= 50000);
    CHECK(total.bytes < in / 10);
    sctp_sim_header header = {.stream = 2};
    CHECK_EQ(rt_sctp_send(p->end[0], &RELIABLE, sctp_sim_make(&header, 100), p->now), RT_OK);
    while (next < 1) {
        CHECK(sctp_net_step(p, p->now + RT_SECONDS(5)));
        take(p, &next, 10, true);
    }
    sctp_net_free(p);
}

/* A peer that ignores the window: what it sends beyond is dropped, and memory stays bounded. */
static void test_peer_that_ignores_the_window(void)
{
    rt_sctp_config small, large;
    rt_sctp_config_default(&small);
    rt_sctp_config_default(&large);
    small.receive_buffer = 32 << 10;
    large.zero_checksum = false;
    sctp_net *p = sctp_net_new(48, &large, &small);
    sctp_net_establish(p);
    /* Learn tag and TSN from a packet of the real sender, then send on in its name. */
    sctp_sim_header header = {.stream = 2};
    CHECK_EQ(rt_sctp_send(p->end[0], &RELIABLE, sctp_sim_make(&header, 100), p->now), RT_OK);
    rt_batch_reset(&p->batch);
    CHECK(rt_sctp_transmit(p->end[0], &p->batch, p->now) > 0);
    rt_sctp_header head;
    rt_sctp_chunk chunk;
    rt_sctp_data data;
    rt_packet sample = p->packets[p->batch.count - 1];
    rt_reader r = rt_reader_of(rt_span_of(sample.data, sample.size));
    CHECK(rt_sctp_read_header(&r, &head) && rt_sctp_next_chunk(&r, &chunk) && rt_sctp_parse_data(&chunk, &data));
    CHECK_EQ(rt_sctp_receive(p->end[1], rt_span_of(sample.data, sample.size), p->now), RT_OK);

    static const uint8_t payload[1000];
    uint8_t packet[1200];
    for (uint32_t i = 2; i < 20000; i++) { /* one is missing, so nothing can be delivered */
        rt_writer w = rt_writer_of(rt_buffer_of(packet, sizeof packet));
        rt_sctp_write_header(&w, 5000, 5000, head.tag);
        rt_sctp_data one = data;
        one.tsn = data.tsn + i;
        one.mid = data.mid + i;
        one.payload = rt_span_of(payload, sizeof payload);
        rt_sctp_write_data(&w, &one);
        rt_sctp_seal(rt_buffer_of(packet, rt_writer_size(&w)));
        (void)rt_sctp_receive(p->end[1], rt_span_of(packet, rt_writer_size(&w)), p->now);
        CHECK(sctp_net_stats(p, 1).receive_buffered <= (32u << 10) + 2400);
        drain(p, 1);
    }
    CHECK(sctp_net_stats(p, 1).out_of_window > 19000);
    sctp_net_free(p);
}

int main(int argc, char **argv)
{
    RUN(test_slow_reader_slows_the_sender);
    RUN(test_messages_taken_but_not_released_hold_the_window);
    RUN(test_zero_window_is_probed_and_opens);
    RUN(test_send_buffer_is_bounded_and_says_when_there_is_room);
    RUN(test_buffered_low);
    RUN(test_flood_of_inits);
    RUN(test_flood_of_garbage);
    RUN(test_peer_that_ignores_the_window);
    CHECK_MAIN_END;
}
