/* What all payload formats share, and audio: RFC 3551, 7587, 2198, 4733. */
#include "payload_kit.h"

static const rt_payload_format opus = {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2};

static void test_opus_duration_is_that_of_rfc6716_section_3_1(void)
{
    CHECK_EQ(rt_opus_duration(BYTES(0x00, 1)), 480);         /* SILK, 10 ms */
    CHECK_EQ(rt_opus_duration(BYTES(0x18, 1)), 2880);        /* SILK, 60 ms */
    CHECK_EQ(rt_opus_duration(BYTES(0x60, 1)), 480);         /* hybrid, 10 ms */
    CHECK_EQ(rt_opus_duration(BYTES(0x68, 1)), 960);         /* hybrid, 20 ms */
    CHECK_EQ(rt_opus_duration(BYTES(0x80, 1)), 120);         /* CELT, 2.5 ms */
    CHECK_EQ(rt_opus_duration(BYTES(0xFC, 1)), 960);         /* CELT, 20 ms, stereo */
    CHECK_EQ(rt_opus_duration(BYTES(0xF9, 1, 2)), 2 * 960);  /* two of equal size */
    CHECK_EQ(rt_opus_duration(BYTES(0xFA, 1, 2)), 2 * 960);  /* two of different size */
    CHECK_EQ(rt_opus_duration(BYTES(0xFB, 3, 0)), 3 * 960);  /* three */
    CHECK_EQ(rt_opus_duration(BYTES(0x1B, 2, 0)), 2 * 2880); /* 120 ms, the most there may be */
    CHECK_EQ(rt_opus_duration(BYTES(0xF8)), 960);            /* nothing to say (DTX) */
}

static void test_malformed_opus_has_no_duration(void)
{
    CHECK_EQ(rt_opus_duration(rt_span_of(NULL, 0)), 0);
    CHECK_EQ(rt_opus_duration(BYTES(0x1B, 3, 0)), 0); /* 180 ms */
    CHECK_EQ(rt_opus_duration(BYTES(0xFB)), 0);       /* no count */
    CHECK_EQ(rt_opus_duration(BYTES(0xFB, 0)), 0);    /* no frames */
    CHECK_EQ(rt_opus_duration(BYTES(0xF9, 1)), 0);    /* two frames of half a byte */
    CHECK_EQ(rt_opus_duration(BYTES(0xFA)), 0);
}

static void test_audio_is_one_payload_with_its_duration(void)
{
    const struct {
        rt_payload_format format;
        uint8_t first;
        uint32_t size, duration;
    } cases[] = {
        {opus, 0xFC, 160, 960},
        {{.codec = RT_CODEC_PCMU, .clock_rate = 8000, .channels = 1}, 0, 160, 160},
        {{.codec = RT_CODEC_PCMA, .clock_rate = 8000, .channels = 2}, 0, 160, 80},
        {{.codec = RT_CODEC_G722, .clock_rate = 8000, .channels = 1}, 0, 160, 160},
        {{.codec = RT_CODEC_L16, .clock_rate = 48000, .channels = 2}, 0, 1920, 480},
        {{.codec = RT_CODEC_COMFORT_NOISE, .clock_rate = 8000, .channels = 1}, 0, 11, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t memory[2000];
        rt_span data = noise(memory, cases[i].size, cases[i].first, i);
        rt_frame *frame = round_trip(cases[i].format, data, 2000);
        CHECK_EQ(frame->duration, cases[i].duration);
        CHECK_EQ(frame->packets, 1);
        CHECK(frame->flags & RT_FRAME_KEY);
        rt_frame_unref(frame);
    }
}

static void test_samples_are_whole(void)
{
    check_malformed((rt_payload_format){.codec = RT_CODEC_L16, .channels = 2}, BYTES(1, 2, 3, 4, 5, 6));
    check_malformed((rt_payload_format){.codec = RT_CODEC_PCMU, .channels = 2}, BYTES(1, 2, 3));
    check_malformed(opus, BYTES(0xFB, 0));
}

static void test_marker_of_audio_is_that_of_the_frame(void)
{
    rt_packetizer *packetizer = packetizer_of(opus);
    rt_payloads *payloads;
    rt_frame frame = {.codec = RT_CODEC_OPUS, .flags = RT_FRAME_MARKER};
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, BYTES(0xFC, 1), 100, &payloads), RT_OK);
    CHECK_EQ(payloads->items[0].flags, RT_PAYLOAD_START | RT_PAYLOAD_MARKER | RT_PAYLOAD_KEY);
    rt_payloads_unref(payloads);
    frame.flags = 0;
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, BYTES(0xFC, 1), 100, &payloads), RT_OK);
    CHECK_EQ(payloads->items[0].flags, RT_PAYLOAD_START | RT_PAYLOAD_KEY);
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
}

static void test_packetizer_refuses_what_it_cannot_send(void)
{
    rt_packetizer *packetizer = packetizer_of(opus);
    rt_payloads *payloads;
    uint8_t memory[200] = {0xFC};
    const rt_frame frame = {.codec = RT_CODEC_OPUS}, video = {.codec = RT_CODEC_VP8};
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, rt_span_of(memory, 101), 100, &payloads), RT_TOO_LARGE);
    CHECK(payloads == NULL);
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, rt_span_of(memory, 0), 100, &payloads), RT_INVALID);
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, rt_span_of(memory, 10), 63, &payloads), RT_INVALID);
    CHECK_EQ(rt_packetizer_frame(packetizer, &video, rt_span_of(memory, 10), 100, &payloads), RT_INVALID);
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, BYTES(0xFB, 0), 100, &payloads), RT_INVALID);
    rt_packetizer_free(packetizer);

    rt_random random;
    rt_random_init_number(&random, 1);
    const rt_payload_format interleaved = {.codec = RT_CODEC_H264, .h264_mode = 2}, none = {0};
    CHECK(!rt_payload_can_send(&interleaved) && !rt_packetizer_new(&interleaved, &random));
    CHECK(!rt_payload_can_send(&none) && !rt_packetizer_new(&none, &random));
    rt_payload_info info;
    rt_frame *assembled;
    CHECK_EQ(rt_payload_inspect(&none, BYTES(1), false, &info), RT_UNSUPPORTED);
    CHECK_EQ(rt_payload_assemble(&none, &(rt_span){memory, 1}, 1, &assembled), RT_UNSUPPORTED);
}

static void test_no_codec_has_empty_payloads(void)
{
    for (int codec = RT_CODEC_OPUS; codec < RT_CODECS; codec++) {
        const rt_payload_format format = {.codec = (rt_codec)codec, .channels = 1, .h264_mode = 1};
        CHECK(rt_payload_can_send(&format));
        check_malformed(format, rt_span_of(NULL, 0));
        rt_frame *frame;
        CHECK_EQ(rt_payload_assemble(&format, NULL, 0, &frame), RT_INVALID);
    }
}

static void test_red_of_rfc2198_section_4(void)
{
    /* A primary block of DVI4 (type 5) with one of LPC (type 7) from 20 ms before at 8 kHz. */
    uint8_t memory[64];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    const rt_red_block blocks[] = {{7, 160, BYTES(1, 2, 3)}, {5, 0, BYTES(4, 5)}};
    CHECK_EQ(rt_red_write(&w, blocks, 2), RT_OK);
    const uint8_t expected[] = {0x87, 160 >> 6, (160 << 2) & 0xFF, 3, 0x05, 1, 2, 3, 4, 5};
    CHECK_EQ(rt_writer_size(&w), sizeof expected);
    CHECK_BYTES(memory, expected, sizeof expected);

    rt_red_block read[4];
    CHECK_EQ(rt_red_read(rt_span_of(memory, sizeof expected), read, 4), 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(read[i].payload_type, blocks[i].payload_type);
        CHECK_EQ(read[i].timestamp_offset, blocks[i].timestamp_offset);
        CHECK(rt_span_equal(read[i].data, blocks[i].data));
    }
    CHECK_EQ(rt_red_read(rt_span_of(memory, sizeof expected), read, 1), 0);
}

static void test_red_that_is_cut_off_or_without_a_primary_block(void)
{
    rt_red_block blocks[32];
    const rt_span whole = BYTES(0x87, 2, 0x80, 3, 0x05, 1, 2, 3, 4, 5);
    for (size_t size = 0; size < 9; size++)
        CHECK_EQ(rt_red_read(rt_span_of(whole.data, size), blocks, 32), 0);
    check_malformed((rt_payload_format){.codec = RT_CODEC_RED}, rt_span_of(whole.data, 8));
}

static void test_red_refuses_blocks_that_its_header_cannot_tell(void)
{
    static uint8_t memory[3000];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_red_block blocks[] = {{7, 160, {memory, 1024}}, {5, 0, {memory, 1}}};
    CHECK_EQ(rt_red_write(&w, blocks, 2), RT_INVALID);
    blocks[0] = (rt_red_block){7, 1 << 14, {memory, 1}};
    CHECK_EQ(rt_red_write(&w, blocks, 2), RT_INVALID);
    blocks[0] = (rt_red_block){128, 1, {memory, 1}};
    CHECK_EQ(rt_red_write(&w, blocks, 2), RT_INVALID);
    CHECK_EQ(rt_red_write(&w, blocks, 0), RT_INVALID);
    blocks[1].timestamp_offset = 1;
    CHECK_EQ(rt_red_write(&w, blocks + 1, 1), RT_INVALID);
    CHECK_EQ(rt_writer_size(&w), 0);
    w = rt_writer_of(rt_buffer_of(memory, 1));
    blocks[1].timestamp_offset = 0;
    CHECK_EQ(rt_red_write(&w, blocks + 1, 1), RT_TOO_LARGE);
}

static void test_telephone_event_of_rfc4733_section_2_3(void)
{
    uint8_t memory[4];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    const rt_telephone_event event = {.event = 11, .end = true, .volume = 7, .duration = 800};
    rt_telephone_event_write(&w, &event);
    const uint8_t expected[] = {11, 0x87, 0x03, 0x20};
    CHECK_BYTES(memory, expected, 4);
    rt_telephone_event read;
    CHECK_EQ(rt_telephone_event_read(rt_span_of(memory, 4), &read), RT_OK);
    CHECK(read.event == 11 && read.end && read.volume == 7 && read.duration == 800);
    CHECK_EQ(rt_telephone_event_read(rt_span_of(memory, 3), &read), RT_MALFORMED);
    rt_frame *frame = round_trip((rt_payload_format){.codec = RT_CODEC_TELEPHONE_EVENT}, rt_span_of(memory, 4), 100);
    CHECK_EQ(frame->duration, 800);
    rt_frame_unref(frame);
}

int main(int argc, char **argv)
{
    RUN(test_opus_duration_is_that_of_rfc6716_section_3_1);
    RUN(test_malformed_opus_has_no_duration);
    RUN(test_audio_is_one_payload_with_its_duration);
    RUN(test_samples_are_whole);
    RUN(test_marker_of_audio_is_that_of_the_frame);
    RUN(test_packetizer_refuses_what_it_cannot_send);
    RUN(test_no_codec_has_empty_payloads);
    RUN(test_red_of_rfc2198_section_4);
    RUN(test_red_that_is_cut_off_or_without_a_primary_block);
    RUN(test_red_refuses_blocks_that_its_header_cannot_tell);
    RUN(test_telephone_event_of_rfc4733_section_2_3);
    CHECK_MAIN_END;
}
