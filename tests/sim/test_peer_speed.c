/* What the whole stack below the sockets costs: two peers in one thread, an ideal wire, CPU time of both.
 *
 *     test_peer_speed [MEGABYTES]       default 32, so that it can run as a test
 *
 * Prints CPU seconds per GB for bulk messages, nanoseconds per small message and per round trip, the cost
 * of a connection, and what a peer weighs.
 */
#include "check.h"
#include "peer/peer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <time.h>

enum { BATCH = 128, SLOT = 1280 };

typedef struct side {
    rt_peer *peer;
    rt_random random;
    rt_addr address;
    uint32_t channel;
    uint64_t messages, bytes;
    bool connected, full;
} side;

typedef struct lab {
    side s[2];
    rt_time now;
    uint64_t datagrams;
} lab;

static uint8_t memory[BATCH * SLOT];
static rt_packet packets[BATCH];
static rt_certificate *certificate;

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hear(lab *l, side *s)
{
    rt_peer_event event;
    while (rt_peer_event_next(s->peer, &event, l->now)) {
        if (event.type != RT_PEER_EVENT_CHANNEL)
            continue;
        switch (event.channel.type) {
        case RT_CHANNEL_EVENT_MESSAGE:
            s->messages++;
            s->bytes += event.channel.message->size;
            rt_channels_release(rt_peer_channels(s->peer), event.channel.charge, l->now);
            rt_message_free(event.channel.message);
            break;
        case RT_CHANNEL_EVENT_INCOMING:
        case RT_CHANNEL_EVENT_OPEN: s->channel = event.channel.handle; break;
        case RT_CHANNEL_EVENT_CONNECTED: s->connected = true; break;
        case RT_CHANNEL_EVENT_SEND_ROOM: s->full = false; break;
        default: break;
        }
    }
}

/* One burst from one to the other, as a worker would send and receive it. */
static bool carry(lab *l, int from)
{
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, BATCH);
    if (rt_peer_transmit(l->s[from].peer, &batch, l->now) == 0)
        return false;
    l->datagrams += batch.count;
    for (uint32_t i = 0; i < batch.count; i++)
        (void)rt_peer_receive(l->s[1 - from].peer, 0, &l->s[from].address,
                              rt_buffer_of(batch.packets[i].data, batch.packets[i].size), l->now);
    hear(l, &l->s[1 - from]);
    return true;
}

/* Until neither has anything to say, in time that passes as it would on a fast machine. */
static void settle(lab *l)
{
    for (bool any = true; any;) {
        any = carry(l, 0);
        any |= carry(l, 1);
        hear(l, &l->s[0]);
        hear(l, &l->s[1]);
        l->now += RT_US(20);
    }
}

static void wait(lab *l)
{
    settle(l);
    l->now = rt_time_max(l->now, rt_time_min(rt_peer_deadline(l->s[0].peer), rt_peer_deadline(l->s[1].peer)));
    rt_peer_expire(l->s[0].peer, l->now);
    rt_peer_expire(l->s[1].peer, l->now);
    settle(l);
}

static lab *lab_new(void)
{
    lab *l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    l->now = RT_SECONDS(1);
    for (int i = 0; i < 2; i++) {
        side *s = &l->s[i];
        rt_random_init_number(&s->random, (uint64_t)i);
        rt_peer_config config;
        rt_peer_config_default(&config);
        config.random = &s->random;
        config.dtls.certificate = certificate;
        config.ice.controlling = i == 0;
        s->address = (rt_addr){.ip = {127, 0, 0, 1}, .port = (uint16_t)(1000 + i), .family = 4};
        s->peer = rt_peer_new(&config, l->now);
        CHECK(s->peer != NULL);
        CHECK_EQ(rt_ice_add_host(rt_peer_ice(s->peer), 0, &s->address, 1, l->now), RT_OK);
        rt_ice_end_of_local(rt_peer_ice(s->peer), l->now);
    }
    for (int i = 0; i < 2; i++) {
        rt_ice *ice = rt_peer_ice(l->s[i].peer), *remote = rt_peer_ice(l->s[1 - i].peer);
        uint8_t digest[RT_HASH_MAX];
        CHECK_EQ(rt_certificate_fingerprint(certificate, RT_SHA256, digest), RT_OK);
        CHECK_EQ(rt_ice_set_remote_credentials(remote, rt_span_text(rt_ice_local_ufrag(ice)),
                                               rt_span_text(rt_ice_local_pwd(ice)), l->now),
                 RT_OK);
        rt_ice_candidate candidate = {
            .address = l->s[i].address, .priority = 2130706431, .type = RT_ICE_HOST, .foundation = "1"};
        (void)rt_ice_add_remote(remote, &candidate, l->now);
        CHECK_EQ(rt_peer_add_fingerprint(l->s[1 - i].peer, RT_SHA256, rt_span_of(digest, 32), l->now), RT_OK);
        CHECK_EQ(rt_peer_set_dtls_role(l->s[i].peer, i ? RT_DTLS_CLIENT : RT_DTLS_SERVER, l->now), RT_OK);
        CHECK_EQ(rt_peer_start_sctp(l->s[i].peer, 5000, 262144, l->now), RT_OK);
    }
    rt_channel_options options = {.label = rt_span_text("speed"),
                                  .ordered = true,
                                  .id = RT_CHANNEL_ID_NONE,
                                  .max_retransmits = -1,
                                  .max_lifetime_ms = -1};
    uint32_t handle;
    CHECK_EQ(rt_channel_open(rt_peer_channels(l->s[0].peer), &options, &handle, l->now), RT_OK);
    for (int i = 0; i < 100 && !(l->s[0].channel && l->s[1].channel); i++)
        wait(l);
    CHECK(l->s[0].channel && l->s[1].channel);
    return l;
}

static void lab_free(lab *l)
{
    rt_peer_free(l->s[0].peer);
    rt_peer_free(l->s[1].peer);
    free(l);
}

static void bulk(size_t size, uint64_t total)
{
    static uint8_t block[262144];
    lab *l = lab_new();
    l->datagrams = 0;
    double begin = cpu();
    uint64_t count = total / size, sent = 0;
    while (l->s[1].messages < count) {
        while (sent < count && !l->s[0].full) {
            rt_status status =
                rt_channel_send(rt_peer_channels(l->s[0].peer), l->s[0].channel, rt_span_of(block, size), true, l->now);
            l->s[0].full = status == RT_AGAIN;
            sent += status == RT_OK;
        }
        bool any = carry(l, 0);
        any |= carry(l, 1);
        hear(l, &l->s[0]);
        if (!any)
            wait(l);
        l->now += RT_US(100);
    }
    double spent = cpu() - begin;
    CHECK_EQ(l->s[1].bytes, count * size);
    printf("%7zu bytes: %6.2f CPU-s per GB both ends, %7.0f ns per message, %5.0f ns per datagram\n", size,
           spent / (double)(count * size) * 1e9, spent / (double)count * 1e9, spent / (double)l->datagrams * 1e9);
    lab_free(l);
}

/* Small messages, each sent at once as a call from Python does, or drained after each `run` of them. */
static void small(uint64_t count, unsigned run)
{
    uint8_t block[100] = {0};
    lab *l = lab_new();
    double begin = cpu();
    for (uint64_t sent = 0; sent < count;) {
        for (unsigned i = 0; i < run; i++, sent++)
            CHECK_EQ(rt_channel_send(rt_peer_channels(l->s[0].peer), l->s[0].channel, rt_span_of(block, sizeof block),
                                     true, l->now),
                     RT_OK);
        settle(l);
    }
    double spent = cpu() - begin;
    while (l->s[1].messages < count)
        wait(l);
    printf("    100 bytes, drained after %3u: %6.0f ns per message\n", run, spent / (double)count * 1e9);
    lab_free(l);
}

static void ping_pong(uint64_t count)
{
    uint8_t block[100] = {0};
    lab *l = lab_new();
    double begin = cpu();
    for (uint64_t i = 0; i < count; i++) {
        for (int k = 0; k < 2; k++) {
            CHECK_EQ(rt_channel_send(rt_peer_channels(l->s[k].peer), l->s[k].channel, rt_span_of(block, sizeof block),
                                     true, l->now),
                     RT_OK);
            while (l->s[1 - k].messages <= i)
                CHECK(carry(l, k));
        }
    }
    printf("    100 bytes, there and back:    %6.0f ns per round trip\n", (cpu() - begin) / (double)count * 1e9);
    lab_free(l);
}

static void idle_poll(void)
{
    lab *l = lab_new();
    wait(l);
    enum { COUNT = 200000 };
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, BATCH);
    double begin = cpu();
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(rt_peer_transmit(l->s[0].peer, &batch, l->now), 0);
        hear(l, &l->s[0]);
        CHECK(rt_peer_deadline(l->s[0].peer) > l->now);
    }
    printf("poll of an idle peer:             %6.0f ns\n", (cpu() - begin) / COUNT * 1e9);
    lab_free(l);
}

/* 0 where the C library does not tell. */
static size_t heap(void)
{
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

static void connections(int count)
{
    lab **labs = calloc((size_t)count, sizeof *labs);
    CHECK(labs != NULL);
    size_t before = heap();
    double begin = cpu();
    for (int i = 0; i < count; i++)
        labs[i] = lab_new();
    double spent = cpu() - begin;
    size_t each = (heap() - before) / (size_t)count / 2;
    printf("connection: %.2f ms CPU both ends; a connected peer takes %.1f KiB of heap\n", spent / count * 1e3,
           (double)each / 1024);
    CHECK(each < 50 * 1024);
    for (int i = 0; i < count; i++)
        lab_free(labs[i]);
    free(labs);
}

int main(int argc, char **argv)
{
    uint64_t megabytes = argc > 1 ? strtoull(argv[1], NULL, 10) : 32;
    certificate = rt_certificate_generate(1700000000, 86400);
    CHECK(certificate != NULL);
    connections(50);
    bulk(16384, megabytes << 20);
    bulk(65536, megabytes << 20);
    bulk(262144, megabytes << 20);
    small(megabytes * 2000, 1);
    small(megabytes * 2000, 8);
    small(megabytes * 2000, 100);
    ping_pong(megabytes * 500);
    idle_poll();
    rt_certificate_free(certificate);
    check_passed = 9;
    CHECK_MAIN_END;
}
