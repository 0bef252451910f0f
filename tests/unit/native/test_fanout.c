/* Fan-out on workers over loopback: a server's peers on one worker, their other ends on a second one. SRTP is the test
 * table's. Every frame that arrives is held against what was sent. */
#include "check.h"
#include "io/fanout.h"
#include "srtp_fake.h"
#include "worker_rig.h"

enum { VIDEO = 0, OTHER = 1, CLIENTS_MAX = 64, FRAME = 20000, FANOUT_TAG = 1000000 };

typedef struct seen { /* by a client, or by a server's peer */
    uint32_t frames, keys, key_requests, bitrates, broken;
    uint32_t last; /* number */
    int64_t timestamp;
} seen;

typedef struct hall {
    rig *rig;
    rt_worker *server, *away;
    rig_node *peers[CLIENTS_MAX]; /* of the server; `other` is the client */
    uint32_t count;
    seen seen[RIG_NODES]; /* by tag */
    uint32_t fanout_events;
    rt_fanout *fanout;
    /* what the run waits for */
    uint32_t wanted_frames, from, key_requests;
} hall;

static hall *current; /* for the conditions of rig_run */

static void on_media(rig *r, rt_worker_event *event)
{
    hall *h = r->context;
    if (event->event.type == RT_WORKER_EVENT_FANOUT) {
        CHECK_EQ(event->tag, FANOUT_TAG);
        h->fanout_events++;
        return;
    }
    const rt_media_event *media = &event->event.media;
    seen *s = &h->seen[event->tag];
    s->key_requests += media->type == RT_MEDIA_EVENT_KEY_FRAME;
    s->bitrates += media->type == RT_MEDIA_EVENT_BITRATE;
    if (media->type != RT_MEDIA_EVENT_FRAME)
        return;
    const rt_frame *frame = media->frame;
    uint32_t number = rt_load32(frame->data + 12);
    bool key = frame->flags & RT_FRAME_KEY;
    s->broken += !key && s->frames && number != s->last + 1;
    for (size_t i = 16; i < frame->size; i++)
        s->broken += frame->data[i] != (uint8_t)(number + i);
    s->frames++;
    s->keys += key;
    s->last = number;
    s->timestamp = frame->timestamp;
}

/* ---- building ---- */

static rt_media_section section_of(bool server, rt_media_format *format, rt_media_encoding *encoding,
                                   rt_media_source *source)
{
    *format = (rt_media_format){.payload_type = 96,
                                .rtx_payload_type = 97,
                                .nack = true,
                                .pli = true,
                                .twcc = true,
                                .payload = {.codec = RT_CODEC_VP8, .clock_rate = 90000}};
    *encoding = (rt_media_encoding){.ssrc = server ? 100 : 200, .rtx_ssrc = server ? 101 : 201, .active = true};
    *source = (rt_media_source){.ssrc = server ? 200 : 100, .rtx_ssrc = server ? 201 : 101};
    rt_media_section section = {.mid = {.size = 1, .data = "0"},
                                .video = true,
                                .receive = true,
                                .send = true,
                                .reduced_size = true,
                                .passthrough = true,
                                .max_delay = RT_SECONDS(1),
                                .formats = format,
                                .format_count = 1,
                                .sources = source,
                                .source_count = 1,
                                .send_format = *format,
                                .encodings = encoding,
                                .encoding_count = 1};
    CHECK_EQ(rt_rtp_extension_map_set(&section.extensions, RT_RTP_MID, 1), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(&section.extensions, RT_RTP_TRANSPORT_SEQUENCE, 2), RT_OK);
    return section;
}

static void start_media(rig_node *node, bool server)
{
    rt_media_config config;
    rt_media_config_default(&config);
    config.srtp = srtp_fake();
    config.start_bitrate = 20000000; /* no waiting for the pacer here */
    rt_media_format format;
    rt_media_encoding encoding;
    rt_media_source source;
    rt_media_section section = section_of(server, &format, &encoding, &source);
    rt_worker_lock(node->worker);
    CHECK_EQ(rt_worker_start_media(node->peer, &config), RT_OK);
    CHECK_EQ(rt_worker_set_section(node->peer, VIDEO, &section), RT_OK);
    rt_worker_flush(node->peer);
    rt_worker_unlock(node->worker);
}

static rig_node *join(hall *h, uint32_t socket)
{
    rig_node *peer = rig_pair(h->rig, h->server, h->away, 4, socket);
    start_media(peer, true);
    start_media(peer->other, false);
    h->peers[h->count++] = peer;
    return peer;
}

static void lock(hall *h)
{
    rt_worker_lock(h->server);
}

static void unlock(hall *h)
{
    rt_worker_unlock(h->server);
}

static bool all_connected(rig *r)
{
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i].peer && r->nodes[i].dtls != RT_DTLS_CONNECTED)
            return false;
    return true;
}

static hall *hall_new(uint32_t clients, bool threaded)
{
    hall *h = calloc(1, sizeof *h);
    CHECK(h);
    h->rig = rig_new();
    h->rig->on_media = on_media;
    h->rig->context = h;
    rt_worker_config config;
    rt_worker_config_default(&config);
    config.threaded = threaded;
    h->server = rig_worker(h->rig, &config);
    h->away = rig_worker(h->rig, &config);
    uint32_t socket = rig_shared(h->rig, h->server);
    current = h;
    for (uint32_t i = 0; i < clients; i++)
        join(h, socket);
    CHECK(rig_run(h->rig, all_connected, RT_SECONDS(20)));
    rt_payload_format format = {.codec = RT_CODEC_VP8, .clock_rate = 90000};
    lock(h);
    CHECK_EQ(rt_fanout_new(h->server, &format, FANOUT_TAG, &h->fanout), RT_OK);
    unlock(h);
    memset(h->seen, 0, sizeof h->seen); /* requests and bitrates of the beginning, when there was no fan-out yet */
    return h;
}

static void hall_free(hall *h)
{
    for (uint32_t i = 0; i < RIG_NODES; i++)
        CHECK_EQ(h->seen[i].broken, 0);
    rig_free(h->rig);
    free(h);
}

static void add(hall *h, uint32_t from, uint32_t to)
{
    lock(h);
    for (uint32_t i = from; i < to; i++)
        CHECK_EQ(rt_fanout_add(h->fanout, h->peers[i]->peer, VIDEO, 0), RT_OK);
    unlock(h);
}

/* ---- frames ---- */

static void make_frame(rt_frame *frame, uint8_t *data, uint32_t number, bool key)
{
    static const uint8_t start[10] = {0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xF0, 0x00};
    *frame = (rt_frame){.codec = RT_CODEC_VP8, .audio_level = RT_FRAME_NO_LEVEL, .timestamp = 3000 * (int64_t)number};
    frame->flags = key ? RT_FRAME_KEY : 0;
    memset(data, 0, 12);
    memcpy(data, start, sizeof start);
    data[0] |= !key;
    rt_store32(data + 12, number);
    for (size_t i = 16; i < FRAME; i++)
        data[i] = (uint8_t)(number + i);
}

static void send_frame(hall *h, uint32_t number, bool key)
{
    rt_frame frame;
    uint8_t data[FRAME];
    make_frame(&frame, data, number, key);
    lock(h);
    CHECK_EQ(rt_fanout_send(h->fanout, &frame, rt_span_of(data, FRAME), rt_worker_now()), RT_OK);
    unlock(h);
}

/* A client sends one to the server. */
static void client_sends(rig_node *peer, uint32_t number, bool key)
{
    rt_frame frame;
    uint8_t data[FRAME];
    make_frame(&frame, data, number, key);
    rig_node *client = peer->other;
    rt_time now = rt_worker_now();
    rt_worker_lock(client->worker);
    rt_media *media = rt_peer_media(rt_worker_peer_machine(client->peer));
    CHECK_EQ(rt_media_send(media, VIDEO, 0, &frame, rt_span_of(data, FRAME), now, now), RT_OK);
    rt_worker_flush(client->peer);
    rt_worker_unlock(client->worker);
}

static seen *client_of(hall *h, uint32_t i)
{
    return &h->seen[h->peers[i]->other->tag];
}

static bool frames_came(rig *r)
{
    (void)r;
    for (uint32_t i = current->from; i < current->count; i++)
        if (client_of(current, i)->frames < current->wanted_frames)
            return false;
    return true;
}

static bool wait_frames(hall *h, uint32_t from, uint32_t frames)
{
    h->from = from;
    h->wanted_frames = frames;
    return rig_run(h->rig, frames_came, RT_SECONDS(10));
}

static bool never(rig *r)
{
    (void)r;
    return false;
}

static void pass(hall *h, rt_time span)
{
    (void)rig_run(h->rig, never, span);
}

/* ---- tests ---- */

static void frames_of_the_application(void)
{
    hall *h = hall_new(4, false);
    add(h, 0, 4);
    lock(h);
    CHECK_EQ(rt_fanout_count(h->fanout), 4);
    CHECK_EQ(rt_fanout_add(h->fanout, h->peers[0]->peer, VIDEO, 0), RT_EXISTS);
    CHECK_EQ(rt_fanout_remove(h->fanout, h->peers[0]->peer, OTHER, 0), RT_NOT_FOUND);
    CHECK_EQ(rt_fanout_add(h->fanout, h->peers[0]->other->peer, VIDEO, 0), RT_INVALID);
    unlock(h);
    for (uint32_t i = 1; i <= 10; i++) {
        send_frame(h, i, i == 1);
        CHECK(wait_frames(h, 0, i));
    }
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQ(client_of(h, i)->frames, 10);
        CHECK_EQ(client_of(h, i)->keys, 1);
    }
    lock(h);
    rt_fanout_stats stats;
    rt_fanout_get_stats(h->fanout, &stats);
    CHECK_EQ(stats.frames, 10);
    CHECK(rt_fanout_bitrate(h->fanout) > 1000000);
    rt_frame wrong = {.codec = RT_CODEC_OPUS};
    CHECK_EQ(rt_fanout_send(h->fanout, &wrong, rt_span_text("opus"), 0), RT_INVALID);
    /* Its events do not go to the server's taker. */
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ(h->seen[h->peers[i]->tag].key_requests, 0);
    unlock(h);
    hall_free(h);
}

static void one_that_joins_waits_for_a_key_frame(void)
{
    hall *h = hall_new(3, false);
    add(h, 0, 2);
    pass(h, RT_MS(20));
    lock(h);
    CHECK(rt_fanout_key_frame_needed(h->fanout));
    CHECK(!rt_fanout_key_frame_needed(h->fanout));
    unlock(h);
    CHECK(h->fanout_events > 0);
    send_frame(h, 1, true);
    send_frame(h, 2, false);
    h->count = 2;
    CHECK(wait_frames(h, 0, 2));
    h->count = 3;
    add(h, 2, 3);
    pass(h, RT_MS(250)); /* requests have their interval */
    send_frame(h, 3, false);
    pass(h, RT_MS(50));
    lock(h);
    CHECK(rt_fanout_key_frame_needed(h->fanout));
    unlock(h);
    CHECK_EQ(client_of(h, 2)->frames, 0);
    send_frame(h, 4, true);
    send_frame(h, 5, false);
    CHECK(wait_frames(h, 2, 2));
    CHECK_EQ(client_of(h, 2)->keys, 1);
    h->count = 2;
    CHECK(wait_frames(h, 0, 5));
    hall_free(h);
}

static bool key_asked(rig *r)
{
    (void)r;
    return current->seen[current->peers[0]->other->tag].key_requests >= current->key_requests;
}

static void one_client_to_all_others(void)
{
    hall *h = hall_new(5, false);
    lock(h);
    CHECK_EQ(rt_fanout_from(h->fanout, h->peers[0]->peer, VIDEO, RT_MEDIA_ALL, false), RT_OK);
    unlock(h);
    add(h, 1, 5);
    for (uint32_t i = 1; i <= 10; i++) {
        client_sends(h->peers[0], i, i == 1);
        CHECK(wait_frames(h, 1, i));
    }
    CHECK_EQ(h->seen[h->peers[0]->tag].frames, 0); /* nobody else has seen them */
    CHECK_EQ(client_of(h, 0)->frames, 0);
    lock(h);
    CHECK(!rt_fanout_key_frame_needed(h->fanout)); /* the source is asked instead */
    /* One leaves and comes again: the client that sends is asked for a key frame. */
    CHECK_EQ(rt_fanout_remove(h->fanout, h->peers[4]->peer, VIDEO, 0), RT_OK);
    CHECK_EQ(rt_fanout_count(h->fanout), 3);
    unlock(h);
    pass(h, RT_MS(300));
    h->key_requests = client_of(h, 0)->key_requests + 1;
    add(h, 4, 5);
    CHECK(rig_run(h->rig, key_asked, RT_SECONDS(5)));
    client_sends(h->peers[0], 11, true);
    CHECK(wait_frames(h, 1, 11));
    hall_free(h);
}

static void frames_come_as_events_too(void)
{
    hall *h = hall_new(2, false);
    lock(h);
    CHECK_EQ(rt_fanout_from(h->fanout, h->peers[0]->peer, VIDEO, 0, true), RT_OK);
    unlock(h);
    add(h, 1, 2);
    for (uint32_t i = 1; i <= 5; i++) {
        client_sends(h->peers[0], i, i == 1);
        CHECK(wait_frames(h, 1, i));
    }
    CHECK_EQ(h->seen[h->peers[0]->tag].frames, 5);
    hall_free(h);
}

/* Another source: a key frame first, and timestamps that go on. */
static void the_source_changes(void)
{
    hall *h = hall_new(3, false);
    lock(h);
    CHECK_EQ(rt_fanout_from(h->fanout, h->peers[0]->peer, VIDEO, 0, false), RT_OK);
    unlock(h);
    add(h, 2, 3);
    client_sends(h->peers[0], 1, true);
    client_sends(h->peers[0], 2, false);
    CHECK(wait_frames(h, 2, 2));
    int64_t before = client_of(h, 2)->timestamp;
    pass(h, RT_MS(20));
    lock(h);
    CHECK_EQ(rt_fanout_from(h->fanout, h->peers[1]->peer, VIDEO, 0, false), RT_OK);
    unlock(h);
    client_sends(h->peers[0], 3, false);
    client_sends(h->peers[1], 1001, true);
    client_sends(h->peers[1], 1002, false);
    CHECK(wait_frames(h, 2, 4));
    pass(h, RT_MS(20));
    CHECK_EQ(client_of(h, 2)->frames, 4);
    CHECK_EQ(client_of(h, 2)->last, 1002);
    CHECK_EQ(client_of(h, 2)->keys, 2);
    /* Between 2 and 1002 lie some tens of ms; the second one's clock would have said 33 s. */
    int64_t passed = client_of(h, 2)->timestamp - before;
    CHECK(passed > 3000 + 1500 && passed < 90000);
    hall_free(h);
}

static void peers_go(void)
{
    hall *h = hall_new(4, false);
    lock(h);
    CHECK_EQ(rt_fanout_from(h->fanout, h->peers[0]->peer, VIDEO, 0, false), RT_OK);
    unlock(h);
    add(h, 1, 4);
    client_sends(h->peers[0], 1, true);
    CHECK(wait_frames(h, 1, 1));
    rig_remove(h->peers[3]);
    lock(h);
    CHECK_EQ(rt_fanout_count(h->fanout), 2);
    unlock(h);
    h->count = 3;
    client_sends(h->peers[0], 2, false);
    CHECK(wait_frames(h, 1, 2));
    rig_remove(h->peers[0]); /* the source: the application's turn */
    send_frame(h, 3, true);
    CHECK(wait_frames(h, 1, 3));
    lock(h);
    rt_fanout_free(h->fanout);
    unlock(h);
    pass(h, RT_MS(20));
    hall_free(h);
}

static void many_share_their_system_calls(void)
{
    enum { MANY = 40, COUNT = 20 };
    hall *h = hall_new(MANY, false);
    add(h, 0, MANY);
    send_frame(h, 1, true);
    CHECK(wait_frames(h, 0, 1));
    rt_worker_stats before, after;
    rt_worker_get_stats(h->server, &before);
    for (uint32_t i = 2; i < 2 + COUNT; i++) {
        send_frame(h, i, false);
        CHECK(wait_frames(h, 0, i));
    }
    rt_worker_get_stats(h->server, &after);
    uint64_t calls = after.send_calls - before.send_calls, packets = after.datagrams_sent - before.datagrams_sent;
    printf("%d consumers: %.1f packets per system call\n", MANY, (double)packets / (double)calls);
    CHECK(packets >= MANY * COUNT * (FRAME / 1200));
    CHECK(packets >= calls * 8);
    hall_free(h);
}

static void on_a_thread(void)
{
    hall *h = hall_new(8, true);
    add(h, 0, 8);
    for (uint32_t i = 1; i <= 50; i++) {
        send_frame(h, i, i == 1);
        CHECK(wait_frames(h, 0, i));
    }
    rig_remove(h->peers[7]);
    h->count = 7;
    send_frame(h, 51, false);
    CHECK(wait_frames(h, 0, 51));
    hall_free(h);
}

int main(int argc, char **argv)
{
    RUN(frames_of_the_application);
    RUN(one_that_joins_waits_for_a_key_frame);
    RUN(one_client_to_all_others);
    RUN(frames_come_as_events_too);
    RUN(the_source_changes);
    RUN(peers_go);
    RUN(many_share_their_system_calls);
    RUN(on_a_thread);
    CHECK_MAIN_END;
}
