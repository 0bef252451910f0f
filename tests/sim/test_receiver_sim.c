/* Ten minutes of media over bad networks, in virtual time, against an oracle: no frame is lost that could be played.
 *
 * Video: a frame could be played if all its packets came, what it refers to was played, and no later frame had left
 * by then. Audio: if it came before its time was given to concealment. Everything that was sent is accounted for.
 */
#include "media_stream.h"

#include "base/random.h"
#include "check.h"

enum { FRAMES_MAX = 20000, PACKETS_MOST = 12, HISTORY = 4096, FLIGHT = 8192, STEP = 3000 };

typedef struct network {
    uint32_t loss, reordered, duplicated; /* per mille */
    rt_time delay, jitter;                /* one way; evenly in [delay, delay + jitter), in order unless reordered */
    rt_time late;                         /* more, for the reordered ones */
    uint32_t burst;                       /* packets that a loss takes along */
} network;

typedef struct flight {
    rt_time at;
    uint32_t packet; /* in the history */
    bool recovered;
} flight;

typedef struct fate { /* of a frame */
    uint32_t packets, came;
    rt_time whole; /* when its last packet came; 0: it did not */
    rt_time left;  /* 0: it did not */
    rt_time lost;  /* when its time was given to concealment; 0: it was not */
    bool key;
    uint8_t temporal;
} fate;

typedef struct world {
    rt_random random;
    network net;
    stream s;
    rt_receiver *receiver;
    rt_time now, last_arrival;
    bool repairs;  /* what is asked for is sent again */
    bool key_next; /* a key frame was asked for */
    rt_time key_at;
    uint32_t in_burst;
    stream_packet *history;
    uint64_t came[HISTORY]; /* 1 + the number of times it came, to tell the first */
    flight flights[FLIGHT];
    size_t flying;
    fate *fates;
    uint32_t sent, left, concealed;
    uint32_t inserted; /* frames concealed while time stood still */
    int64_t last_left; /* frame number */
    rt_time last_left_at;
} world;

static void start(world *w, uint64_t seed, network net, stream s, bool video, rt_receiver_config *config)
{
    memset(w, 0, sizeof *w);
    rt_random_init_number(&w->random, seed);
    w->net = net;
    w->s = s;
    w->repairs = true;
    w->now = RT_SECONDS(1000);
    w->receiver = stream_receiver(video, config);
    rt_receiver_set_round_trip(w->receiver, 2 * net.delay + net.jitter);
    w->history = calloc(HISTORY, sizeof *w->history);
    w->fates = calloc(FRAMES_MAX, sizeof *w->fates);
    w->last_left = -1;
    CHECK(w->history && w->fates);
}

static void stop(world *w)
{
    rt_receiver_free(w->receiver);
    free(w->history);
    free(w->fates);
}

static void fly(world *w, uint32_t packet, bool recovered, rt_time at)
{
    CHECK(w->flying < FLIGHT);
    size_t i = w->flying++;
    for (; i > 0 && w->flights[i - 1].at > at; i--)
        w->flights[i] = w->flights[i - 1];
    w->flights[i] = (flight){at, packet, recovered};
}

static bool happens(world *w, uint32_t per_mille)
{
    return rt_random_below(&w->random, 1000) < per_mille;
}

static void send_packet(world *w, uint32_t packet, bool recovered)
{
    if (w->in_burst) {
        w->in_burst--;
        return;
    }
    if (happens(w, w->net.loss)) {
        w->in_burst = w->net.burst;
        return;
    }
    rt_time jitter = w->net.jitter ? (rt_time)rt_random_below(&w->random, (uint32_t)w->net.jitter) : 0;
    rt_time at = rt_time_max(w->now + w->net.delay + jitter, w->last_arrival);
    if (happens(w, w->net.reordered))
        at += w->net.late;
    else
        w->last_arrival = at;
    fly(w, packet, recovered, at);
    if (happens(w, w->net.duplicated))
        fly(w, packet, recovered, at + RT_MS(1));
}

static void arrive(world *w)
{
    flight f = w->flights[0];
    memmove(w->flights, w->flights + 1, --w->flying * sizeof *w->flights);
    stream_packet *p = &w->history[f.packet % HISTORY];
    fate *frame = &w->fates[p->frame];
    rt_status status = stream_receive(w->receiver, p, f.recovered, w->now);
    bool first = !w->came[f.packet % HISTORY]++;
    if (!first) {
        CHECK(status == RT_REPLAYED || status == RT_UNEXPECTED);
        return;
    }
    CHECK(status == RT_OK || status == RT_UNEXPECTED);
    if (++frame->came == frame->packets)
        frame->whole = w->now;
}

/* The sender hears what is asked for half a round trip later; here, what it sends then takes that time more. */
static void answer(world *w)
{
    uint16_t wanted[64];
    size_t count;
    while ((count = rt_receiver_nack(w->receiver, wanted, 64, w->now)))
        for (size_t i = 0; i < count && w->repairs; i++) {
            uint16_t behind = (uint16_t)(w->s.sequence - wanted[i]);
            CHECK(behind > 0 && behind < HISTORY);
            uint32_t packet = w->sent - behind;
            if (!happens(w, w->net.loss))
                fly(w, packet, true, w->now + 2 * w->net.delay + w->net.jitter);
        }
    if (rt_receiver_key_frame_needed(w->receiver, w->now)) {
        w->key_next = true;
        w->key_at = w->now + w->net.delay;
    }
}

static void take_video(world *w, const rt_frame *frame)
{
    uint32_t number = stream_frame_number(frame);
    CHECK(number < w->s.frame);
    fate *f = &w->fates[number];
    CHECK(!f->left);
    CHECK(f->whole && f->whole <= w->now);
    CHECK((int64_t)number > w->last_left);
    CHECK_EQ(f->key, (frame->flags & RT_FRAME_KEY) != 0);
    CHECK_EQ(f->temporal, frame->temporal);
    f->left = w->now;
    w->last_left = number;
    w->left++;
}

/* Frames before `place` that have neither left nor been told lost: what was concealed while nothing came was their
 * time, from the moment on in which a later one came. */
static void pass_over(world *w, int64_t place)
{
    for (; w->left == 0 && w->last_left + 1 < place; w->last_left++)
        w->fates[w->last_left + 1].lost = w->now; /* playing begins with what comes first */
    for (; w->last_left + 1 < place && w->inserted; w->inserted--) {
        fate *f = &w->fates[++w->last_left];
        f->lost = w->now;
        for (uint32_t i = (uint32_t)w->last_left + 1; i < w->s.frame; i++)
            if (w->fates[i].whole)
                f->lost = rt_time_min(f->lost, w->fates[i].whole);
    }
}

static void take_audio(world *w, const rt_frame *frame)
{
    int64_t place = frame->timestamp / 960;
    CHECK_EQ(frame->timestamp % 960, 0);
    CHECK(place < FRAMES_MAX);
    fate *f = &w->fates[place];
    if (frame->flags & RT_FRAME_LOST) {
        w->concealed += frame->duration + (uint32_t)frame->stretch;
        if (!frame->duration) {
            w->inserted++;
            return;
        }
        pass_over(w, place);
        CHECK_EQ(place, w->last_left + 1);
        CHECK(!f->whole);
        f->lost = w->now;
        w->last_left = place;
        return;
    }
    CHECK_EQ(place, stream_frame_number(frame));
    pass_over(w, place);
    CHECK_EQ(place, w->last_left + 1);
    CHECK(!f->left && f->whole && f->whole <= w->now);
    w->inserted = 0;
    f->left = w->now;
    w->last_left = place;
    w->left++;
}

static void drain(world *w, bool video)
{
    answer(w);
    for (rt_frame *frame; (frame = rt_receiver_frame(w->receiver, w->now)); rt_frame_unref(frame)) {
        if (video)
            take_video(w, frame);
        else
            take_audio(w, frame);
    }
    answer(w);
}

/* All that happens until `until`. */
static void run(world *w, bool video, rt_time until)
{
    for (;;) {
        rt_time next = rt_receiver_deadline(w->receiver);
        if (w->flying)
            next = rt_time_min(next, w->flights[0].at);
        if (next > until)
            break;
        w->now = rt_time_max(w->now, next);
        while (w->flying && w->flights[0].at <= w->now)
            arrive(w);
        rt_receiver_expire(w->receiver, w->now);
        drain(w, video);
    }
    w->now = until;
}

static void send_video(world *w, bool key)
{
    static stream_packet packets[PACKETS_MOST];
    uint32_t count = key ? PACKETS_MOST : 3 + rt_random_below(&w->random, 5);
    fate *f = &w->fates[w->s.frame];
    stream_video(&w->s, key, count, 200, STEP, packets);
    *f = (fate){.packets = count, .key = key, .temporal = packets[0].temporal};
    for (uint32_t i = 0; i < count; i++) {
        stream_packet *kept = &w->history[w->sent % HISTORY];
        w->came[w->sent % HISTORY] = 0;
        *kept = packets[i];
        kept->rtp.payload.data = kept->data;
        send_packet(w, w->sent++, false);
    }
}

static void run_video(world *w, uint32_t frames)
{
    rt_time began = w->now;
    for (uint32_t i = 0; i < frames; i++) {
        run(w, true, began + (rt_time)i * RT_SECONDS(1) / 30);
        bool key = i == 0 || (w->key_next && w->now >= w->key_at);
        if (key)
            w->key_next = false;
        send_video(w, key);
    }
    run(w, true, w->now + RT_SECONDS(3));
}

/* A frame that switches needs the last of the lowest layer; others the last of each layer up to their own. */
static bool can_be_decoded(const world *w, uint32_t number)
{
    const fate *f = &w->fates[number];
    if (f->key)
        return true;
    bool switches = f->temporal == 1 || (f->temporal == 2 && number % 4 == 1);
    uint32_t found = 0;
    for (uint32_t i = number; i-- > 0;) {
        const fate *needed = &w->fates[i];
        if (needed->temporal > (switches ? 0 : f->temporal) || found >> needed->temporal & 1)
            continue;
        if (!needed->left)
            return false;
        found |= 1u << needed->temporal;
        if (needed->key)
            return true;
        if (needed->temporal == 0 && switches)
            return true;
        if (found == (2u << f->temporal) - 1)
            return true;
    }
    return found != 0;
}

/* Returns how many frames could not be played. */
static uint32_t judge_video(const world *w, uint64_t seed)
{
    uint32_t unplayable = 0, unseen = 0;
    rt_time later = RT_NEVER; /* when the earliest of all later frames left */
    for (uint32_t i = w->s.frame; i-- > 0;) {
        const fate *f = &w->fates[i];
        bool decodable = can_be_decoded(w, i);
        if (f->left) {
            if (!decodable)
                fprintf(stderr, "seed %d: frame %u left without what it needs\n", (int)seed, i);
            CHECK(decodable);
        } else {
            unplayable++;
            unseen += f->came == 0;
            if (f->whole && decodable && f->whole < later) {
                fprintf(stderr, "seed %d: frame %u (layer %d) could be played\n", (int)seed, i, f->temporal);
                CHECK(false);
            }
        }
        if (f->left)
            later = rt_time_min(later, f->left);
    }
    rt_receiver_stats stats;
    rt_receiver_get_stats(w->receiver, &stats, w->now);
    CHECK_EQ(stats.frames, w->left);
    CHECK(stats.frames_dropped <= unplayable);
    CHECK(stats.frames_dropped + unseen + stats.packets_discarded + stats.queued_frames >= unplayable);
    CHECK(w->left + unplayable == w->s.frame);
    CHECK(stats.queued_packets <= 2048);
    return unplayable;
}

static stream vp8(uint8_t layers)
{
    return (stream){.payload_type = STREAM_VP8, .sequence = 60000, .timestamp = 0, .layers = layers};
}

static void test_video_in_order(void)
{
    world w;
    start(&w, 1, (network){.delay = RT_MS(20)}, vp8(1), true, NULL);
    run_video(&w, 18000);
    CHECK_EQ(judge_video(&w, 1), 0);
    rt_receiver_stats stats;
    rt_receiver_get_stats(w.receiver, &stats, w.now);
    CHECK(stats.jitter_buffer_delay / 18000 < RT_MS(3));
    CHECK_EQ(stats.nacks, 0);
    CHECK_EQ(stats.freezes, 0);
    stop(&w);
}

/* Without loss nothing is lost, whatever the order. */
static void test_video_reordered(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        world w;
        network net = {.delay = RT_MS(20), .jitter = RT_MS(30), .reordered = 100, .late = RT_MS(12), .duplicated = 20};
        start(&w, seed, net, seed % 2 ? vp8(1) : (stream){.payload_type = STREAM_H264, .sequence = 5}, true, NULL);
        run_video(&w, 18000);
        CHECK_EQ(judge_video(&w, seed), 0);
        rt_receiver_stats stats;
        rt_receiver_get_stats(w.receiver, &stats, w.now);
        CHECK_EQ(stats.packets_discarded, 0);
        CHECK_EQ(stats.plis, 0);
        stop(&w);
    }
}

static void test_video_repaired(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        world w;
        network net = {
            .delay = RT_MS(10 * (int)seed), .jitter = RT_MS(10), .loss = 20, .reordered = 20, .late = RT_MS(4)};
        start(&w, seed, net, seed % 2 ? vp8(1) : (stream){.payload_type = STREAM_H264, .sequence = 5}, true, NULL);
        run_video(&w, 18000);
        uint32_t lost = judge_video(&w, seed);
        CHECK(lost < 18000 / 100);
        stop(&w);
    }
}

/* Nothing is repaired: key frames, as asked for, are all that helps. */
static void test_video_lossy(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        world w;
        network net = {.delay = RT_MS(20), .jitter = RT_MS(20), .loss = 5, .burst = (uint32_t)seed};
        start(&w, seed, net, seed % 2 ? vp8(1) : (stream){.payload_type = STREAM_H264, .sequence = 5}, true, NULL);
        w.repairs = false;
        run_video(&w, 18000);
        uint32_t lost = judge_video(&w, seed);
        CHECK(lost > 0 && lost < 18000 * 2 / 3);
        stop(&w);
    }
}

/* Losses in upper layers cost these frames only. */
static void test_video_layers(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        world w;
        network net = {.delay = RT_MS(20), .jitter = RT_MS(5), .loss = 3, .burst = 2};
        start(&w, seed, net, vp8((uint8_t)(2 + seed % 2)), true, NULL);
        w.repairs = seed > 5;
        run_video(&w, 18000);
        judge_video(&w, seed);
        stop(&w);
    }
}

/* ---- audio ---- */

static void send_audio(world *w)
{
    stream_packet *kept = &w->history[w->sent % HISTORY];
    w->came[w->sent % HISTORY] = 0;
    w->fates[w->s.frame] = (fate){.packets = 1};
    stream_audio(&w->s, 60, kept);
    send_packet(w, w->sent++, false);
}

static void run_audio(world *w, uint32_t frames)
{
    rt_time began = w->now;
    for (uint32_t i = 0; i < frames; i++) {
        run(w, false, began + (rt_time)i * RT_MS(20));
        send_audio(w);
    }
    run(w, false, w->now + RT_SECONDS(3));
}

static uint32_t judge_audio(const world *w, uint64_t seed)
{
    uint32_t lost = 0, late = 0;
    for (uint32_t i = 0; i < w->s.frame; i++) {
        const fate *f = &w->fates[i];
        if (f->left)
            continue;
        lost++;
        late += f->whole != 0;
        if (f->whole && !f->lost)
            fprintf(stderr, "seed %d: frame %u came and was skipped\n", (int)seed, i);
        CHECK(!f->whole || (f->lost && f->lost <= f->whole));
    }
    rt_receiver_stats stats;
    rt_receiver_get_stats(w->receiver, &stats, w->now);
    CHECK_EQ(stats.packets_discarded, late);
    CHECK_EQ(stats.jitter_buffer_emitted, (uint64_t)w->left * 960);
    CHECK_EQ(stats.concealed_samples, w->concealed);
    CHECK_EQ(stats.samples, (uint64_t)w->left * 960 + w->concealed);
    return lost;
}

static stream opus(void)
{
    return (stream){.payload_type = STREAM_OPUS, .sequence = 65000, .timestamp = 0};
}

/* Jitter alone loses nothing; what was concealed meanwhile is little. */
static void test_audio_jitter(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        world w;
        start(&w, seed, (network){.delay = RT_MS(30), .jitter = RT_MS(20 * (int)seed)}, opus(), false, NULL);
        run_audio(&w, 15000);
        CHECK_EQ(judge_audio(&w, seed), 0);
        rt_receiver_stats stats;
        rt_receiver_get_stats(w.receiver, &stats, w.now);
        CHECK(w.concealed < 48000);
        rt_time mean = stats.jitter_buffer_delay / (rt_time)stats.jitter_buffer_emitted;
        CHECK(mean < RT_MS(20 * (int)seed + 30));
        stop(&w);
    }
}

static void test_audio_lossy(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        world w;
        network net = {.delay = RT_MS(30),
                       .jitter = RT_MS(10),
                       .loss = 10,
                       .reordered = 100,
                       .late = RT_MS(5 * (int)seed),
                       .duplicated = 10,
                       .burst = seed % 3};
        start(&w, seed, net, opus(), false, NULL);
        run_audio(&w, 15000);
        uint32_t lost = judge_audio(&w, seed);
        CHECK(lost < 15000 / 10);
        stop(&w);
    }
}

int main(int argc, char **argv)
{
    RUN(test_video_in_order);
    RUN(test_video_reordered);
    RUN(test_video_repaired);
    RUN(test_video_lossy);
    RUN(test_video_layers);
    RUN(test_audio_jitter);
    RUN(test_audio_lossy);
    CHECK_MAIN_END;
}
