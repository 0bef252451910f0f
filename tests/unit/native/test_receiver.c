/* A received stream as its peer sees it: packets in, frames, requests and reports out. */
#include "media_stream.h"

#include "check.h"

enum { STEP = 3000 };

static stream vp8(void)
{
    return (stream){
        .payload_type = STREAM_VP8, .sequence = 65530, .timestamp = 0xFFFFF000, .picture_id = 0x7FFE, .layers = 1};
}

static uint32_t expect_frame(rt_receiver *r, rt_time now)
{
    rt_frame *frame = rt_receiver_frame(r, now);
    CHECK(frame);
    uint32_t number = stream_frame_number(frame);
    rt_frame_unref(frame);
    return number;
}

static void test_frames_in_order(void)
{
    stream s = vp8();
    stream_packet p[5];
    rt_receiver *r = stream_receiver(true, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        rt_time now = RT_SECONDS(10) + RT_US(33333) * (rt_time)i;
        stream_video(&s, i == 0, 5, 1000, STEP, p);
        for (int k = 0; k < 5; k++) {
            CHECK(rt_receiver_frame(r, now) == NULL);
            CHECK_EQ(stream_receive(r, &p[k], false, now), RT_OK);
        }
        rt_frame *frame = rt_receiver_frame(r, now + RT_MS(1));
        CHECK(frame);
        CHECK_EQ(stream_frame_number(frame), i);
        CHECK_EQ(frame->timestamp, 0xFFFFF000 + (int64_t)i * STEP);
        CHECK_EQ(frame->flags & ~RT_FRAME_MARKER, i ? 0 : RT_FRAME_KEY);
        CHECK_EQ(frame->packets, 5);
        CHECK_EQ(frame->ssrc, 0x1234);
        rt_frame_unref(frame);
        CHECK(!rt_receiver_frame(r, now + RT_MS(1)));
        CHECK(!rt_receiver_key_frame_needed(r, now));
    }
    rt_receiver_stats stats;
    rt_receiver_get_stats(r, &stats, 0);
    CHECK_EQ(stats.packets, 500);
    CHECK_EQ(stats.frames, 100);
    CHECK_EQ(stats.key_frames, 1);
    CHECK_EQ(stats.packets_lost, 0);
    CHECK_EQ(stats.width, 640);
    CHECK_EQ(stats.height, 360);
    rt_receiver_free(r);
}

/* A lost packet is asked for, comes, and nothing was dropped. */
static void test_retransmission(void)
{
    stream s = vp8();
    stream_packet p[3][3];
    rt_receiver *r = stream_receiver(true, NULL);
    rt_time now = RT_SECONDS(1);
    for (int i = 0; i < 3; i++)
        stream_video(&s, i == 0, 3, 500, STEP, p[i]);
    for (int k = 0; k < 3; k++)
        stream_receive(r, &p[0][k], false, now);
    CHECK_EQ(expect_frame(r, now), 0);
    stream_receive(r, &p[1][0], false, now);
    stream_receive(r, &p[1][2], false, now);
    CHECK(!rt_receiver_frame(r, now));
    uint16_t missing[8];
    CHECK_EQ(rt_receiver_nack(r, missing, 8, now), 0); /* it may only be late */
    CHECK(rt_receiver_deadline(r) <= now + RT_MS(20));
    now = rt_receiver_deadline(r);
    CHECK_EQ(rt_receiver_nack(r, missing, 8, now), 1);
    CHECK_EQ(missing[0], p[1][1].rtp.sequence);
    CHECK_EQ(rt_receiver_nack(r, missing, 8, now), 0);
    CHECK(!rt_receiver_key_frame_needed(r, now));
    now += RT_MS(50);
    CHECK_EQ(stream_receive(r, &p[1][1], true, now), RT_OK);
    rt_frame *frame = rt_receiver_frame(r, now + RT_MS(100));
    CHECK(frame);
    CHECK_EQ(stream_frame_number(frame), 1);
    CHECK_EQ(frame->flags & (RT_FRAME_RECOVERED | RT_FRAME_DISCONTINUITY), RT_FRAME_RECOVERED);
    rt_frame_unref(frame);
    CHECK_EQ(stream_receive(r, &p[1][1], true, now), RT_REPLAYED);
    rt_receiver_free(r);
}

/* What never comes: a key frame is asked for after the patience, with back-off, and ends it. */
static void test_key_frame_after_loss(void)
{
    stream s = vp8();
    stream_packet p[3];
    rt_receiver *r = stream_receiver(true, NULL);
    rt_receiver_set_round_trip(r, RT_MS(20));
    rt_time now = RT_SECONDS(1);
    uint32_t left = 0, asked = 0, last = 0;
    rt_time asked_at[8] = {0};
    for (uint32_t i = 0; i < 60; i++, now += RT_US(33333)) {
        bool key = i == 0 || i == 50;
        stream_video(&s, key, 3, 500, STEP, p);
        for (int k = 0; k < 3; k++)
            if (i != 10 || k != 1)
                stream_receive(r, &p[k], false, now);
        for (rt_frame *frame; (frame = rt_receiver_frame(r, now)); rt_frame_unref(frame)) {
            left++;
            last = stream_frame_number(frame);
            CHECK_EQ((frame->flags & RT_FRAME_DISCONTINUITY) != 0, last == 50);
            CHECK(last < 10 || last >= 50);
        }
        if (rt_receiver_key_frame_needed(r, now))
            asked_at[asked++] = now;
    }
    CHECK_EQ(left, 20);
    CHECK_EQ(last, 59);
    CHECK_EQ(asked, 3);
    CHECK(asked_at[1] - asked_at[0] >= RT_MS(300));
    CHECK(asked_at[2] - asked_at[1] >= RT_MS(600));
    rt_receiver_stats stats;
    rt_receiver_get_stats(r, &stats, now);
    CHECK_EQ(stats.plis, 3);
    CHECK_EQ(stats.frames_dropped, 40);
    CHECK_EQ(stats.packets_lost, 1);
    CHECK_EQ(stats.freezes, 1);
    rt_receiver_free(r);
}

static void test_audio_loss(void)
{
    stream s = {.payload_type = STREAM_OPUS, .sequence = 1, .timestamp = 5000};
    stream_packet p;
    rt_receiver_config config;
    rt_receiver_config_default(&config);
    config.min_delay = RT_MS(40);
    rt_receiver *r = stream_receiver(false, &config);
    rt_time now = RT_SECONDS(1);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < 103; i++, now += RT_MS(20)) {
        stream_audio(&s, 60, &p);
        if (i != 50 && i < 100)
            stream_receive(r, &p, false, now);
        for (rt_frame *frame; (frame = rt_receiver_frame(r, now)); rt_frame_unref(frame)) {
            CHECK_EQ(frame->timestamp, 5000 + 960 * (int64_t)expected);
            CHECK_EQ(frame->duration, 960);
            if (expected == 50)
                CHECK(frame->flags == RT_FRAME_LOST && frame->size == 0);
            else
                CHECK_EQ(stream_frame_number(frame), expected);
            CHECK_EQ((frame->flags & RT_FRAME_DISCONTINUITY) != 0, expected == 51);
            CHECK_EQ(frame->stretch, 0);
            expected++;
        }
    }
    CHECK_EQ(expected, 100);
    rt_receiver_stats stats;
    rt_receiver_get_stats(r, &stats, now);
    CHECK_EQ(stats.samples, 100 * 960);
    CHECK_EQ(stats.concealed_samples, 960);
    CHECK_EQ(stats.concealment_events, 1);
    CHECK_EQ(stats.jitter_buffer_emitted, 99 * 960);
    CHECK_EQ(stats.jitter_buffer_delay / 99 / 960, RT_MS(40));
    rt_receiver_free(r);
}

static void test_unknown_payload_type(void)
{
    stream s = vp8();
    stream_packet p[3];
    rt_receiver *r = stream_receiver(true, NULL);
    stream_video(&s, true, 3, 100, STEP, p);
    p[0].rtp.payload_type = 35;
    CHECK_EQ(stream_receive(r, &p[0], false, 1), RT_NOT_FOUND);
    rt_receiver_stats stats;
    rt_receiver_get_stats(r, &stats, 1);
    CHECK_EQ(stats.unknown_payload_types, 1);
    CHECK_EQ(stats.packets, 0);
    rt_rtcp_block block;
    CHECK(!rt_receiver_report(r, &block, 1));
    rt_receiver_free(r);
}

int main(int argc, char **argv)
{
    RUN(test_frames_in_order);
    RUN(test_retransmission);
    RUN(test_key_frame_after_loss);
    RUN(test_audio_loss);
    RUN(test_unknown_payload_type);
    CHECK_MAIN_END;
}
