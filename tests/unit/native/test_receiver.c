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

/* RED with one copy: each second packet is lost, every frame is played. */
static void test_redundancy(void)
{
    stream s = {.payload_type = STREAM_OPUS, .sequence = 65500, .timestamp = 0xFFFFF000};
    rt_receiver_config config;
    rt_receiver_config_default(&config);
    config.min_delay = RT_MS(60);
    rt_receiver *r = stream_receiver(false, &config);
    rt_time now = RT_SECONDS(1);
    stream_packet before, p;
    uint32_t played = 0;
    stream_audio(&s, 40, &before);
    for (uint32_t i = 0; i < 200; i++, now += RT_MS(20)) {
        stream_audio(&s, 40, &p);
        rt_red_block blocks[2] = {{STREAM_OPUS, 960, before.rtp.payload}, {STREAM_OPUS, 0, p.rtp.payload}};
        uint8_t room[200];
        rt_writer w = rt_writer_of(rt_buffer_of(room, sizeof room));
        CHECK_EQ(rt_red_write(&w, blocks, 2), RT_OK);
        rt_rtp rtp = p.rtp;
        rtp.payload_type = STREAM_RED;
        rtp.payload = rt_span_of(room, rt_writer_size(&w));
        before = p;
        before.rtp.payload.data = before.data;
        if (i % 2 == 0)
            CHECK_EQ(rt_receiver_receive(r, &rtp, NULL, false, now), RT_OK);
        for (rt_frame *frame; (frame = rt_receiver_frame(r, now)); rt_frame_unref(frame)) {
            CHECK(!(frame->flags & RT_FRAME_LOST));
            CHECK_EQ(stream_frame_number(frame), 1 + played);
            CHECK_EQ((frame->flags & RT_FRAME_RECOVERED) != 0, played % 2);
            CHECK_EQ(frame->payload_type, STREAM_OPUS);
            played++;
        }
    }
    CHECK(played >= 195);
    rt_receiver_stats stats;
    rt_receiver_get_stats(r, &stats, now);
    CHECK_EQ(stats.fec_packets, 100);
    CHECK_EQ(stats.fec_packets_discarded, 1); /* the first: nothing was played before it */
    CHECK_EQ(stats.concealed_samples, 0);
    rt_receiver_free(r);
}

/* A frame that nobody refers to loses its middle: it is left out, and nothing waits for a key frame. */
static void test_discardable(void)
{
    stream s = {.payload_type = STREAM_H264, .sequence = 10};
    stream_packet p[4];
    rt_receiver *r = stream_receiver(true, NULL);
    rt_time now = RT_SECONDS(1);
    uint32_t left = 0;
    for (uint32_t i = 0; i < 30; i++, now += RT_US(33333)) {
        stream_video(&s, i == 0, 4, 200, STEP, p);
        for (int k = 0; k < 4; k++) {
            if (i == 10)
                p[k].data[0] &= 0x1F; /* nal_ref_idc 0 */
            if (i != 10 || k != 2)
                stream_receive(r, &p[k], false, now);
        }
        for (rt_frame *frame; (frame = rt_receiver_frame(r, now)); rt_frame_unref(frame)) {
            CHECK(stream_frame_number(frame) != 10);
            left++;
        }
        CHECK(!rt_receiver_key_frame_needed(r, now));
    }
    CHECK_EQ(left, 29);
    rt_receiver_free(r);
}

/* Another stream behind the same SSRC, after a BYE or without: it goes on with its key frame. */
static void test_sender_starts_anew(void)
{
    stream s = vp8();
    stream_packet p[3];
    rt_receiver *r = stream_receiver(true, NULL);
    rt_time now = RT_SECONDS(1);
    uint32_t left = 0, refused = 0;
    int64_t last = INT64_MIN;
    for (uint32_t i = 0; i < 90; i++, now += RT_US(33333)) {
        bool anew = i % 30 == 0;
        if (anew && i) {
            s.sequence += 20000;
            s.timestamp ^= 0x50000000;
            s.picture_id ^= 0x1234;
            if (i == 60)
                rt_receiver_bye(r);
        }
        stream_video(&s, anew, 3, 300, STEP, p);
        for (int k = 0; k < 3; k++)
            refused += stream_receive(r, &p[k], false, now) != RT_OK;
        for (int k = 0; k < 2 && refused && anew; k++) /* asked for again, or sent again */
            (void)stream_receive(r, &p[k], true, now);
        for (rt_frame *frame; (frame = rt_receiver_frame(r, now + RT_MS(3))); rt_frame_unref(frame)) {
            CHECK_EQ(stream_frame_number(frame), left);
            CHECK(frame->timestamp > last);
            last = frame->timestamp;
            left++;
        }
    }
    CHECK_EQ(left, 90);
    CHECK(refused >= 2 && refused <= 6);
    rt_receiver_stats stats;
    rt_receiver_get_stats(r, &stats, now);
    CHECK(stats.jumps >= 2);
    CHECK_EQ(stats.packets_lost, 0);
    rt_receiver_free(r);
}

static void test_reports_and_capture_time(void)
{
    stream s = vp8();
    stream_packet p[3];
    rt_receiver *r = stream_receiver(true, NULL);
    rt_time now = RT_SECONDS(50);
    stream_video(&s, true, 3, 300, STEP, p);
    for (int k = 0; k < 3; k++)
        stream_receive(r, &p[k], false, now);
    rt_frame *frame = rt_receiver_frame(r, now);
    CHECK(frame && !frame->captured);
    rt_frame_unref(frame);
    uint64_t ntp = (uint64_t)3900000000 << 32;
    rt_rtcp_report report = {.sender = true, .ntp = ntp, .rtp_time = p[0].rtp.timestamp, .packets = 3, .bytes = 900};
    rt_receiver_sender_report(r, &report, now);
    stream_video(&s, false, 3, 300, STEP, p);
    rt_rtp_values values = {.present = 1u << RT_RTP_VIDEO_ORIENTATION, .orientation = 0x0B};
    for (int k = 0; k < 3; k++)
        rt_receiver_receive(r, &p[k].rtp, k == 2 ? &values : NULL, false, now + RT_MS(33));
    frame = rt_receiver_frame(r, now + RT_MS(40));
    CHECK(frame);
    double later = (double)(frame->captured - ntp) / 4294967296.0;
    CHECK(later > 0.0333 && later < 0.0334);
    CHECK_EQ(frame->rotation, 3);
    rt_frame_unref(frame);
    rt_rtcp_block block;
    CHECK(rt_receiver_report(r, &block, now + RT_SECONDS(1)));
    CHECK_EQ(block.ssrc, 0x1234);
    CHECK_EQ(block.last_sr, rt_ntp_middle(ntp));
    CHECK_EQ(block.delay, 65536);
    rt_receiver_stats stats;
    rt_receiver_get_stats(r, &stats, now);
    CHECK_EQ(stats.reports, 1);
    CHECK_EQ(stats.remote_packets, 3);
    CHECK_EQ(stats.remote_bytes, 900);
    rt_receiver_free(r);
}

/* The application asks once, whatever the need; a key frame ends it. Never more often than 300 ms. */
static void test_application_wants_a_key_frame(void)
{
    stream s = vp8();
    stream_packet p[3];
    rt_receiver *r = stream_receiver(true, NULL);
    rt_time now = RT_SECONDS(1);
    rt_receiver_request_key_frame(r);
    CHECK(!rt_receiver_key_frame_needed(r, now)); /* of whom? */
    for (uint32_t i = 0; i < 60; i++, now += RT_US(33333)) {
        stream_video(&s, i == 0 || i == 20, 3, 300, STEP, p);
        for (int k = 0; k < 3; k++)
            stream_receive(r, &p[k], false, now);
        for (rt_frame *frame; (frame = rt_receiver_frame(r, now)); rt_frame_unref(frame))
            continue;
        if (i == 14 || i == 30 || i == 31)
            rt_receiver_request_key_frame(r);
        CHECK_EQ(rt_receiver_key_frame_needed(r, now), i == 14 || i == 30 || i == 40 || i == 59);
    }
    rt_receiver_free(r);
}

/* Renegotiation: what waits keeps its meaning, what comes has the new one. */
static void test_formats_change(void)
{
    stream s = vp8();
    stream_packet p[3];
    rt_receiver_config config;
    rt_receiver_config_default(&config);
    config.min_delay = RT_MS(100);
    rt_receiver *r = stream_receiver(true, &config);
    rt_time now = RT_SECONDS(1);
    stream_video(&s, true, 3, 300, STEP, p);
    for (int k = 0; k < 3; k++)
        CHECK_EQ(stream_receive(r, &p[k], false, now), RT_OK);
    rt_receiver_format other = stream_formats[0];
    other.payload_type = 120;
    rt_receiver_set_formats(r, &other, 1);
    rt_frame *frame = rt_receiver_frame(r, now + RT_MS(100));
    CHECK(frame);
    CHECK_EQ(frame->payload_type, STREAM_VP8);
    rt_frame_unref(frame);
    stream_video(&s, false, 3, 300, STEP, p);
    CHECK_EQ(stream_receive(r, &p[0], false, now), RT_NOT_FOUND);
    for (int k = 0; k < 3; k++) {
        p[k].rtp.payload_type = 120;
        CHECK_EQ(stream_receive(r, &p[k], false, now + RT_MS(33)), RT_OK);
    }
    frame = rt_receiver_frame(r, now + RT_MS(200));
    CHECK(frame);
    CHECK_EQ(frame->payload_type, 120);
    rt_frame_unref(frame);
    rt_receiver_free(r);
}

/* A sender that never finishes a frame, never sends a key frame, or floods: bounded, counted, and it recovers. */
static void test_hostile(void)
{
    for (int kind = 0; kind < 4; kind++) {
        stream s = vp8();
        stream_packet p[3];
        rt_receiver *r = stream_receiver(true, NULL);
        rt_time now = RT_SECONDS(1);
        uint32_t asked = 0;
        uint16_t wanted[64];
        for (uint32_t i = 0; i < 30000; i++, now += kind == 3 ? 0 : RT_MS(1)) {
            stream_video(&s, false, 3, 1000, kind == 0 ? 0 : STEP / 30, p);
            for (int k = 0; k < (kind == 1 ? 2 : 3); k++) {
                p[k].rtp.marker = kind == 2;
                (void)stream_receive(r, &p[k], false, now);
            }
            CHECK(!rt_receiver_frame(r, now));
            while (rt_receiver_nack(r, wanted, 64, now))
                continue;
            asked += rt_receiver_key_frame_needed(r, now);
        }
        rt_receiver_stats stats;
        rt_receiver_get_stats(r, &stats, now);
        CHECK(stats.queued_packets <= 2048);
        CHECK(asked <= 20);
        now += RT_SECONDS(1);
        s.timestamp += 90000;
        uint32_t left = 0;
        for (uint32_t i = 0; i < 100; i++, now += RT_US(33333)) {
            stream_video(&s, i % 10 == 0, 3, 1000, STEP, p);
            for (int k = 0; k < 3; k++)
                (void)stream_receive(r, &p[k], false, now);
            for (rt_frame *frame; (frame = rt_receiver_frame(r, now)); rt_frame_unref(frame))
                left++;
        }
        if (left < 20)
            fprintf(stderr, "kind %d: %u\n", kind, left);
        CHECK(left >= 20);
        rt_receiver_free(r);
    }
}

int main(int argc, char **argv)
{
    RUN(test_frames_in_order);
    RUN(test_retransmission);
    RUN(test_key_frame_after_loss);
    RUN(test_audio_loss);
    RUN(test_unknown_payload_type);
    RUN(test_redundancy);
    RUN(test_discardable);
    RUN(test_sender_starts_anew);
    RUN(test_reports_and_capture_time);
    RUN(test_application_wants_a_key_frame);
    RUN(test_formats_change);
    RUN(test_hostile);
    CHECK_MAIN_END;
}
