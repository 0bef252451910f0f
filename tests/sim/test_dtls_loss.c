/* DTLS over bad networks in virtual time: thousands of seeded handshakes under loss, reordering and
 * duplication, each of which must open on both sides; then data, of which nothing comes twice or changed. */
#include "check.h"
#include "net.h"
#include "proto/dtls.h"

enum { CLIENT, SERVER, RECORDS = 40 };

typedef struct scenario {
    const char *name;
    net_path path;
    uint16_t mtu;
    uint32_t seeds;
    rt_time limit; /* by when both sides are open */
    bool may_fail; /* damage that UDP's checksum would have kept away may end a handshake */
} scenario;

typedef struct run {
    const scenario *scenario;
    uint64_t seed;
    net *net;
    rt_dtls *ends[2];
    rt_time now;
    bool got[2][RECORDS];
    uint32_t sent[2], received[2];
} run;

static rt_certificate *certificates[2]; /* shared by all runs, as a server shares its own */

static void expect(const run *run, bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "%s, seed %" PRIu64 ", at %.3f s: %s\n", run->scenario->name, run->seed, (double)run->now / 1e9,
            what);
    exit(1);
}

static void drain(run *run)
{
    uint8_t memory[8 * 1500];
    rt_packet packets[8];
    rt_batch batch;
    for (uint32_t end = 0; end < 2; end++) {
        do {
            rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, 8);
            rt_dtls_transmit(run->ends[end], &batch, run->now);
            for (uint32_t i = 0; i < batch.count; i++) {
                expect(run, packets[i].size <= run->scenario->mtu, "a datagram is larger than the MTU");
                net_send_to(run->net, end, !end, rt_span_of(packets[i].data, packets[i].size), run->now);
            }
        } while (batch.count);
    }
}

static void read_records(run *run, uint32_t end)
{
    rt_span text;
    while (rt_dtls_read(run->ends[end], &text)) {
        expect(run, rt_dtls_get_state(run->ends[end]) != RT_DTLS_CONNECTING, "data before the connection is open");
        expect(run, text.size >= 1 && text.data[0] < RECORDS, "a record that was never sent");
        for (size_t i = 0; i < text.size; i++)
            expect(run, text.data[i] == text.data[0], "a record has changed");
        expect(run, !run->got[end][text.data[0]], "a record came twice");
        run->got[end][text.data[0]] = true;
        run->received[end]++;
    }
}

static void send_record(run *run, uint32_t end, uint8_t number)
{
    uint8_t memory[RT_DTLS_OVERHEAD + 200];
    rt_packet packet = {.data = memory + RT_DTLS_HEADROOM, .size = 1 + number * 4u};
    memset(packet.data, number, packet.size);
    if (rt_dtls_seal(run->ends[end], &packet) != RT_OK)
        return;
    net_send_to(run->net, end, !end, rt_span_of(packet.data, packet.size), run->now);
    run->sent[end]++;
}

/* One step to whatever happens next; false when nothing does before `until`. */
static bool step(run *run, rt_time until)
{
    rt_time next = net_next_time(run->net);
    for (int end = 0; end < 2; end++)
        next = rt_time_min(next, rt_dtls_deadline(run->ends[end]));
    if (next > until) {
        run->now = until;
        return false;
    }
    run->now = rt_time_max(run->now, next);
    net_packet *packet;
    while ((packet = net_deliver(run->net, run->now))) {
        (void)rt_dtls_receive(run->ends[packet->node], rt_buffer_of(packet->data, packet->size), run->now);
        read_records(run, packet->node);
    }
    for (int end = 0; end < 2; end++) {
        if (rt_dtls_deadline(run->ends[end]) <= run->now)
            rt_dtls_expire(run->ends[end], run->now);
    }
    drain(run);
    return true;
}

static bool both_in(const run *run, rt_dtls_state state)
{
    return rt_dtls_get_state(run->ends[CLIENT]) == state && rt_dtls_get_state(run->ends[SERVER]) == state;
}

static void add_fingerprint(run *run, int end)
{
    uint8_t digest[RT_HASH_MAX];
    CHECK_EQ(rt_certificate_fingerprint(certificates[!end], RT_SHA256, digest), RT_OK);
    CHECK_EQ(rt_dtls_add_fingerprint(run->ends[end], RT_SHA256, rt_span_of(digest, 32), run->now), RT_OK);
    read_records(run, (uint32_t)end);
}

/* Returns how long both sides took to open; RT_NEVER when one failed. */
static rt_time simulate(run *run)
{
    rt_random random;
    rt_random_init_number(&random, run->seed);
    const scenario *scenario = run->scenario;
    run->net = net_new(run->seed);
    net_node(run->net);
    net_node(run->net);
    net_set_both(run->net, CLIENT, SERVER, &scenario->path);
    for (int end = 0; end < 2; end++) {
        rt_dtls_config config;
        rt_dtls_config_default(&config);
        config.certificate = certificates[end];
        config.role = end == CLIENT ? RT_DTLS_CLIENT : RT_DTLS_SERVER;
        config.mtu = scenario->mtu;
        config.give_up_after = scenario->limit;
        run->ends[end] = rt_dtls_new(&config);
    }
    int late = (int)rt_random_below(&random, 6); /* in some runs one side learns the fingerprint later */
    for (int end = 0; end < 2; end++) {
        if (end != late)
            add_fingerprint(run, end);
        CHECK_EQ(rt_dtls_start(run->ends[end], run->now), RT_OK);
    }
    rt_time late_at = rt_random_below(&random, 300) * RT_MS(1), opened = RT_NEVER;
    uint8_t next[2] = {0, 0};
    drain(run);
    while (run->now < scenario->limit && opened == RT_NEVER) {
        if (late < 2 && run->now >= late_at && rt_dtls_get_state(run->ends[late]) == RT_DTLS_CONNECTING) {
            add_fingerprint(run, late);
            late = 2;
        }
        for (uint32_t end = 0; end < 2; end++) { /* whoever is open speaks, the other side may not be ready */
            if (next[end] < 5 && rt_dtls_get_state(run->ends[end]) == RT_DTLS_CONNECTED)
                send_record(run, end, next[end]++);
        }
        if (both_in(run, RT_DTLS_CONNECTED))
            opened = run->now;
        else if (!step(run, late < 2 ? rt_time_min(late_at, scenario->limit) : scenario->limit) && late == 2)
            break;
        if (rt_dtls_get_state(run->ends[CLIENT]) == RT_DTLS_FAILED ||
            rt_dtls_get_state(run->ends[SERVER]) == RT_DTLS_FAILED)
            break;
    }
    if (opened == RT_NEVER) {
        expect(run, scenario->may_fail, "the handshake did not complete");
        return RT_NEVER;
    }
    for (uint8_t i = 5; i < RECORDS; i++) {
        send_record(run, CLIENT, i);
        send_record(run, SERVER, i);
        step(run, run->now + RT_MS(20));
    }
    while (step(run, run->now + RT_SECONDS(20)))
        ;
    expect(run, both_in(run, RT_DTLS_CONNECTED), "a connection ended by itself");
    if (scenario->path.loss == 0 && scenario->path.corrupt == 0 && scenario->path.truncate == 0)
        expect(run, run->received[CLIENT] == run->sent[SERVER] && run->received[SERVER] == run->sent[CLIENT],
               "a record is missing");
    rt_dtls_close(run->ends[run->seed & 1], run->now);
    drain(run);
    while (step(run, run->now + RT_SECONDS(20)))
        ;
    if (scenario->path.loss == 0 && scenario->path.corrupt == 0 && scenario->path.truncate == 0)
        expect(run, both_in(run, RT_DTLS_CLOSED), "the close did not arrive");
    return opened;
}

static int compare(const void *a, const void *b)
{
    rt_time x = *(const rt_time *)a, y = *(const rt_time *)b;
    return (x > y) - (x < y);
}

static void play(const scenario *scenario)
{
    rt_time *times = calloc(scenario->seeds, sizeof *times);
    uint32_t opened = 0;
    for (uint64_t seed = 0; seed < scenario->seeds; seed++) {
        run run = {.scenario = scenario, .seed = seed};
        rt_time time = simulate(&run);
        if (time != RT_NEVER)
            times[opened++] = time;
        rt_dtls_free(run.ends[CLIENT]);
        rt_dtls_free(run.ends[SERVER]);
        net_free(run.net);
    }
    CHECK(opened > 0);
    qsort(times, opened, sizeof *times, compare);
    printf("%-28s seeds 0..%u: %u opened, after %.0f ms (median), %.0f ms (99%%), %.0f ms (last)\n", scenario->name,
           scenario->seeds - 1, opened, (double)times[opened / 2] / 1e6, (double)times[opened * 99ull / 100] / 1e6,
           (double)times[opened - 1] / 1e6);
    free(times);
}

static void clean(void)
{
    play(&(scenario){"clean", {.delay = RT_MS(20)}, 1200, 50, RT_SECONDS(4), false});
}

static void loss(void)
{
    play(&(scenario){"5% loss", {.delay = RT_MS(20), .loss = 0.05}, 1200, 500, RT_SECONDS(60), false});
    play(&(scenario){"30% loss", {.delay = RT_MS(20), .loss = 0.3}, 1200, 1000, RT_SECONDS(300), false});
    play(&(scenario){"30% loss, MTU 300", {.delay = RT_MS(50), .loss = 0.3}, 300, 300, RT_SECONDS(900), false});
}

static void reordering(void)
{
    net_path path = {.delay = RT_MS(20), .reorder = 0.4, .reorder_delay = RT_MS(100), .duplicate = 0.3};
    play(&(scenario){"reordering and copies", path, 1200, 500, RT_SECONDS(60), false});
    play(&(scenario){"the same, MTU 256", path, 256, 500, RT_SECONDS(60), false});
}

static void everything(void)
{
    net_path path = {.delay = RT_MS(40), .jitter = RT_MS(30), .loss = 0.2, .reorder = 0.3, .duplicate = 0.2};
    play(&(scenario){"loss, reordering, copies", path, 600, 1000, RT_SECONDS(300), false});
    path.down_until = RT_SECONDS(25);
    play(&(scenario){"an outage first", path, 1200, 200, RT_SECONDS(400), false});
}

static void damage(void)
{
    net_path path = {.delay = RT_MS(20), .corrupt = 0.1, .truncate = 0.05, .duplicate = 0.1};
    play(&(scenario){"damaged datagrams", path, 1200, 500, RT_SECONDS(60), true});
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 2; i++)
        CHECK((certificates[i] = rt_certificate_generate(1700000000, 86400)));
    RUN(clean);
    RUN(loss);
    RUN(reordering);
    RUN(everything);
    RUN(damage);
    for (int i = 0; i < 2; i++)
        rt_certificate_free(certificates[i]);
    CHECK_MAIN_END;
}
