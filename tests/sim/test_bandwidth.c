/* Congestion control on a virtual path: an application that sends as much as it is told to, in frames, through the
 * pacer; a receiver that tells what arrived every 100 ms. What comes out is compared with what the path has. */
#include "base/seq.h"
#include "check.h"
#include "net.h"
#include "proto/bandwidth.h"
#include "proto/pacer.h"

#define SEED 20261123
#define PACKET 1200
#define FRAMES_PER_SECOND 30
#define FEEDBACK_EVERY RT_MS(100)
#define ARRIVALS 4096

typedef struct world {
    net *net;
    uint32_t near, far;
    rt_bandwidth *bandwidth;
    rt_pacer pacer;
    rt_time now, next_frame, next_feedback;
    bool feedback_off, padding_off;
    uint64_t app_max; /* what the application can send at the most; 0: no limit */

    uint16_t sequence;
    size_t queued, probe; /* bytes that wait */

    rt_time arrivals[ARRIVALS]; /* by sequence number; 0: not arrived */
    uint64_t told, highest;     /* unwrapped sequence numbers */
    uint8_t feedbacks;

    uint64_t bytes_sent, bytes_arrived;
    rt_time delay_max; /* one way */
} world;

static void world_init(world *w, uint64_t max)
{
    *w = (world){.now = RT_SECONDS(1), .told = 65536, .highest = 65535};
    w->net = net_new(SEED);
    w->near = net_node(w->net);
    w->far = net_node(w->net);
    rt_bandwidth_config config;
    rt_bandwidth_config_default(&config);
    config.max = max;
    w->bandwidth = rt_bandwidth_new(&config, w->now);
    CHECK(w->bandwidth);
    rt_pacer_init(&w->pacer, rt_bandwidth_pacing_rate(w->bandwidth), w->now);
    w->next_frame = w->next_feedback = w->now;
}

static void world_free(world *w)
{
    rt_bandwidth_free(w->bandwidth);
    net_free(w->net);
}

static void set_path(world *w, net_path path)
{
    path.overhead = 28;
    *net_path_of(w->net, w->near, w->far) = path;
    *net_path_of(w->net, w->far, w->near) = (net_path){.delay = path.delay};
}

static void send_one(world *w, size_t size, bool probe)
{
    uint8_t packet[PACKET] = {0};
    rt_store16(packet, w->sequence);
    net_send_to(w->net, w->near, w->far, rt_span_of(packet, size), w->now);
    rt_bandwidth_sent(w->bandwidth, w->sequence++, size, probe, w->now);
    rt_pacer_sent(&w->pacer, size, w->now);
    w->bytes_sent += size;
}

static void send_paced(world *w)
{
    rt_pacer_set_rate(&w->pacer, rt_bandwidth_pacing_rate(w->bandwidth), w->now);
    size_t budget;
    while ((budget = rt_pacer_budget(&w->pacer, w->queued + w->probe, PACKET, w->now)) > 0) {
        bool probe = w->queued == 0;
        size_t *from = probe ? &w->probe : &w->queued;
        size_t size = *from < PACKET ? *from : PACKET;
        *from -= size;
        send_one(w, size < 100 ? 100 : size, probe);
    }
}

static void arrived(world *w, const net_packet *packet)
{
    uint64_t sequence = rt_seq16_unwrap(w->highest, rt_load16(packet->data));
    if (sequence > w->highest)
        w->highest = sequence;
    CHECK(w->highest - w->told < ARRIVALS);
    if (sequence >= w->told)
        w->arrivals[sequence % ARRIVALS] = w->now;
    w->bytes_arrived += packet->size;
    w->delay_max = rt_time_max(w->delay_max, w->now - packet->sent);
}

/* One packet of feedback about all that is not told yet, as the draft has it. */
static void tell(world *w)
{
    static rt_twcc_packet packets[ARRIVALS];
    while (w->told <= w->highest && !w->arrivals[w->told % ARRIVALS])
        w->told++;
    size_t count = 0;
    int64_t reference = 0, last = 0;
    for (uint64_t s = w->told; s <= w->highest; s++, count++) {
        rt_time at = w->arrivals[s % ARRIVALS];
        w->arrivals[s % ARRIVALS] = 0;
        packets[count] = (rt_twcc_packet){.sequence = (uint16_t)s, .received = at != 0};
        if (!at)
            continue;
        if (!count)
            reference = at / RT_MS(64), last = reference * 256;
        packets[count].delta = (int32_t)(at / RT_US(250) - last);
        last = at / RT_US(250);
    }
    uint8_t memory[4 * ARRIVALS];
    for (size_t done = 0; done < count;) {
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        size_t n = rt_rtcp_write_twcc(&writer, 1, 2, (int32_t)(reference & 0x7FFFFF), w->feedbacks++, packets + done,
                                      count - done);
        CHECK(n == count - done);
        done += n;
        net_send_to(w->net, w->far, w->near, rt_span_of(memory, rt_writer_size(&writer)), w->now);
    }
    w->told = w->highest + 1;
}

static void feedback_came(world *w, const net_packet *packet)
{
    rt_reader reader = rt_reader_of(rt_span_of(packet->data, packet->size));
    rt_status status = RT_OK;
    rt_rtcp rtcp;
    rt_rtcp_feedback feedback;
    rt_rtcp_twcc twcc;
    while (rt_rtcp_next(&reader, &rtcp, &status)) {
        CHECK_EQ(rt_rtcp_feedback_read(&rtcp, &feedback), RT_OK);
        CHECK_EQ(rt_rtcp_twcc_read(&feedback, &twcc), RT_OK);
        CHECK_EQ(rt_bandwidth_twcc(w->bandwidth, &twcc, w->now), RT_OK);
        uint64_t rate;
        size_t probe = rt_bandwidth_probe(w->bandwidth, &rate, w->now);
        if (!w->padding_off)
            w->probe += probe;
    }
    CHECK_EQ(status, RT_OK);
}

static void step(world *w)
{
    rt_time next = rt_time_min(w->next_frame, w->next_feedback);
    next = rt_time_min(next, net_next_time(w->net));
    next = rt_time_min(next, rt_bandwidth_deadline(w->bandwidth));
    if (w->queued + w->probe)
        next = rt_time_min(next, rt_pacer_deadline(&w->pacer, w->now));
    w->now = rt_time_max(next, w->now);
    net_packet *packet;
    while ((packet = net_deliver(w->net, w->now))) {
        if (packet->node == w->far)
            arrived(w, packet);
        else
            feedback_came(w, packet);
    }
    if (w->now >= w->next_feedback) {
        w->next_feedback += FEEDBACK_EVERY;
        if (!w->feedback_off)
            tell(w);
    }
    if (w->now >= w->next_frame) {
        w->next_frame += RT_SECONDS(1) / FRAMES_PER_SECOND;
        uint64_t rate = rt_bandwidth_target(w->bandwidth);
        if (w->app_max && rate > w->app_max)
            rate = w->app_max;
        w->queued += rate / 8 / FRAMES_PER_SECOND;
    }
    if (rt_bandwidth_deadline(w->bandwidth) <= w->now)
        rt_bandwidth_expire(w->bandwidth, w->now);
    send_paced(w);
}

/* Runs for so long; the mean of the target over its last second. */
static double run(world *w, rt_time span)
{
    rt_time end = w->now + span;
    double sum = 0, count = 0;
    while (w->now < end) {
        step(w);
        if (w->now >= end - RT_SECONDS(1)) {
            sum += (double)rt_bandwidth_target(w->bandwidth);
            count++;
        }
    }
    return sum / count / 1000; /* kbit/s */
}

#define CHECK_BETWEEN(value, low, high)                                                                                \
    do {                                                                                                               \
        double check_value = (value);                                                                                  \
        if (!(check_value >= (low) && check_value <= (high))) {                                                        \
            fprintf(stderr, "%s:%d: %s: %s is %.1f, not within %.1f and %.1f\n", __FILE__, __LINE__, __func__, #value, \
                    check_value, (double)(low), (double)(high));                                                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static void link_of_500_kbit(void)
{
    world w;
    world_init(&w, 0);
    set_path(&w, (net_path){.delay = RT_MS(25), .bandwidth = 500e3, .queue = 64000});
    double kbps = run(&w, RT_SECONDS(25));
    printf("500 kbit/s: %.0f kbit/s after 25 s\n", kbps);
    CHECK_BETWEEN(kbps, 350, 550);
    world_free(&w);
}

static void link_of_800_kbit(void)
{
    world w;
    world_init(&w, 0);
    set_path(&w, (net_path){.delay = RT_MS(25), .bandwidth = 800e3, .queue = 64000});
    double kbps = run(&w, RT_SECONDS(20));
    printf("800 kbit/s: %.0f kbit/s after 20 s\n", kbps);
    CHECK_BETWEEN(kbps, 600, 900);
    world_free(&w);
}

static void random_loss(void)
{
    world w;
    world_init(&w, 0);
    set_path(&w, (net_path){.delay = RT_MS(25), .bandwidth = 2e6, .queue = 64000, .loss = 0.1});
    double kbps = run(&w, RT_SECONDS(30));
    printf("10%% loss on 2 Mbit/s: %.0f kbit/s after 30 s\n", kbps);
    CHECK_BETWEEN(kbps, 100, 2000);
    world_free(&w);
}

static void unconstrained(void)
{
    world w;
    world_init(&w, 0);
    set_path(&w, (net_path){.delay = RT_MS(10)});
    double kbps = run(&w, RT_SECONDS(4));
    printf("no limit: %.0f kbit/s after 4 s\n", kbps);
    CHECK(kbps > 1500);
    world_free(&w);
}

static void unconstrained_without_padding(void)
{
    world w;
    world_init(&w, 0);
    w.padding_off = true;
    set_path(&w, (net_path){.delay = RT_MS(10)});
    double kbps = run(&w, RT_SECONDS(6));
    printf("no limit, no padding: %.0f kbit/s after 6 s\n", kbps);
    CHECK(kbps > 1500);
    world_free(&w);
}

/* A path that shrinks and gets better again: the queue of its shrinking goes within seconds, and it is used again. */
static void a_path_that_changes(void)
{
    world w;
    world_init(&w, 0);
    net_path path = {.delay = RT_MS(25), .bandwidth = 2.5e6, .queue = 200000};
    set_path(&w, path);
    double wide = run(&w, RT_SECONDS(20));
    path.bandwidth = 500e3;
    set_path(&w, path);
    run(&w, RT_SECONDS(8)); /* what has queued up until it was noticed, is drained */
    w.delay_max = 0;
    double narrow = run(&w, RT_SECONDS(22));
    rt_time delay = w.delay_max;
    path.bandwidth = 2.5e6;
    set_path(&w, path);
    double again = run(&w, RT_SECONDS(20));
    printf("2.5 Mbit/s: %.0f; then 500 kbit/s: %.0f, delay up to %.0f ms; then 2.5 Mbit/s: %.0f\n", wide, narrow,
           (double)delay / 1e6, again);
    CHECK_BETWEEN(wide, 1800, 2700);
    CHECK_BETWEEN(narrow, 300, 550);
    CHECK(delay < RT_MS(250));
    CHECK_BETWEEN(again, 1800, 2700);
    world_free(&w);
}

/* A short drought: the rate from before is tried again soon after. */
static void a_short_drought(void)
{
    world w;
    world_init(&w, 0);
    net_path path = {.delay = RT_MS(25), .bandwidth = 2.5e6, .queue = 200000};
    set_path(&w, path);
    double before = run(&w, RT_SECONDS(15));
    path.bandwidth = 300e3;
    set_path(&w, path);
    double during = run(&w, RT_SECONDS(3));
    path.bandwidth = 2.5e6;
    set_path(&w, path);
    double after = run(&w, RT_SECONDS(6));
    printf("2.5 Mbit/s: %.0f; 3 s of 300 kbit/s: %.0f; 6 s later: %.0f\n", before, during, after);
    CHECK(during < 500);
    CHECK_BETWEEN(after, 1500, 2700);
    world_free(&w);
}

/* Jitter alone is not congestion. */
static void jitter(void)
{
    world w;
    world_init(&w, 3000000);
    set_path(&w, (net_path){.delay = RT_MS(40), .jitter = RT_MS(15)});
    double kbps = run(&w, RT_SECONDS(15));
    printf("jitter of 15 ms: %.0f kbit/s after 15 s, limit 3000\n", kbps);
    CHECK(kbps > 2000);
    world_free(&w);
}

/* Who sends little learns little: the target stays where the probes left it, and needs no more of them. */
static void an_application_that_sends_little(void)
{
    world w;
    world_init(&w, 0);
    w.app_max = 32000;
    set_path(&w, (net_path){.delay = RT_MS(25), .bandwidth = 1e6, .queue = 64000});
    double kbps = run(&w, RT_SECONDS(20));
    rt_bandwidth_stats stats;
    rt_bandwidth_get_stats(w.bandwidth, &stats);
    printf("32 kbit/s over 1 Mbit/s: target %.0f kbit/s, %d probes\n", kbps, (int)stats.probes);
    CHECK_BETWEEN(kbps, 300, 1100);
    CHECK(stats.probes <= 4);
    world_free(&w);
}

static void a_short_queue(void)
{
    world w;
    world_init(&w, 0);
    set_path(&w, (net_path){.delay = RT_MS(25), .bandwidth = 1e6, .queue = 6000});
    double kbps = run(&w, RT_SECONDS(30));
    net_path_stats stats = net_path_get_stats(w.net, w.near, w.far);
    double loss = (double)stats.queue_drops / (double)stats.sent;
    printf("1 Mbit/s with a queue of 48 ms: %.0f kbit/s, %.1f%% lost\n", kbps, 100 * loss);
    CHECK_BETWEEN(kbps, 500, 1100);
    CHECK(loss < 0.08);
    world_free(&w);
}

/* The other end falls silent: what leaves gets less until it speaks again. */
static void silence(void)
{
    world w;
    world_init(&w, 2000000);
    set_path(&w, (net_path){.delay = RT_MS(25)});
    double before = run(&w, RT_SECONDS(5));
    net_path_of(w.net, w.far, w.near)->loss = 1;
    double silent = run(&w, RT_SECONDS(10));
    net_path_of(w.net, w.far, w.near)->loss = 0;
    double after = run(&w, RT_SECONDS(15));
    printf("silence: %.0f, then %.0f, then %.0f kbit/s\n", before, silent, after);
    CHECK_BETWEEN(before, 1500, 2000);
    CHECK(silent < before / 3);
    CHECK(after > 1000);
    world_free(&w);
}

static void remb_is_a_ceiling(void)
{
    world w;
    world_init(&w, 0);
    set_path(&w, (net_path){.delay = RT_MS(25)});
    run(&w, RT_SECONDS(3));
    rt_bandwidth_remb(w.bandwidth, 700000, w.now);
    CHECK_EQ(rt_bandwidth_target(w.bandwidth), 700000);
    rt_bandwidth_set_limits(w.bandwidth, 0, 0, 600000, w.now);
    CHECK_EQ(rt_bandwidth_target(w.bandwidth), 600000);
    world_free(&w);
}

/* Without transport-wide feedback. */
static void remb_alone_is_the_target(void)
{
    rt_bandwidth_config config;
    rt_bandwidth_config_default(&config);
    rt_bandwidth *bandwidth = rt_bandwidth_new(&config, 0);
    CHECK_EQ(rt_bandwidth_target(bandwidth), 300000);
    CHECK_EQ(rt_bandwidth_pacing_rate(bandwidth), 750000);
    rt_bandwidth_remb(bandwidth, 1200000, RT_MS(100));
    CHECK_EQ(rt_bandwidth_target(bandwidth), 1200000);
    rt_bandwidth_report(bandwidth, 128, RT_MS(50), RT_SECONDS(1)); /* half of it is lost */
    CHECK_EQ(rt_bandwidth_target(bandwidth), 900000);
    for (int i = 2; i < 10; i++)
        rt_bandwidth_report(bandwidth, 0, RT_MS(50), RT_SECONDS(i));
    CHECK_EQ(rt_bandwidth_target(bandwidth), 1200000);
    rt_bandwidth_remb(bandwidth, 1000, RT_SECONDS(10));
    CHECK_EQ(rt_bandwidth_target(bandwidth), 30000); /* the least */
    rt_bandwidth_free(bandwidth);
}

static void report_blocks_alone_lead_the_loss_based_part(void)
{
    rt_bandwidth_config config;
    rt_bandwidth_config_default(&config);
    rt_bandwidth *bandwidth = rt_bandwidth_new(&config, 0);
    rt_time now = 0;
    uint16_t sequence = 0;
    for (int second = 1; second <= 20; second++) {
        for (int i = 0; i < 50; i++, now += RT_MS(20))
            rt_bandwidth_sent(bandwidth, sequence++, rt_bandwidth_target(bandwidth) / 8 / 50, false, now);
        rt_bandwidth_report(bandwidth, 0, RT_MS(50), now);
    }
    uint64_t grown = rt_bandwidth_target(bandwidth);
    CHECK(grown > 900000 && grown < 3000000);
    rt_bandwidth_report(bandwidth, 77, RT_MS(50), now += RT_SECONDS(1));
    CHECK(rt_bandwidth_target(bandwidth) < grown * 9 / 10);
    rt_bandwidth_free(bandwidth);
}

/* Feedback on packets that were never sent, twice, or without sense. */
static void strange_feedback(void)
{
    rt_bandwidth_config config;
    rt_bandwidth_config_default(&config);
    rt_bandwidth *bandwidth = rt_bandwidth_new(&config, 0);
    for (int i = 0; i < 100; i++)
        rt_bandwidth_sent(bandwidth, (uint16_t)i, 1000, false, RT_MS(i));
    static const uint8_t all[] = {0x20, 50, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
                                  4,    4,  4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
    rt_rtcp_twcc twcc = {.base = 0, .count = 50, .reference = 10, .body = rt_span_of(all, sizeof all)};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rt_bandwidth_twcc(bandwidth, &twcc, RT_MS(150)), RT_OK);
    twcc.base = 5000;
    CHECK_EQ(rt_bandwidth_twcc(bandwidth, &twcc, RT_MS(160)), RT_OK);
    twcc.count = 51;
    CHECK_EQ(rt_bandwidth_twcc(bandwidth, &twcc, RT_MS(170)), RT_MALFORMED);
    twcc.count = 60000;
    CHECK_EQ(rt_bandwidth_twcc(bandwidth, &twcc, RT_MS(180)), RT_MALFORMED);
    rt_bandwidth_stats stats;
    rt_bandwidth_get_stats(bandwidth, &stats);
    CHECK_EQ(stats.feedback, 4);
    CHECK_EQ(stats.feedback_malformed, 2);
    CHECK_EQ(stats.packets_lost, 0);
    CHECK_EQ(stats.round_trip, RT_MS(150 - 49));
    rt_bandwidth_free(bandwidth);
}

/* The other end's clock runs ahead as fast as its numbers let it. */
static void a_clock_that_runs_away(void)
{
    rt_bandwidth_config config;
    rt_bandwidth_config_default(&config);
    rt_bandwidth *bandwidth = rt_bandwidth_new(&config, 0);
    static const uint8_t one[] = {0x20, 1, 4, 0};
    for (int step = -1; step <= 1; step += 2) {
        rt_rtcp_twcc twcc = {.count = 1, .body = rt_span_of(one, sizeof one)};
        for (int i = 0; i < 20000; i++) {
            rt_bandwidth_sent(bandwidth, twcc.base, 1000, false, RT_MS(i));
            twcc.reference = (int32_t)((uint32_t)(twcc.reference + step * 0x7FFFFF) << 8) >> 8;
            CHECK_EQ(rt_bandwidth_twcc(bandwidth, &twcc, RT_MS(i + 1)), RT_OK);
            twcc.base++;
        }
    }
    CHECK(rt_bandwidth_target(bandwidth) >= config.min);
    rt_bandwidth_free(bandwidth);
}

int main(int argc, char **argv)
{
    printf("seed %d\n", SEED);
    RUN(link_of_500_kbit);
    RUN(link_of_800_kbit);
    RUN(random_loss);
    RUN(unconstrained);
    RUN(unconstrained_without_padding);
    RUN(a_path_that_changes);
    RUN(a_short_drought);
    RUN(jitter);
    RUN(an_application_that_sends_little);
    RUN(a_short_queue);
    RUN(silence);
    RUN(remb_is_a_ceiling);
    RUN(remb_alone_is_the_target);
    RUN(report_blocks_alone_lead_the_loss_based_part);
    RUN(strange_feedback);
    RUN(a_clock_that_runs_away);
    CHECK_MAIN_END;
}
