/* SCTP over paths of all kinds: how much of the path it uses, whether it stalls, whether every byte is right.
 *
 * Bulk data in one direction, ordered and reliable, for some virtual seconds; then the rest must arrive.
 * Prints one line for each path: `limit` is what the path lets through, `use` how much of it was payload
 * delivered in order in the measured seconds (headers leave 97% of a link at the most). */
#include "sctp_net.h"
#include "check.h"

typedef struct bulk {
    size_t message_size;
    rt_time duration;    /* of sending */
    rt_time from;        /* measured from here on until `duration`, both since the beginning */
    uint64_t messages;   /* results */
    uint64_t payload;    /* delivered in the measured time */
    rt_time longest_gap; /* between two deliveries */
    rt_sctp_stats stats; /* the sender's */
    net_path_stats path;
} bulk;

static uint64_t take_bulk(sctp_net *p, bulk *b, uint64_t *next, rt_time *last)
{
    rt_sctp_event event;
    uint64_t bytes = 0;
    while (rt_sctp_event_next(p->end[1], &event)) {
        sctp_sim_header header;
        CHECK_EQ(event.type, RT_SCTP_EVENT_MESSAGE);
        CHECK(sctp_sim_check(rt_span_of(event.message->data, event.message->size), &header));
        CHECK_EQ(header.number, *next);
        (*next)++;
        bytes += event.message->size;
        rt_sctp_release(p->end[1], event.message->size, p->now);
        rt_message_free(event.message);
        b->longest_gap = rt_time_max(b->longest_gap, p->now - *last);
        *last = p->now;
    }
    while (rt_sctp_event_next(p->end[0], &event))
        CHECK(event.type == RT_SCTP_EVENT_SEND_ROOM || event.type == RT_SCTP_EVENT_BUFFERED_LOW);
    return bytes;
}

static void run_bulk(sctp_net *p, bulk *b)
{
    rt_sctp_send_info info = {.protocol = 53, .stream = 1, .max_retransmits = -1, .lifetime = RT_NEVER};
    rt_time begin = p->now, last = p->now, end = p->now + b->duration, give_up = end + RT_SECONDS(120);
    uint64_t next_in = 0;
    while (p->now < end || next_in < b->messages) {
        CHECK(p->now < give_up);
        while (p->now < end) {
            sctp_sim_header header = {.stream = 1, .number = b->messages};
            rt_status status = rt_sctp_send(p->end[0], &info, sctp_sim_make(&header, b->message_size), p->now);
            if (status == RT_AGAIN)
                break;
            CHECK_EQ(status, RT_OK);
            b->messages++;
        }
        sctp_net_step(p, p->now < end ? end : give_up);
        uint64_t bytes = take_bulk(p, b, &next_in, &last);
        if (p->now >= begin + b->from && p->now <= end)
            b->payload += bytes;
    }
    CHECK_EQ(next_in, b->messages);
    b->stats = sctp_net_stats(p, 0);
    b->path = net_path_get_stats(p->net, 0, 1);
}

/* Runs and prints; returns the use, 0 to 1. */
static double measure(const char *name, const net_path *path, rt_time duration, rt_time from, bulk *out)
{
    sctp_net *p = sctp_net_new(20260101, NULL, NULL);
    net_set_both(p->net, 0, 1, path);
    sctp_net_establish(p);
    *out = (bulk){.message_size = 16384, .duration = duration, .from = from};
    run_bulk(p, out);
    double burst =
        path->burst_enter > 0 ? path->burst_loss * path->burst_enter / (path->burst_enter + path->burst_leave) : 0;
    double limit = path->bandwidth * (1 - path->loss) * (1 - burst) / 1e6;
    double seconds = (double)(duration - from) / 1e9;
    double goodput = (double)out->payload * 8e-6 / seconds, use = goodput / limit;
    printf("%-34s limit %5.1f  goodput %5.1f Mbit/s  use %3.0f%%  gap %4lld ms  lost %4llu+%4llu  resent %5llu "
           "(fast %llu, timeouts %llu, probes %llu, spurious %llu)\n",
           name, limit, goodput, use * 100, (long long)(out->longest_gap / RT_MS(1)),
           (unsigned long long)out->path.lost, (unsigned long long)out->path.queue_drops,
           (unsigned long long)out->stats.chunks_retransmitted, (unsigned long long)out->stats.fast_retransmits,
           (unsigned long long)out->stats.timeouts, (unsigned long long)out->stats.tail_probes,
           (unsigned long long)out->stats.spurious_retransmits);
    sctp_net_free(p);
    return use;
}

/* 100 Mbit/s with a queue of one bandwidth-delay product. */
static net_path hundred(rt_time round_trip)
{
    return (net_path){.delay = round_trip / 2, .bandwidth = 100e6, .queue = (uint32_t)(round_trip / RT_US(10) * 125)};
}

static void test_fills_100_mbit_20_ms(void)
{
    net_path path = hundred(RT_MS(20));
    bulk b;
    CHECK(measure("20 ms, second 3", &path, RT_SECONDS(3), RT_SECONDS(2), &b) >= 0.9);
    CHECK(measure("20 ms, seconds 3 to 10", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.9);
    CHECK(b.longest_gap < RT_MS(500));
}

static void test_fills_100_mbit_100_ms(void)
{
    net_path path = hundred(RT_MS(100));
    bulk b;
    CHECK(measure("100 ms, second 3", &path, RT_SECONDS(3), RT_SECONDS(2), &b) >= 0.9);
    CHECK(measure("100 ms, seconds 3 to 20", &path, RT_SECONDS(20), RT_SECONDS(2), &b) >= 0.9);
    CHECK(b.longest_gap < RT_SECONDS(1));
}

static void test_random_loss(void)
{
    bulk b;
    net_path path = hundred(RT_MS(20));
    path.loss = 0.01;
    CHECK(measure("20 ms, 1% loss", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.8);
    CHECK(b.longest_gap < RT_SECONDS(2));
    path.loss = 0.05;
    CHECK(measure("20 ms, 5% loss", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.7);
    CHECK(b.longest_gap < RT_SECONDS(2));
    path = hundred(RT_MS(100));
    path.loss = 0.01;
    CHECK(measure("100 ms, 1% loss", &path, RT_SECONDS(20), RT_SECONDS(2), &b) >= 0.7);
    CHECK(b.longest_gap < RT_SECONDS(3));
    path.loss = 0.05;
    CHECK(measure("100 ms, 5% loss", &path, RT_SECONDS(20), RT_SECONDS(2), &b) >= 0.4);
    CHECK(b.longest_gap < RT_SECONDS(3));
}

static void test_burst_loss(void)
{
    bulk b;
    net_path path = hundred(RT_MS(20));
    path.burst_enter = 0.001; /* 1% of the packets, in bursts of ten */
    path.burst_leave = 0.1;
    path.burst_loss = 1;
    CHECK(measure("20 ms, 1% loss in bursts of 10", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.7);
    CHECK(b.longest_gap < RT_SECONDS(3));
}

static void test_reordering_is_not_loss(void)
{
    bulk b;
    net_path path = hundred(RT_MS(20));
    path.reorder = 0.05;
    path.reorder_delay = RT_MS(4);
    CHECK(measure("20 ms, 5% reordered by up to 4 ms", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.9);
    CHECK(b.longest_gap < RT_SECONDS(1));
}

static void test_duplication(void)
{
    bulk b;
    net_path path = hundred(RT_MS(20));
    path.duplicate = 0.05;
    CHECK(measure("20 ms, 5% duplicated", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.9);
    CHECK(b.longest_gap < RT_SECONDS(1));
}

static void test_jitter(void)
{
    bulk b;
    net_path path = hundred(RT_MS(20));
    path.jitter = RT_MS(10);
    CHECK(measure("20 ms, 10 ms jitter", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.7);
    CHECK(b.longest_gap < RT_SECONDS(1));
}

static void test_shallow_queue(void)
{
    bulk b;
    net_path path = hundred(RT_MS(20));
    path.queue = 30000;
    CHECK(measure("20 ms, queue of 26 packets", &path, RT_SECONDS(10), RT_SECONDS(2), &b) >= 0.8);
    CHECK(b.longest_gap < RT_SECONDS(2));
}

static void test_slow_link(void)
{
    bulk b;
    net_path path = {.delay = RT_MS(150), .bandwidth = 500e3, .queue = 50000};
    CHECK(measure("300 ms, 0.5 Mbit/s", &path, RT_SECONDS(60), RT_SECONDS(10), &b) > 0.85);
    CHECK(b.longest_gap < RT_SECONDS(6));
}

static void test_acknowledgements_lost(void)
{
    /* A third of the way back is lost: cumulative acknowledgements carry what matters. */
    sctp_net *p = sctp_net_new(7, NULL, NULL);
    net_path path = hundred(RT_MS(20));
    *net_path_of(p->net, 0, 1) = path;
    path.loss = 0.33;
    *net_path_of(p->net, 1, 0) = path;
    sctp_net_establish(p);
    bulk b = {.message_size = 16384, .duration = RT_SECONDS(5), .from = RT_SECONDS(2)};
    run_bulk(p, &b);
    printf("%-34s goodput %.1f Mbit/s, resent %llu\n", "20 ms, 33% of the SACKs lost", (double)b.payload * 8e-6 / 3,
           (unsigned long long)b.stats.chunks_retransmitted);
    CHECK((double)b.payload * 8e-6 / 3 > 50);
    sctp_net_free(p);
}

static void test_outage(void)
{
    /* Two seconds of nothing in the middle: afterwards it goes on within a few round trips' worth of back-off. */
    sctp_net *p = sctp_net_new(8, NULL, NULL);
    net_path path = hundred(RT_MS(20));
    path.down_from = RT_SECONDS(3);
    path.down_until = RT_SECONDS(5);
    net_set_both(p->net, 0, 1, &path);
    sctp_net_establish(p);
    bulk b = {.message_size = 16384, .duration = RT_SECONDS(9), .from = RT_SECONDS(7)};
    run_bulk(p, &b);
    printf("%-34s goodput %.1f Mbit/s afterwards, gap %lld ms\n", "20 ms, down for 2 s", (double)b.payload * 8e-6 / 2,
           (long long)(b.longest_gap / RT_MS(1)));
    CHECK((double)b.payload * 8e-6 / 2 > 80);
    CHECK(b.longest_gap < RT_SECONDS(5));
    sctp_net_free(p);
}

/* A request and its answer now and then: nothing may cost more than the path's round trip, and after an
 * idle time there is no collapse. */
static void test_small_messages_take_one_round_trip(void)
{
    sctp_net *p = sctp_net_new(9, NULL, NULL);
    rt_sctp_send_info info = {.protocol = 53, .max_retransmits = -1, .lifetime = RT_NEVER};
    net_path path = hundred(RT_MS(20));
    net_set_both(p->net, 0, 1, &path);
    sctp_net_establish(p);
    for (uint64_t i = 0; i < 100; i++) {
        sctp_sim_header header = {.number = i};
        rt_time sent = p->now;
        rt_sctp_event event;
        int at = 1;
        CHECK_EQ(rt_sctp_send(p->end[0], &info, sctp_sim_make(&header, 100), p->now), RT_OK);
        while (at != 2) {
            CHECK(sctp_net_step(p, sent + RT_SECONDS(1)));
            while (rt_sctp_event_next(p->end[at], &event)) {
                if (event.type == RT_SCTP_EVENT_BUFFERED_LOW)
                    continue;
                CHECK_EQ(event.type, RT_SCTP_EVENT_MESSAGE);
                if (at == 1)
                    CHECK_EQ(rt_sctp_send(p->end[1], &info, rt_span_of(event.message->data, 100), p->now), RT_OK);
                rt_sctp_release(p->end[at], 100, p->now);
                rt_message_free(event.message);
                at = at == 1 ? 0 : 2;
                if (at == 2)
                    break;
            }
        }
        CHECK(p->now - sent < RT_MS(21));
        sctp_net_run(p, p->now + RT_MS(7) * (rt_time)(i % 13));
    }
    CHECK_EQ(sctp_net_stats(p, 0).chunks_retransmitted, 0);
    CHECK_EQ(sctp_net_stats(p, 0).timeouts, 0);
    sctp_net_free(p);
}

/* The last packet of a burst is lost, nothing follows: a probe finds out after about two round trips, not a
 * retransmission timeout after a second. */
static void test_lost_tail(void)
{
    rt_sctp_send_info info = {.protocol = 53, .max_retransmits = -1, .lifetime = RT_NEVER};
    sctp_net *p = sctp_net_new(10, NULL, NULL);
    net_path path = hundred(RT_MS(40));
    rt_time worst = 0;
    net_set_both(p->net, 0, 1, &path);
    sctp_net_establish(p);
    for (uint64_t i = 0; i < 20; i++) {
        sctp_sim_header header = {.number = i};
        rt_sctp_event event = {0};
        CHECK_EQ(rt_sctp_send(p->end[0], &info, sctp_sim_make(&header, 5000), p->now), RT_OK);
        sctp_net_flush(p);
        if (i >= 10) /* what leaves from now on within this instant is lost: the last packet */
            net_path_of(p->net, 0, 1)->down_until = p->now + 1;
        rt_time sent = p->now;
        header.number = 1000 + i;
        CHECK_EQ(rt_sctp_send(p->end[0], &info, sctp_sim_make(&header, 200), p->now), RT_OK);
        for (int got = 0; got < 2;) {
            CHECK(sctp_net_step(p, sent + RT_SECONDS(3)));
            while (rt_sctp_event_next(p->end[1], &event)) {
                CHECK_EQ(event.type, RT_SCTP_EVENT_MESSAGE);
                rt_sctp_release(p->end[1], event.message->size, p->now);
                rt_message_free(event.message);
                got++;
            }
        }
        worst = rt_time_max(worst, p->now - sent);
        sctp_net_run(p, p->now + RT_MS(500));
    }
    printf("%-34s found and repaired in %lld ms\n", "40 ms, the last packet lost", (long long)(worst / RT_MS(1)));
    CHECK(net_path_get_stats(p->net, 0, 1).down_drops >= 10);
    CHECK(worst < RT_MS(250));
    sctp_net_free(p);
}

/* RFC 8899: the packet size is found between what is safe and what is allowed, by padded heartbeats: no data is
 * lost for it. */
static void test_path_mtu(void)
{
    rt_sctp_config config;
    rt_sctp_config_default(&config);
    config.max_mtu = 1400;
    sctp_net *p = sctp_net_new(12, &config, &config);
    net_path path = hundred(RT_MS(20));
    path.mtu = 1337;
    net_set_both(p->net, 0, 1, &path);
    sctp_net_establish(p);
    bulk b = {.message_size = 16384, .duration = RT_SECONDS(20), .from = RT_SECONDS(15)};
    run_bulk(p, &b);
    uint32_t found = sctp_net_stats(p, 0).mtu;
    printf("%-34s found %u after %llu lost probes\n", "20 ms, path MTU 1337", found,
           (unsigned long long)b.path.mtu_drops);
    CHECK(found > 1337 - 20 && found <= 1337);
    CHECK(b.path.mtu_drops <= 12);
    CHECK_EQ(b.stats.timeouts, 0);
    sctp_net_free(p);
}

int main(int argc, char **argv)
{
    RUN(test_fills_100_mbit_20_ms);
    RUN(test_fills_100_mbit_100_ms);
    RUN(test_random_loss);
    RUN(test_burst_loss);
    RUN(test_reordering_is_not_loss);
    RUN(test_duplication);
    RUN(test_jitter);
    RUN(test_shallow_queue);
    RUN(test_slow_link);
    RUN(test_acknowledgements_lost);
    RUN(test_outage);
    RUN(test_small_messages_take_one_round_trip);
    RUN(test_lost_tail);
    RUN(test_path_mtu);
    CHECK_MAIN_END;
}
