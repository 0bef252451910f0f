/* The jitter buffer by its rules: the target delay, the time line of audio, redundancy, jumps, bounds. */
#include "proto/jitter.h"

#include "base/random.h"
#include "check.h"
#include "media_stream.h"
#include "proto/jitter_delay.h"

static const rt_payload_format opus = {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2};
static const rt_payload_format event = {.codec = RT_CODEC_TELEPHONE_EVENT, .clock_rate = 48000, .channels = 1};

/* ---- the target ---- */

static void test_quantile(void)
{
    static rt_jitter_delay delay;
    rt_random random;
    rt_random_init_number(&random, 1);
    memset(&delay, 0, sizeof delay);
    CHECK_EQ(rt_jitter_delay_target(&delay), 0);
    rt_time now = RT_SECONDS(100);
    for (int i = 0; i < 3000; i++, now += RT_MS(20)) /* evenly in 0..100 ms: 95 */
        rt_jitter_delay_add(&delay, RT_SECONDS(-5) + RT_US(rt_random_below(&random, 100000)), now);
    rt_time target = rt_jitter_delay_target(&delay);
    CHECK(target > RT_MS(86) && target <= RT_MS(100));
    for (int i = 0; i < 400; i++, now += RT_MS(20)) /* calm: forgotten */
        rt_jitter_delay_add(&delay, RT_SECONDS(-5), now);
    CHECK_EQ(rt_jitter_delay_target(&delay), 0);
}

/* One late packet in a hundred is not waited for, one in ten is. */
static void test_outliers(void)
{
    static rt_jitter_delay delay;
    memset(&delay, 0, sizeof delay);
    rt_time now = RT_SECONDS(1);
    for (int i = 1; i < 2000; i++, now += RT_MS(20))
        rt_jitter_delay_add(&delay, i % 100 ? 0 : RT_MS(300), now);
    CHECK_EQ(rt_jitter_delay_target(&delay), 0);
    for (int i = 1; i < 500; i++, now += RT_MS(20))
        rt_jitter_delay_add(&delay, i % 10 ? 0 : RT_MS(300), now);
    CHECK_EQ(rt_jitter_delay_target(&delay), RT_MS(300));
}

/* The network becomes slower for good, the clocks drift, hours pass: the delay is of the jitter alone. */
static void test_steps_and_drift(void)
{
    static rt_jitter_delay delay;
    rt_random random;
    rt_random_init_number(&random, 2);
    memset(&delay, 0, sizeof delay);
    rt_time now = RT_SECONDS(1), transit = RT_SECONDS(3);
    for (int i = 0; i < 500000; i++, now += RT_MS(20)) {
        if (i % 50000 == 0)
            transit += RT_MS(700);
        transit -= RT_US(2); /* 100 ppm */
        rt_jitter_delay_add(&delay, transit + RT_US(rt_random_below(&random, 5000)), now);
        CHECK(delay.total >= 0);
        if (i % 50000 > 1000) {
            CHECK(rt_jitter_delay_target(&delay) <= RT_MS(6));
            CHECK(rt_jitter_delay_fastest(&delay) >= transit && rt_jitter_delay_fastest(&delay) < transit + RT_MS(1));
        }
    }
    rt_jitter_delay_add(&delay, INT64_MAX / 4, now);
    rt_jitter_delay_add(&delay, -(INT64_MAX / 4), now); /* nonsense stays inside */
    CHECK(rt_jitter_delay_target(&delay) >= 0);
}

/* ---- audio ---- */

typedef struct audio {
    rt_jitter *jitter;
    uint64_t sequence;
    uint32_t timestamp;
    uint8_t data[64];
} audio;

static audio start(rt_time min_delay, bool passthrough)
{
    rt_jitter_config config;
    rt_jitter_config_default(&config);
    config.min_delay = min_delay;
    config.passthrough = passthrough;
    audio a = {.jitter = rt_jitter_new(&config), .sequence = 100000, .timestamp = 0xFFFFFE00};
    CHECK(a.jitter);
    return a;
}

static rt_status add(audio *a, size_t size, rt_time now)
{
    a->data[0] = 8;
    rt_payload_info info;
    rt_span payload = rt_span_of(a->data, size);
    CHECK_EQ(rt_payload_inspect(&opus, payload, false, &info), RT_OK);
    rt_jitter_packet packet = {.sequence = a->sequence++,
                               .timestamp = a->timestamp,
                               .payload_type = 111,
                               .format = &opus,
                               .info = &info,
                               .payload = payload};
    a->timestamp += 960;
    return rt_jitter_add(a->jitter, &packet, now);
}

/* Nothing comes for 60 ms: bridged without the time going on; then what comes is played, and the delay shrinks back by
 * what the frames are asked to be shortened. */
static void test_starvation(void)
{
    audio a = start(0, false);
    rt_time now = RT_SECONDS(1);
    for (int i = 0; i < 50; i++, now += RT_MS(20)) {
        CHECK_EQ(add(&a, 40, now), RT_OK);
        rt_frame *frame = rt_jitter_pop(a.jitter, now);
        CHECK(frame && !(frame->flags & RT_FRAME_LOST) && !frame->stretch);
        CHECK_EQ(frame->timestamp, 0xFFFFFE00 + (int64_t)i * 960);
        rt_frame_unref(frame);
        CHECK(!rt_jitter_pop(a.jitter, now));
    }
    rt_time stalled = now - RT_MS(20); /* the last came */
    uint32_t bridged = 0;
    for (now = stalled + RT_MS(20); now < stalled + RT_MS(80); now += RT_MS(1)) {
        rt_frame *frame = rt_jitter_pop(a.jitter, now);
        if (!frame)
            continue;
        CHECK_EQ(frame->flags, RT_FRAME_LOST);
        CHECK_EQ(frame->size, 0);
        CHECK_EQ(frame->duration, 0);
        CHECK_EQ(frame->stretch, 960);
        CHECK_EQ(frame->codec, RT_CODEC_OPUS);
        CHECK_EQ(frame->timestamp, 0xFFFFFE00 + (int64_t)50 * 960);
        bridged++;
        rt_frame_unref(frame);
    }
    CHECK_EQ(bridged, 2); /* one frame's time of grace */
    uint32_t played = 0;
    int64_t shortened = 0;
    for (int i = 0; i < 3; i++) /* what was held up, at once */
        CHECK_EQ(add(&a, 40, now), RT_OK);
    for (int i = 0; i < 100; i++, now += RT_MS(20)) {
        if (i)
            CHECK_EQ(add(&a, 40, now), RT_OK);
        for (rt_time at = now; at < now + RT_MS(20); at += RT_MS(1))
            for (rt_frame *frame; (frame = rt_jitter_pop(a.jitter, at)); rt_frame_unref(frame)) {
                CHECK(!(frame->flags & (RT_FRAME_LOST | RT_FRAME_DISCONTINUITY)));
                CHECK(frame->stretch <= 0 && frame->stretch >= -240);
                shortened -= frame->stretch;
                played++;
            }
    }
    CHECK_EQ(played, 102);
    CHECK(shortened > 960 && shortened < 4 * 960);
    rt_jitter_stats stats;
    rt_jitter_get_stats(a.jitter, &stats);
    CHECK_EQ(stats.concealed_samples, 2 * 960);
    CHECK_EQ(stats.concealment_events, 1);
    CHECK_EQ(stats.removed_samples, shortened);
    CHECK_EQ(stats.silent_concealed_samples, 0);
    CHECK_EQ(stats.discarded, 0);
    rt_jitter_free(a.jitter);
}

/* A gap of the timestamps without one of the numbers; and the small packet that announces it. */
static void test_silence(void)
{
    audio a = start(RT_MS(20), false);
    rt_time now = RT_SECONDS(1);
    uint32_t played = 0;
    for (int i = 0; i < 200; i++, now += RT_MS(20)) {
        if (i % 40 < 20)
            CHECK_EQ(add(&a, i % 40 == 19 ? 1 : 40, now), RT_OK);
        else
            a.timestamp += 960;
        for (rt_frame *frame; (frame = rt_jitter_pop(a.jitter, now)); rt_frame_unref(frame)) {
            CHECK(!(frame->flags & (RT_FRAME_LOST | RT_FRAME_DISCONTINUITY)));
            CHECK_EQ(frame->stretch, 0);
            CHECK_EQ(now - frame->arrived, RT_MS(20));
            played++;
        }
    }
    CHECK_EQ(played, 100);
    rt_jitter_free(a.jitter);
}

/* An outage: bridged for 100 ms at most, what was lost is passed over, and it goes on at the old delay. */
static void test_outage(void)
{
    audio a = start(RT_MS(40), false);
    rt_time now = RT_SECONDS(1);
    uint32_t lost = 0, played = 0;
    for (int i = 0; i < 600; i++, now += RT_MS(20)) {
        if (i >= 100 && i < 400) {
            a.sequence++;
            a.timestamp += 960;
        } else {
            CHECK_EQ(add(&a, 40, now), RT_OK);
        }
        for (rt_frame *frame; (frame = rt_jitter_pop(a.jitter, now)); rt_frame_unref(frame)) {
            if (frame->flags & RT_FRAME_LOST) {
                lost++;
                continue;
            }
            CHECK_EQ((frame->flags & RT_FRAME_DISCONTINUITY) != 0, played == 100);
            CHECK_EQ(frame->timestamp, 0xFFFFFE00 + (int64_t)(played + (played >= 100 ? 300 : 0)) * 960);
            CHECK_EQ(now - frame->arrived, RT_MS(40));
            played++;
        }
    }
    CHECK_EQ(played, 298);
    CHECK(lost >= 5 && lost <= 12);
    rt_jitter_free(a.jitter);
}

/* Events leave at once and move no time line. */
static void test_events(void)
{
    audio a = start(RT_MS(40), false);
    static const uint8_t digit[4] = {5, 10, 0, 160};
    rt_time now = RT_SECONDS(1);
    uint32_t events = 0, played = 0;
    for (int i = 0; i < 100; i++, now += RT_MS(20)) {
        if (i >= 40 && i < 45) {
            rt_payload_info info;
            CHECK_EQ(rt_payload_inspect(&event, rt_span_of(digit, 4), false, &info), RT_OK);
            rt_jitter_packet packet = {.sequence = a.sequence++,
                                       .timestamp = 0xFFFFFE00u + 40 * 960,
                                       .payload_type = 110,
                                       .format = &event,
                                       .info = &info,
                                       .payload = rt_span_of(digit, 4)};
            CHECK_EQ(rt_jitter_add(a.jitter, &packet, now), RT_OK);
            a.timestamp += 960;
        } else {
            CHECK_EQ(add(&a, 40, now), RT_OK);
        }
        for (rt_frame *frame; (frame = rt_jitter_pop(a.jitter, now)); rt_frame_unref(frame)) {
            if (frame->codec == RT_CODEC_TELEPHONE_EVENT) {
                events++;
                CHECK_BYTES(frame->data, digit, 4);
            } else if (!(frame->flags & RT_FRAME_LOST)) {
                played++;
            }
        }
    }
    CHECK_EQ(events, 5);
    CHECK(played >= 92);
    rt_jitter_free(a.jitter);
}

static void test_passthrough(void)
{
    audio a = start(RT_MS(500), true);
    rt_time now = RT_SECONDS(1);
    uint32_t played = 0;
    rt_jitter_set_patience(a.jitter, RT_MS(30));
    for (int i = 0; i < 100; i++, now += RT_MS(20)) {
        if (i == 50) {
            a.sequence++;
            a.timestamp += 960;
            continue;
        }
        add(&a, 40, now);
        for (rt_frame *frame; (frame = rt_jitter_pop(a.jitter, now)); rt_frame_unref(frame)) {
            CHECK(!(frame->flags & RT_FRAME_LOST) && !frame->stretch);
            CHECK_EQ((frame->flags & RT_FRAME_DISCONTINUITY) != 0, played == 50);
            CHECK(now - frame->arrived <= RT_MS(40) && (now == frame->arrived || played <= 52));
            played++;
        }
    }
    CHECK_EQ(played, 99);
    rt_jitter_free(a.jitter);
}

/* ---- jumps ---- */

/* The sender's timestamps start anew: one packet of probation, then it goes on, and what is told never goes back. */
static void test_timestamp_jump(void)
{
    audio a = start(RT_MS(20), false);
    rt_time now = RT_SECONDS(1);
    int64_t last = 0;
    uint32_t played = 0;
    for (int i = 0; i < 300; i++, now += RT_MS(20)) {
        if (i % 100 == 99)
            a.timestamp += 0x40000000;
        (void)add(&a, 40, now);
        for (rt_frame *frame; (frame = rt_jitter_pop(a.jitter, now)); rt_frame_unref(frame)) {
            CHECK(!played || (frame->timestamp > last && frame->timestamp < last + 10 * 960) ||
                  (frame->flags & RT_FRAME_LOST && frame->timestamp >= last));
            last = frame->timestamp;
            played += !(frame->flags & RT_FRAME_LOST);
        }
    }
    CHECK(played >= 290);
    rt_jitter_stats stats;
    rt_jitter_get_stats(a.jitter, &stats);
    CHECK_EQ(stats.timestamp_jumps, 2); /* the third is on probation still */
    CHECK_EQ(stats.discarded, 3);
    a.timestamp ^= 0x30000000; /* a stray one changes nothing */
    CHECK_EQ(add(&a, 40, now), RT_UNEXPECTED);
    rt_jitter_free(a.jitter);
}

/* Two thousand samples are missing that came in packets of their own: no two thousand frames take their place. */
static void test_tiny_frames(void)
{
    static const rt_payload_format pcmu = {.codec = RT_CODEC_PCMU, .clock_rate = 8000, .channels = 1};
    audio a = start(0, false);
    rt_time now = RT_SECONDS(1);
    rt_payload_info info;
    rt_span payload = rt_span_of(a.data, 1);
    CHECK_EQ(rt_payload_inspect(&pcmu, payload, false, &info), RT_OK);
    CHECK_EQ(info.duration, 1);
    uint32_t left = 0;
    for (uint32_t i = 0; i < 20; i++, now += RT_MS(250)) {
        rt_jitter_packet packet = {.sequence = 100000 + (uint64_t)i * 2000,
                                   .timestamp = i * 2000,
                                   .format = &pcmu,
                                   .info = &info,
                                   .payload = payload};
        (void)rt_jitter_add(a.jitter, &packet, now);
        for (rt_time at = now; at < now + RT_MS(250); at += RT_MS(5)) {
            for (rt_frame *frame; (frame = rt_jitter_pop(a.jitter, at)); left++)
                rt_frame_unref(frame);
        }
    }
    CHECK(left >= 20 && left < 40);
    rt_jitter_free(a.jitter);
}

/* Frames that are whole leave before those of the new numbers. */
static void test_restart(void)
{
    audio a = start(RT_MS(100), false);
    rt_time now = RT_SECONDS(1);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(add(&a, 40, now + RT_MS(20) * i), RT_OK);
    a.sequence += 200000;
    rt_jitter_restart(a.jitter, a.sequence, now + RT_MS(80));
    CHECK_EQ(add(&a, 40, now + RT_MS(80)), RT_OK);
    CHECK_EQ(rt_jitter_head(a.jitter), 300004);
    for (int i = 0; i < 4; i++) {
        rt_frame *frame = rt_jitter_pop(a.jitter, now + RT_MS(80));
        CHECK(frame);
        CHECK_EQ(frame->timestamp, 0xFFFFFE00 + (int64_t)i * 960);
        rt_frame_unref(frame);
    }
    CHECK(!rt_jitter_pop(a.jitter, now + RT_MS(80)));
    rt_frame *frame = rt_jitter_pop(a.jitter, now + RT_MS(400));
    CHECK(frame && frame->flags & RT_FRAME_DISCONTINUITY);
    rt_frame_unref(frame);
    rt_jitter_free(a.jitter);
}

int main(int argc, char **argv)
{
    RUN(test_quantile);
    RUN(test_outliers);
    RUN(test_steps_and_drift);
    RUN(test_starvation);
    RUN(test_silence);
    RUN(test_outage);
    RUN(test_events);
    RUN(test_passthrough);
    RUN(test_timestamp_jump);
    RUN(test_tiny_frames);
    RUN(test_restart);
    CHECK_MAIN_END;
}
