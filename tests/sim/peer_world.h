/* Two peers on the virtual network, with signalling that takes its time: what the simulations of a peer share.
 *
 *     world *w = world_new(seed);
 *     world_connect(w);                       descriptions are exchanged, ICE, DTLS, SCTP come up
 *     world_until(w, condition, RT_SECONDS(5));
 *
 * Every step asserts that the drive rule holds: after feeding and draining, a deadline lies in the future.
 */
#ifndef RT_SIM_PEER_WORLD_H
#define RT_SIM_PEER_WORLD_H

#include "check.h"
#include "net.h"
#include "peer/peer.h"

enum { WORLD_STATES = 16, WORLD_BATCH = 64 };

typedef struct world world;

typedef struct station {
    world *w;
    rt_peer *peer;
    rt_random random;
    rt_certificate *certificate;
    uint32_t node;
    uint32_t trickled; /* candidates of ours that the other side has */
    rt_addr address;

    /* What was heard. */
    rt_ice_state ice_states[WORLD_STATES];
    uint32_t ice_count;
    rt_dtls_state dtls_states[WORLD_STATES];
    uint32_t dtls_count;
    char dtls_text[128];
    uint32_t connected, disconnected, selected, rooms;
    uint64_t events;
    rt_time drained; /* when it last drained */
    /* Takes a channel event; the harness releases and frees messages after. May be NULL. */
    void (*listen)(struct station *, const rt_channel_event *);
    /* Takes a media event; the harness drops the frame after. May be NULL. */
    void (*listen_media)(struct station *, const rt_media_event *);
    bool slow; /* messages are not released */
    size_t unreleased;
    void *context;
} station;

struct world {
    net *network;
    station s[2]; /* the offerer (controlling), the answerer */
    rt_time now;
    uint64_t seed, steps;
    uint8_t memory[WORLD_BATCH * 1400];
    rt_packet packets[WORLD_BATCH];
};

/* One key for all runs: making it costs more than a connection. */
static inline rt_certificate *world_certificate(void)
{
    static rt_certificate *certificate;
    if (!certificate)
        certificate = rt_certificate_generate(1700000000, 86400);
    CHECK(certificate != NULL);
    return rt_certificate_ref(certificate);
}

static inline void station_new(world *w, int which, const rt_peer_config *given)
{
    station *s = &w->s[which];
    s->w = w;
    rt_random_init_number(&s->random, w->seed * 2 + (uint64_t)which);
    s->certificate = world_certificate();
    s->node = net_node(w->network);
    s->address = net_address(w->network, s->node);
    s->address.port = 40000;
    rt_peer_config config = *given;
    config.random = &s->random;
    config.dtls.certificate = s->certificate;
    config.ice.controlling = which == 0;
    s->peer = rt_peer_new(&config, w->now);
    CHECK(s->peer != NULL);
    CHECK_EQ(rt_ice_add_host(rt_peer_ice(s->peer), 0, &s->address, 65535, w->now), RT_OK);
    rt_ice_end_of_local(rt_peer_ice(s->peer), w->now);
}

static inline world *world_new_configured(uint64_t seed, const rt_peer_config *config)
{
    world *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->seed = seed;
    w->now = RT_SECONDS(100);
    w->network = net_new(seed);
    for (int i = 0; i < 2; i++)
        station_new(w, i, config);
    net_set_both(w->network, w->s[0].node, w->s[1].node, &(net_path){.delay = RT_MS(5)});
    return w;
}

static inline world *world_new(uint64_t seed)
{
    rt_peer_config config;
    rt_peer_config_default(&config);
    return world_new_configured(seed, &config);
}

static inline void world_free(world *w)
{
    for (int i = 0; i < 2; i++) {
        rt_peer_free(w->s[i].peer);
        rt_certificate_free(w->s[i].certificate);
    }
    net_free(w->network);
    free(w);
}

static inline void world_path(world *w, const net_path *path)
{
    net_set_both(w->network, w->s[0].node, w->s[1].node, path);
}

static inline void station_hear_channel(station *s, rt_channel_event *event)
{
    if (s->listen)
        s->listen(s, event);
    switch (event->type) {
    case RT_CHANNEL_EVENT_MESSAGE:
        rt_message_free(event->message);
        if (s->slow)
            s->unreleased += event->charge;
        else
            rt_channels_release(rt_peer_channels(s->peer), event->charge, s->w->now);
        break;
    case RT_CHANNEL_EVENT_CONNECTED: s->connected++; break;
    case RT_CHANNEL_EVENT_DISCONNECTED: s->disconnected++; break;
    case RT_CHANNEL_EVENT_SEND_ROOM: s->rooms++; break;
    default: break;
    }
}

static inline void station_hear_media(station *s, rt_media_event *event)
{
    if (s->listen_media)
        s->listen_media(s, event);
    if (event->type == RT_MEDIA_EVENT_FRAME)
        rt_frame_unref(event->frame);
}

static inline void station_hear(station *s)
{
    rt_peer_event event;
    while (rt_peer_event_next(s->peer, &event, s->w->now)) {
        s->events++;
        switch (event.type) {
        case RT_PEER_EVENT_ICE:
            if (event.ice.type == RT_ICE_EVENT_STATE && s->ice_count < WORLD_STATES)
                s->ice_states[s->ice_count++] = event.ice.state;
            s->selected += event.ice.type == RT_ICE_EVENT_SELECTED;
            break;
        case RT_PEER_EVENT_DTLS:
            if (s->dtls_count < WORLD_STATES)
                s->dtls_states[s->dtls_count++] = event.dtls.state;
            memcpy(s->dtls_text, event.dtls.text, sizeof s->dtls_text);
            break;
        case RT_PEER_EVENT_CHANNEL: station_hear_channel(s, &event.channel); break;
        case RT_PEER_EVENT_MEDIA: station_hear_media(s, &event.media); break;
        }
    }
}

/* Sends all that the station has to say now. */
static inline void station_flush(station *s)
{
    world *w = s->w;
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(w->memory, sizeof w->memory), w->packets, WORLD_BATCH);
    for (;;) {
        station_hear(s);
        rt_batch_reset(&batch);
        size_t count = rt_peer_transmit(s->peer, &batch, w->now);
        CHECK_EQ(count, batch.count);
        if (count == 0)
            break;
        for (uint32_t i = 0; i < batch.count; i++) {
            const rt_packet *packet = &batch.packets[i];
            CHECK_EQ(packet->socket, 0);
            net_send(w->network, s->node, &s->address, &packet->to, rt_span_of(packet->data, packet->size), w->now);
        }
    }
    s->drained = w->now;
}

static inline void world_flush(world *w)
{
    station_flush(&w->s[0]);
    station_flush(&w->s[1]);
}

/* All that arrives now, then what is due, then out with it. */
static inline void world_turn(world *w)
{
    bool due[2] = {false, false};
    for (net_packet *packet; (packet = net_deliver(w->network, w->now)) != NULL;) {
        for (int i = 0; i < 2; i++) {
            station *s = &w->s[i];
            if (packet->node != s->node)
                continue;
            (void)rt_peer_receive(s->peer, 0, &packet->from, rt_buffer_of(packet->data, packet->size), w->now);
            due[i] = true;
        }
    }
    for (int i = 0; i < 2; i++) {
        station *s = &w->s[i];
        if (rt_peer_deadline(s->peer) <= w->now) {
            rt_peer_expire(s->peer, w->now);
            due[i] = true;
        }
        if (due[i])
            station_flush(s);
        if (rt_peer_deadline(s->peer) <= w->now) {
            fprintf(stderr, "seed %" PRIu64 ": station %d would spin at %" PRId64 "\n", w->seed, i, w->now);
            exit(1);
        }
    }
    w->steps++;
}

static inline rt_time world_next(const world *w)
{
    rt_time next = net_next_time(w->network);
    for (int i = 0; i < 2; i++)
        next = rt_time_min(next, rt_peer_deadline(w->s[i].peer));
    return next;
}

/* To `until`, with all that happens before. */
static inline void world_run(world *w, rt_time until)
{
    world_flush(w);
    for (;;) {
        rt_time next = world_next(w);
        if (next > until)
            break;
        w->now = rt_time_max(w->now, next);
        world_turn(w);
    }
    w->now = rt_time_max(w->now, until);
}

/* Runs until the condition holds; false when it does not within `span`. */
static inline bool world_until(world *w, bool (*condition)(world *), rt_time span)
{
    rt_time end = w->now + span;
    world_flush(w);
    while (!condition(w)) {
        rt_time next = world_next(w);
        if (next > end)
            return false;
        w->now = rt_time_max(w->now, next);
        world_turn(w);
    }
    return true;
}

/* The description of one station reaches the other. */
static inline void world_describe(world *w, int from)
{
    station *s = &w->s[from], *other = &w->s[1 - from];
    rt_ice *ice = rt_peer_ice(s->peer), *remote = rt_peer_ice(other->peer);
    uint8_t digest[RT_HASH_MAX];
    CHECK_EQ(rt_certificate_fingerprint(s->certificate, RT_SHA256, digest), RT_OK);
    CHECK_EQ(rt_ice_set_remote_credentials(remote, rt_span_text(rt_ice_local_ufrag(ice)),
                                           rt_span_text(rt_ice_local_pwd(ice)), w->now),
             RT_OK);
    CHECK_EQ(rt_peer_add_fingerprint(other->peer, RT_SHA256, rt_span_of(digest, 32), w->now), RT_OK);
    rt_ice_candidate candidate = {
        .address = s->address, .priority = 2130706431, .type = RT_ICE_HOST, .foundation = "1"};
    (void)rt_ice_add_remote(remote, &candidate, w->now);
    rt_ice_end_of_remote(remote, w->now);
}

static inline void world_start(world *w, int which, bool dtls_client)
{
    station *s = &w->s[which];
    CHECK_EQ(rt_peer_set_dtls_role(s->peer, dtls_client ? RT_DTLS_CLIENT : RT_DTLS_SERVER, w->now), RT_OK);
    CHECK_EQ(rt_peer_start_sctp(s->peer, 5000, 262144, w->now), RT_OK);
}

/* Offer and answer at once; the answerer is the DTLS client if `answerer_client` (as "active"). */
static inline void world_signal(world *w, bool answerer_client)
{
    world_describe(w, 0);
    world_describe(w, 1);
    world_start(w, 0, !answerer_client);
    world_start(w, 1, answerer_client);
}

static inline bool world_is_connected(world *w)
{
    return w->s[0].connected > w->s[0].disconnected && w->s[1].connected > w->s[1].disconnected;
}

static inline void world_connect(world *w)
{
    world_signal(w, true);
    CHECK(world_until(w, world_is_connected, RT_SECONDS(5)));
}

static inline rt_channels *channels_of(world *w, int which)
{
    return rt_peer_channels(w->s[which].peer);
}

#endif
