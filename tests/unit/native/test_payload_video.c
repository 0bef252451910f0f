/* VP8 (RFC 7741) and H.264 (RFC 6184). */
#include "payload_kit.h"

static const rt_payload_format vp8 = {.codec = RT_CODEC_VP8, .clock_rate = 90000};
static const rt_payload_format h264 = {.codec = RT_CODEC_H264, .clock_rate = 90000, .h264_mode = 1};

/* ---- VP8 ---- */

#define VP8_KEY 0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0xE0, 0x01 /* 640 x 480 */

static void test_vp8_descriptors_of_rfc7741_section_4_6(void)
{
    rt_payload_info info;
    /* 4.6.1: a key frame in one packet */
    CHECK_EQ(rt_payload_inspect(&vp8, BYTES(0x90, 0x80, 0x11, VP8_KEY), true, &info), RT_OK);
    CHECK(info.starts_frame && info.ends_frame && info.key && info.has_picture_id && !info.has_tl0);
    CHECK(info.picture_id == 17 && info.picture_id_bits == 7 && info.width == 640 && info.height == 480);
    /* 4.6.3: a continuation without an extension */
    CHECK_EQ(rt_payload_inspect(&vp8, BYTES(0x00, 1, 2), false, &info), RT_OK);
    CHECK(!info.starts_frame && !info.ends_frame && !info.key && !info.has_picture_id);
    /* 4.6.4: a long picture id */
    CHECK_EQ(rt_payload_inspect(&vp8, BYTES(0x80, 0x80, 0x92, 0x67, 1), false, &info), RT_OK);
    CHECK(info.picture_id == 4711 && info.picture_id_bits == 15);
    /* all there is: not a reference, layers, key index */
    CHECK_EQ(rt_payload_inspect(&vp8, BYTES(0xB0, 0xF0, 0x81, 0x02, 0x07, 0xA5, 0x01), false, &info), RT_OK);
    CHECK(info.starts_frame && info.discardable && !info.key);
    CHECK(info.picture_id == 258 && info.has_tl0 && info.tl0 == 7 && info.temporal == 2 && info.layer_switch);
    /* the second partition of a frame does not start it */
    CHECK_EQ(rt_payload_inspect(&vp8, BYTES(0x11, 0x00), false, &info), RT_OK);
    CHECK(!info.starts_frame);
}

static void test_vp8_round_trip_in_pieces_of_equal_size(void)
{
    static uint8_t memory[30000];
    for (size_t size = 1; size <= sizeof memory; size = size * 5 / 2 + 3) {
        rt_frame *frame = round_trip(vp8, noise(memory, size, 0x11, size), 1200);
        CHECK(!(frame->flags & RT_FRAME_KEY));
        rt_frame_unref(frame);
    }
    rt_packetizer *packetizer = packetizer_of(vp8);
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_VP8, rt_span_of(memory, sizeof memory), 1200);
    CHECK_EQ(payloads->count, 26);
    check_equal_sizes(payloads, 0);
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
}

static void test_vp8_key_frame_tells_its_size(void)
{
    rt_frame *frame = round_trip(vp8, BYTES(VP8_KEY, 1, 2, 3), 1200);
    CHECK(frame->flags & RT_FRAME_KEY);
    CHECK(frame->width == 640 && frame->height == 480);
    rt_frame_unref(frame);
}

static void test_vp8_counts_pictures_and_frames_of_the_base_layer(void)
{
    rt_packetizer *packetizer = packetizer_of(vp8);
    rt_payload_info info, before = {0};
    for (uint32_t i = 0; i < 0x8002; i++) {
        const uint8_t temporal = i % 4 == 0 ? 0 : i % 4 == 2 ? 1 : 2;
        const rt_frame frame = {
            .codec = RT_CODEC_VP8, .temporal = temporal, .flags = temporal == 2 ? RT_FRAME_DISCARDABLE : 0};
        rt_payloads *payloads;
        CHECK_EQ(rt_packetizer_frame(packetizer, &frame, BYTES(1, 2, 3), 1200, &payloads), RT_OK);
        CHECK_EQ(rt_payload_inspect(&vp8, rt_payload_span(payloads, 0), true, &info), RT_OK);
        CHECK(info.temporal == temporal && payloads->items[0].temporal == temporal);
        CHECK_EQ(info.discardable, temporal == 2);
        CHECK_EQ((payloads->items[0].flags & RT_PAYLOAD_DISCARDABLE) != 0, temporal == 2);
        CHECK_EQ(info.picture_id_bits, 15);
        if (i) {
            CHECK_EQ(info.picture_id, (before.picture_id + 1) & 0x7FFF);
            CHECK_EQ(info.tl0, (uint8_t)(before.tl0 + (temporal == 0)));
        }
        before = info;
        rt_payloads_unref(payloads);
    }
    const rt_frame frame = {.codec = RT_CODEC_VP8, .temporal = 4};
    rt_payloads *payloads;
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, BYTES(1), 1200, &payloads), RT_INVALID);
    rt_packetizer_free(packetizer);
}

static void test_vp8_malformed(void)
{
    const rt_span whole = BYTES(0x90, 0xE0, 0x81, 0x02, 0x07, 0x20, 0x01);
    for (size_t size = 1; size < whole.size; size++)
        check_malformed(vp8, rt_span_of(whole.data, size));
    rt_frame *frame;
    const rt_span two_starts[] = {BYTES(0x10, 1), BYTES(0x10, 1)}, no_start[] = {BYTES(0x00, 1)};
    CHECK_EQ(rt_payload_assemble(&vp8, two_starts, 2, &frame), RT_MALFORMED);
    CHECK_EQ(rt_payload_assemble(&vp8, no_start, 1, &frame), RT_MALFORMED);
}

/* ---- H.264 ---- */

#define SPS_640x480 0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x3D, 0xA1, 0x00, 0x00, 0x03, 0x00, 0x01
#define PPS 0x68, 0xCB, 0x83, 0xCB, 0x20
#define START 0, 0, 0, 1

static void test_h264_single_nal_units_of_rfc6184_section_5_6(void)
{
    rt_payload_info info;
    CHECK_EQ(rt_payload_inspect(&h264, BYTES(0x65, 0x88, 1), true, &info), RT_OK);
    CHECK(info.starts_frame && info.ends_frame && info.key && !info.discardable);
    CHECK_EQ(rt_payload_inspect(&h264, BYTES(0x41, 0x9A, 1), false, &info), RT_OK);
    CHECK(info.starts_frame && !info.key && !info.discardable);
    CHECK_EQ(rt_payload_inspect(&h264, BYTES(0x01, 0x9A, 1), false, &info), RT_OK);
    CHECK(info.starts_frame && info.discardable);
    CHECK_EQ(rt_payload_inspect(&h264, BYTES(0x41, 0x1A, 1), false, &info), RT_OK); /* a later slice */
    CHECK(!info.starts_frame);
    CHECK_EQ(rt_payload_inspect(&h264, BYTES(SPS_640x480), false, &info), RT_OK);
    CHECK(info.starts_frame && info.key && info.width == 640 && info.height == 480);
}

static void test_h264_aggregate_of_section_5_7_1(void)
{
    const rt_span payload = BYTES(0x78, 0, 14, SPS_640x480, 0, 5, PPS, 0, 3, 0x65, 0x88, 1);
    rt_payload_info info;
    CHECK_EQ(rt_payload_inspect(&h264, payload, true, &info), RT_OK);
    CHECK(info.starts_frame && info.key && info.width == 640);
    rt_frame *frame;
    CHECK_EQ(rt_payload_assemble(&h264, &payload, 1, &frame), RT_OK);
    const rt_span expected = BYTES(START, SPS_640x480, START, PPS, START, 0x65, 0x88, 1);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), expected));
    CHECK(frame->flags & RT_FRAME_KEY);
    CHECK(frame->width == 640 && frame->height == 480);
    rt_frame_unref(frame);
}

static void test_h264_fragments_of_section_5_8(void)
{
    const rt_span payloads[] = {BYTES(0x7C, 0x85, 0x88, 1), BYTES(0x7C, 0x05, 2), BYTES(0x7C, 0x45, 3)};
    rt_payload_info info;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(rt_payload_inspect(&h264, payloads[i], i == 2, &info), RT_OK);
        CHECK(info.key && info.starts_frame == (i == 0));
    }
    rt_frame *frame;
    CHECK_EQ(rt_payload_assemble(&h264, payloads, 3, &frame), RT_OK);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), BYTES(START, 0x65, 0x88, 1, 2, 3)));
    rt_frame_unref(frame);
    CHECK_EQ(rt_payload_assemble(&h264, payloads, 2, &frame), RT_MALFORMED);     /* without its end */
    CHECK_EQ(rt_payload_assemble(&h264, payloads + 1, 2, &frame), RT_MALFORMED); /* without its beginning */
    const rt_span swapped[] = {payloads[0], BYTES(0x41, 0x9A), payloads[2]};
    CHECK_EQ(rt_payload_assemble(&h264, swapped, 3, &frame), RT_MALFORMED);
    const rt_span changed[] = {payloads[0], BYTES(0x7C, 0x41, 3)};
    CHECK_EQ(rt_payload_assemble(&h264, changed, 2, &frame), RT_MALFORMED);
}

static void test_h264_access_unit_becomes_an_aggregate_and_fragments(void)
{
    static uint8_t memory[30100];
    const rt_span sets = BYTES(START, SPS_640x480, START, PPS, START);
    memcpy(memory, sets.data, sets.size);
    memset(memory + sets.size, 0xAB, 30000);
    memory[sets.size] = 0x65;
    memory[sets.size + 1] = 0x88;
    rt_span data = rt_span_of(memory, sets.size + 30000);
    rt_packetizer *packetizer = packetizer_of(h264);
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_H264, data, 1200);
    CHECK_EQ(payloads->count, 1 + 26);
    CHECK_EQ(rt_payload_span(payloads, 0).data[0], 0x78);
    CHECK_EQ(rt_payload_span(payloads, 1).data[0], 0x7C);
    CHECK_EQ(rt_payload_span(payloads, 1).data[1], 0x85);
    CHECK_EQ(rt_payload_span(payloads, 26).data[1], 0x45);
    check_equal_sizes(payloads, 1);
    CHECK(payloads->items[0].flags & RT_PAYLOAD_KEY);
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
    rt_frame_unref(round_trip(h264, data, 1200));
}

/* Every place and every length: the fast search for start codes takes 128 bytes at once. */
static void test_h264_start_codes_are_found_wherever_they_are(void)
{
    uint8_t memory[600];
    for (size_t at = 6; at < 500; at++)
        for (size_t zeros = 2; zeros < 5; zeros++) {
            memset(memory, 0xFF, sizeof memory);
            memcpy(memory, (const uint8_t[]){0, 0, 1, 0x65, 0x88}, 5);
            memset(memory + at, 0, zeros);
            memory[at + zeros] = 1;
            memory[at + zeros + 1] = 0x41;
            rt_packetizer *packetizer = packetizer_of(h264);
            rt_payloads *payloads = packetize(packetizer, RT_CODEC_H264, rt_span_of(memory, sizeof memory), 1200);
            CHECK_EQ(payloads->count, 1);
            const rt_span payload = rt_payload_span(payloads, 0);
            CHECK_EQ(payload.data[0], 0x78);
            CHECK_EQ(rt_load16(payload.data + 1), at - 3);
            CHECK_EQ(payload.size, 1 + 2 + at - 3 + 2 + sizeof memory - at - zeros - 1);
            rt_payloads_unref(payloads);
            rt_packetizer_free(packetizer);
        }
}

static void test_h264_hundreds_of_slices(void)
{
    static uint8_t memory[300 * 104];
    for (size_t i = 0; i < 300; i++) {
        memset(memory + i * 104, 0x5A, 104);
        memcpy(memory + i * 104, (const uint8_t[]){START, 0x41, i ? 0x1A : 0x9A}, 6);
    }
    rt_frame_unref(round_trip(h264, rt_span_of(memory, sizeof memory), 1200));
    rt_frame_unref(round_trip(h264, rt_span_of(memory, sizeof memory), 64));
}

static void test_h264_mode_0_sends_single_nal_units(void)
{
    const rt_payload_format mode0 = {.codec = RT_CODEC_H264, .h264_mode = 0};
    const rt_span data = BYTES(START, SPS_640x480, START, PPS, START, 0x65, 0x88, 1);
    rt_packetizer *packetizer = packetizer_of(mode0);
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_H264, data, 1200);
    CHECK_EQ(payloads->count, 3);
    CHECK(rt_span_equal(rt_payload_span(payloads, 1), BYTES(PPS)));
    rt_payloads_unref(payloads);
    uint8_t large[200] = {START, 0x65, 0x88};
    memset(large + 6, 1, sizeof large - 6);
    const rt_frame frame = {.codec = RT_CODEC_H264};
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, rt_span_of(large, 200), 100, &payloads), RT_TOO_LARGE);
    rt_packetizer_free(packetizer);
}

static void test_h264_refuses_what_is_not_annex_b(void)
{
    rt_packetizer *packetizer = packetizer_of(h264);
    const rt_frame frame = {.codec = RT_CODEC_H264};
    rt_payloads *payloads;
    const rt_span bad[] = {BYTES(1, 2, 3),        BYTES(0, 0, 0, 1),           BYTES(9, 0, 0, 1, 0x65, 1),
                           BYTES(START, 0x00, 1), BYTES(START, 0x78, 0, 1, 1), BYTES(0, 0, 0, 0)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(rt_packetizer_frame(packetizer, &frame, bad[i], 1200, &payloads), RT_INVALID);
    rt_packetizer_free(packetizer);
}

static void test_h264_malformed(void)
{
    check_malformed(h264, BYTES(0x00, 1));                      /* type 0 */
    check_malformed(h264, BYTES(0x79, 1, 2, 3));                /* STAP-B, for interleaved mode */
    check_malformed(h264, BYTES(0x7D, 0x85, 1, 2));             /* FU-B */
    check_malformed(h264, BYTES(0x7C));                         /* FU-A without its header */
    check_malformed(h264, BYTES(0x7C, 0x9C, 1));                /* FU-A of an FU-A */
    check_malformed(h264, BYTES(0x78));                         /* nothing together */
    check_malformed(h264, BYTES(0x78, 0));                      /* half a size */
    check_malformed(h264, BYTES(0x78, 0, 0, 0, 1, 0x41));       /* an empty NAL unit */
    check_malformed(h264, BYTES(0x78, 0, 9, 0x41, 1));          /* cut off */
    check_malformed(h264, BYTES(0x78, 0, 3, 0x7C, 0xC5, 1));    /* a fragment in an aggregate */
    check_malformed(h264, BYTES(0x78, 0, 4, 0x78, 0, 1, 0x41)); /* an aggregate in an aggregate */
}

int main(int argc, char **argv)
{
    RUN(test_vp8_descriptors_of_rfc7741_section_4_6);
    RUN(test_vp8_round_trip_in_pieces_of_equal_size);
    RUN(test_vp8_key_frame_tells_its_size);
    RUN(test_vp8_counts_pictures_and_frames_of_the_base_layer);
    RUN(test_vp8_malformed);
    RUN(test_h264_single_nal_units_of_rfc6184_section_5_6);
    RUN(test_h264_aggregate_of_section_5_7_1);
    RUN(test_h264_fragments_of_section_5_8);
    RUN(test_h264_access_unit_becomes_an_aggregate_and_fragments);
    RUN(test_h264_start_codes_are_found_wherever_they_are);
    RUN(test_h264_hundreds_of_slices);
    RUN(test_h264_mode_0_sends_single_nal_units);
    RUN(test_h264_refuses_what_is_not_annex_b);
    RUN(test_h264_malformed);
    CHECK_MAIN_END;
}
