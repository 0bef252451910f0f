/* Two peers over the virtual network: coming up, staying up, going down. */
#include "peer_world.h"

/* ---- coming up ---- */

static void test_connects_in_both_roles(void)
{
    for (int answerer_client = 0; answerer_client < 2; answerer_client++) {
        world *w = world_new(1);
        world_signal(w, answerer_client);
        rt_time begin = w->now;
        CHECK(world_until(w, world_is_connected, RT_SECONDS(2)));
        printf("connected after %.0f ms of virtual time, %.1f round trips\n", (double)(w->now - begin) / 1e6,
               (double)(w->now - begin) / 1e7);
        CHECK_EQ(w->s[0].dtls_states[0], RT_DTLS_CONNECTING);
        CHECK_EQ(w->s[0].dtls_states[1], RT_DTLS_CONNECTED);
        CHECK_EQ(rt_dtls_get_role(rt_peer_dtls(w->s[0].peer)), answerer_client ? RT_DTLS_SERVER : RT_DTLS_CLIENT);
        world_free(w);
    }
}

/* The answer reaches the offerer late: ICE cannot begin, and what the answerer sends is held back or repeated. */
static void test_late_answer(void)
{
    world *w = world_new(2);
    world_describe(w, 0);
    world_start(w, 1, true);
    world_run(w, w->now + RT_MS(700));
    world_describe(w, 1);
    world_start(w, 0, false);
    rt_time answered = w->now;
    CHECK(world_until(w, world_is_connected, RT_SECONDS(2)));
    CHECK(w->now - answered < RT_MS(1000));
    world_free(w);
}

static rt_peer_stats stats_of(world *w, int which)
{
    rt_peer_stats stats;
    rt_peer_get_stats(w->s[which].peer, &stats);
    return stats;
}

/* DTLS before its time is held back: four datagrams or 8 KiB, the others are dropped. */
static void test_early_dtls_is_bounded(void)
{
    world *w = world_new(3);
    uint8_t hello[3000] = {22, 0xfe, 0xfd};
    for (int i = 0; i < 100; i++) {
        uint8_t copy[sizeof hello];
        memcpy(copy, hello, sizeof hello);
        rt_status status = rt_peer_receive(w->s[0].peer, 0, &w->s[1].address, rt_buffer_of(copy, sizeof copy), w->now);
        CHECK_EQ(status, i < 2 ? RT_OK : RT_AGAIN); /* three do not fit into 8 KiB */
    }
    CHECK_EQ(stats_of(w, 0).early, 100);
    world_connect(w); /* and it does no harm */
    world_free(w);
}

static void test_other_datagrams_are_counted(void)
{
    world *w = world_new(4);
    world_connect(w);
    uint8_t rtp[] = {0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    CHECK_EQ(rt_peer_receive(w->s[0].peer, 0, &w->s[1].address, rt_buffer_of(rtp, sizeof rtp), w->now), RT_UNEXPECTED);
    CHECK_EQ(rt_peer_receive(w->s[0].peer, 0, &w->s[1].address, rt_buffer_of(rtp, 0), w->now), RT_UNEXPECTED);
    CHECK_EQ(stats_of(w, 0).unknown, 2);
    uint8_t dtls[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0};
    rt_addr stranger = w->s[1].address;
    stranger.port = 6666;
    CHECK_EQ(rt_peer_receive(w->s[0].peer, 0, &stranger, rt_buffer_of(dtls, sizeof dtls), w->now), RT_UNEXPECTED);
    CHECK_EQ(stats_of(w, 0).foreign, 1);
    world_free(w);
}

/* The fingerprint of somebody else: nothing opens, and DTLS says so. */
static void test_wrong_fingerprint(void)
{
    world *w = world_new(5);
    rt_certificate_free(w->s[1].certificate);
    w->s[1].certificate = rt_certificate_generate(1700000000, 86400); /* not the one that the peer has */
    world_signal(w, true);
    world_run(w, w->now + RT_SECONDS(3));
    CHECK_EQ(w->s[0].connected, 0);
    CHECK_EQ(w->s[0].dtls_states[w->s[0].dtls_count - 1], RT_DTLS_FAILED);
    CHECK(strstr(w->s[0].dtls_text, "fingerprint") != NULL);
    CHECK_EQ(w->s[0].disconnected, 1);
    uint32_t handle;
    rt_channel_options options = {
        .ordered = true, .id = RT_CHANNEL_ID_NONE, .max_retransmits = -1, .max_lifetime_ms = -1};
    CHECK_EQ(rt_channel_open(channels_of(w, 0), &options, &handle, w->now), RT_CLOSED);
    world_free(w);
}

/* The fingerprint comes after the handshake: held until then. */
static void test_late_fingerprint(void)
{
    world *w = world_new(6);
    world_describe(w, 0);
    world_start(w, 1, true);
    station *offerer = &w->s[0], *answerer = &w->s[1];
    rt_ice *ice = rt_peer_ice(offerer->peer), *remote = rt_peer_ice(answerer->peer);
    CHECK_EQ(rt_ice_set_remote_credentials(ice, rt_span_text(rt_ice_local_ufrag(remote)),
                                           rt_span_text(rt_ice_local_pwd(remote)), w->now),
             RT_OK);
    world_start(w, 0, false);
    world_run(w, w->now + RT_MS(800));
    CHECK_EQ(offerer->connected, 0);
    world_describe(w, 1);
    CHECK(world_until(w, world_is_connected, RT_MS(1500)));
    world_free(w);
}

static void test_wrong_calls(void)
{
    world *w = world_new(7);
    uint8_t digest[RT_HASH_MAX] = {0};
    rt_peer *peer = w->s[0].peer;
    CHECK(rt_peer_dtls(peer) == NULL);
    CHECK(rt_peer_sctp(peer) == NULL);
    CHECK(rt_peer_channels(peer) == NULL);
    CHECK_EQ(rt_peer_add_fingerprint(peer, RT_SHA1, rt_span_of(digest, 20), w->now), RT_UNSUPPORTED);
    CHECK_EQ(rt_peer_add_fingerprint(peer, RT_SHA256, rt_span_of(digest, 31), w->now), RT_INVALID);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(rt_peer_add_fingerprint(peer, RT_SHA256, rt_span_of(digest, 32), w->now), RT_OK);
    CHECK_EQ(rt_peer_add_fingerprint(peer, RT_SHA256, rt_span_of(digest, 32), w->now), RT_TOO_LARGE);
    CHECK_EQ(rt_peer_set_dtls_role(peer, RT_DTLS_CLIENT, w->now), RT_OK);
    CHECK_EQ(rt_peer_set_dtls_role(peer, RT_DTLS_CLIENT, w->now), RT_OK);
    CHECK_EQ(rt_peer_set_dtls_role(peer, RT_DTLS_SERVER, w->now), RT_UNEXPECTED);
    CHECK_EQ(rt_peer_start_sctp(peer, 5000, 0, w->now), RT_OK);
    CHECK_EQ(rt_peer_start_sctp(peer, 5000, 0, w->now), RT_EXISTS);
    rt_peer_close(peer, w->now);
    rt_peer_close(peer, w->now);
    CHECK_EQ(rt_peer_add_fingerprint(peer, RT_SHA256, rt_span_of(digest, 32), w->now), RT_CLOSED);
    CHECK_EQ(rt_peer_set_dtls_role(peer, RT_DTLS_CLIENT, w->now), RT_CLOSED);
    CHECK_EQ(rt_peer_start_sctp(peer, 5000, 0, w->now), RT_CLOSED);
    CHECK_EQ(rt_peer_receive(peer, 0, &w->s[1].address, rt_buffer_of(digest, 20), w->now), RT_CLOSED);
    CHECK_EQ(rt_peer_deadline(peer), RT_NEVER);
    world_free(w);
}

/* ---- a stream of numbered messages from one station to the other ---- */

typedef struct stream {
    uint32_t handle[2]; /* of each station */
    uint32_t sent, received;
    bool open[2], closing[2], closed[2];
    uint16_t error[2];
    bool broken; /* a message was not the next one */
} stream;

static void stream_listen(station *s, const rt_channel_event *event)
{
    stream *x = s->context;
    int which = (int)(s - s->w->s);
    switch (event->type) {
    case RT_CHANNEL_EVENT_INCOMING:
    case RT_CHANNEL_EVENT_OPEN:
        x->handle[which] = event->handle;
        x->open[which] = true;
        break;
    case RT_CHANNEL_EVENT_MESSAGE:
        x->broken |= event->message->size < 4 || rt_load32(event->message->data) != x->received;
        x->received++;
        break;
    case RT_CHANNEL_EVENT_CLOSING: x->closing[which] = true; break;
    case RT_CHANNEL_EVENT_CLOSED:
        x->closed[which] = true;
        x->error[which] = event->error;
        break;
    default: break;
    }
}

static bool stream_is_open(world *w)
{
    const stream *x = w->s[0].context;
    return x->open[0] && x->open[1];
}

static bool stream_is_closed(world *w)
{
    const stream *x = w->s[0].context;
    return x->closed[0] && x->closed[1];
}

static bool stream_has_all(world *w)
{
    const stream *x = w->s[0].context;
    return x->received == x->sent;
}

/* Sends until the buffer is full, or `max` messages. */
static void stream_send(world *w, stream *x, int from, uint32_t max, size_t size)
{
    static uint8_t block[65536];
    for (uint32_t i = 0; i < max; i++) {
        rt_store32(block, x->sent);
        rt_status status =
            rt_channel_send(channels_of(w, from), x->handle[from], rt_span_of(block, size), true, w->now);
        if (status == RT_AGAIN)
            return;
        CHECK_EQ(status, RT_OK);
        x->sent++;
    }
}

static world *stream_world(uint64_t seed, stream *x)
{
    *x = (stream){0};
    world *w = world_new(seed);
    for (int i = 0; i < 2; i++) {
        w->s[i].listen = stream_listen;
        w->s[i].context = x;
    }
    world_connect(w);
    rt_channel_options options = {.label = rt_span_text("stream"),
                                  .ordered = true,
                                  .id = RT_CHANNEL_ID_NONE,
                                  .max_retransmits = -1,
                                  .max_lifetime_ms = -1};
    uint32_t handle;
    CHECK_EQ(rt_channel_open(channels_of(w, 0), &options, &handle, w->now), RT_OK);
    CHECK(world_until(w, stream_is_open, RT_SECONDS(2)));
    return w;
}

/* ---- staying up ---- */

static void test_slow_reader_loses_nothing(void)
{
    stream x;
    world *w = stream_world(20, &x);
    w->s[1].slow = true;
    for (int i = 0; i < 40; i++) {
        stream_send(w, &x, 0, 1000, 65536);
        world_run(w, w->now + RT_MS(100));
    }
    CHECK(w->s[1].unreleased <= 5u << 20); /* the window of 4 MiB, and a message */
    CHECK(x.sent * 65536ull <= 11u << 20); /* and the buffer of the sender */
    CHECK(x.sent > x.received);
    w->s[1].slow = false;
    rt_channels_release(channels_of(w, 1), w->s[1].unreleased, w->now);
    CHECK(world_until(w, stream_has_all, RT_SECONDS(20)));
    CHECK(!x.broken);
    CHECK(w->s[0].rooms > 0);
    world_free(w);
}

static void test_ice_restart_under_transfer(void)
{
    stream x;
    world *w = stream_world(21, &x);
    world_path(w, &(net_path){.delay = RT_MS(10), .loss = 0.01});
    uint32_t selected = w->s[0].selected;
    for (int i = 0; i < 60; i++) {
        stream_send(w, &x, 0, 20, 10000);
        if (i == 20) {
            for (int k = 0; k < 2; k++) {
                rt_ice *ice = rt_peer_ice(w->s[k].peer);
                rt_ice_restart(ice, w->now);
                CHECK_EQ(rt_ice_add_host(ice, 0, &w->s[k].address, 65535, w->now), RT_OK);
                rt_ice_end_of_local(ice, w->now);
            }
            world_describe(w, 0);
            world_run(w, w->now + RT_MS(60)); /* the answer takes its time */
            world_describe(w, 1);
        }
        world_run(w, w->now + RT_MS(50));
    }
    CHECK(world_until(w, stream_has_all, RT_SECONDS(20)));
    CHECK(!x.broken);
    CHECK(x.sent > 100);
    CHECK(w->s[0].selected > selected);
    CHECK_EQ(w->s[0].disconnected, 0);
    CHECK_EQ(w->s[0].dtls_count, 2); /* connecting, connected: DTLS knows nothing of it */
    world_free(w);
}

static bool heard_ice(const station *s, rt_ice_state state)
{
    for (uint32_t i = 0; i < s->ice_count; i++) {
        if (s->ice_states[i] == state)
            return true;
    }
    return false;
}

/* The path dies for minutes; after an ICE restart the transfer goes on where it was. */
static void test_path_dies_and_comes_back(void)
{
    stream x;
    world *w = stream_world(22, &x);
    stream_send(w, &x, 0, 100, 10000);
    world_run(w, w->now + RT_MS(7));
    world_path(w, &(net_path){.delay = RT_MS(5), .down_from = w->now, .down_until = RT_NEVER});
    stream_send(w, &x, 0, 100, 10000);
    world_run(w, w->now + RT_SECONDS(12));
    CHECK(heard_ice(&w->s[0], RT_ICE_DISCONNECTED));
    CHECK(!heard_ice(&w->s[0], RT_ICE_FAILED));
    world_run(w, w->now + RT_SECONDS(60));
    CHECK(heard_ice(&w->s[0], RT_ICE_FAILED));
    CHECK(heard_ice(&w->s[1], RT_ICE_FAILED));
    uint64_t steps = w->steps;
    world_run(w, w->now + RT_SECONDS(600));
    CHECK(w->steps - steps < 200); /* nothing to do, and nothing done */
    CHECK_EQ(rt_dtls_get_state(rt_peer_dtls(w->s[0].peer)), RT_DTLS_CONNECTED);
    CHECK_EQ(w->s[0].disconnected, 0);

    world_path(w, &(net_path){.delay = RT_MS(5)});
    for (int k = 0; k < 2; k++) {
        rt_ice *ice = rt_peer_ice(w->s[k].peer);
        rt_ice_restart(ice, w->now);
        CHECK_EQ(rt_ice_add_host(ice, 0, &w->s[k].address, 65535, w->now), RT_OK);
        rt_ice_end_of_local(ice, w->now);
    }
    world_describe(w, 0);
    world_describe(w, 1);
    CHECK(world_until(w, stream_has_all, RT_SECONDS(70)));
    CHECK_EQ(x.received, 200);
    CHECK(!x.broken);
    world_free(w);
}

/* ---- going down ---- */

static void test_channel_closes_under_load_without_loss(void)
{
    for (int closer = 0; closer < 3; closer++) { /* the sender, the receiver, both at once */
        stream x;
        world *w = stream_world(30 + (uint64_t)closer, &x);
        world_path(w,
                   &(net_path){.delay = RT_MS(10), .loss = 0.02, .reorder = 0.05, .bandwidth = 50e6, .queue = 100000});
        stream_send(w, &x, 0, 100, 16384);
        world_run(w, w->now + RT_MS(35));
        for (int k = 0; k < 2; k++) {
            if (closer == k || closer == 2)
                CHECK_EQ(rt_channel_close(channels_of(w, k), x.handle[k], w->now), RT_OK);
        }
        CHECK(world_until(w, stream_is_closed, RT_SECONDS(30)));
        CHECK_EQ(x.received, 100);
        CHECK(!x.broken);
        CHECK_EQ(x.error[0], 0);
        CHECK_EQ(x.error[1], 0);
        if (closer < 2)
            CHECK(x.closing[1 - closer]);
        world_free(w);
    }
}

static void test_close_reaches_the_other_side(void)
{
    stream x;
    world *w = stream_world(33, &x);
    rt_peer_close(w->s[0].peer, w->now);
    CHECK(world_until(w, stream_is_closed, RT_MS(100)));
    CHECK_EQ(w->s[1].dtls_states[w->s[1].dtls_count - 1], RT_DTLS_CLOSED);
    CHECK_EQ(w->s[1].disconnected, 1);
    CHECK_EQ(w->s[0].disconnected, 1);
    CHECK_EQ(x.error[1], 0);
    CHECK_EQ(rt_peer_deadline(w->s[0].peer), RT_NEVER);
    world_free(w);
}

/* ---- many ---- */

typedef struct crowd {
    uint32_t incoming, open, closed, messages;
} crowd;

static void crowd_listen(station *s, const rt_channel_event *event)
{
    crowd *c = s->context;
    c->incoming += event->type == RT_CHANNEL_EVENT_INCOMING;
    c->open += event->type == RT_CHANNEL_EVENT_OPEN;
    c->closed += event->type == RT_CHANNEL_EVENT_CLOSED;
    c->messages += event->type == RT_CHANNEL_EVENT_MESSAGE;
    if (event->type == RT_CHANNEL_EVENT_INCOMING)
        CHECK_EQ(rt_channel_send(rt_peer_channels(s->peer), event->handle, rt_span_text("welcome"), false, s->w->now),
                 RT_OK);
}

static void test_many_channels(void)
{
    enum { MANY = 2000 };
    crowd crowds[2] = {{0}};
    world *w = world_new(40);
    for (int i = 0; i < 2; i++) {
        w->s[i].listen = crowd_listen;
        w->s[i].context = &crowds[i];
    }
    world_connect(w);
    world_path(w, &(net_path){.delay = RT_MS(10), .loss = 0.02});
    rt_channel_options options = {.label = rt_span_text("one of many"),
                                  .ordered = true,
                                  .id = RT_CHANNEL_ID_NONE,
                                  .max_retransmits = -1,
                                  .max_lifetime_ms = -1};
    static uint32_t handles[MANY];
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(rt_channel_open(channels_of(w, i % 2), &options, &handles[i], w->now), RT_OK);
    world_run(w, w->now + RT_SECONDS(10));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(crowds[i].open, MANY / 2);
        CHECK_EQ(crowds[i].incoming, MANY / 2);
        CHECK_EQ(crowds[i].messages, MANY / 2);
    }
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(rt_channel_close(channels_of(w, i % 2), handles[i], w->now), RT_OK);
    world_run(w, w->now + RT_SECONDS(60));
    CHECK_EQ(crowds[0].closed, MANY);
    CHECK_EQ(crowds[1].closed, MANY);
    world_free(w);
}

int main(int argc, char **argv)
{
    RUN(test_connects_in_both_roles);
    RUN(test_late_answer);
    RUN(test_early_dtls_is_bounded);
    RUN(test_other_datagrams_are_counted);
    RUN(test_wrong_fingerprint);
    RUN(test_late_fingerprint);
    RUN(test_wrong_calls);
    RUN(test_slow_reader_loses_nothing);
    RUN(test_ice_restart_under_transfer);
    RUN(test_path_dies_and_comes_back);
    RUN(test_channel_closes_under_load_without_loss);
    RUN(test_close_reaches_the_other_side);
    RUN(test_many_channels);
    CHECK_MAIN_END;
}
