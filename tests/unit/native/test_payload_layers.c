/* VP9 (RFC 9628), H.265 (RFC 7798), AV1 (AOM's RTP payload format). */
#include "payload_kit.h"

static const rt_payload_format vp9 = {.codec = RT_CODEC_VP9, .clock_rate = 90000};
static const rt_payload_format h265 = {.codec = RT_CODEC_H265, .clock_rate = 90000};
static const rt_payload_format av1 = {.codec = RT_CODEC_AV1, .clock_rate = 90000};

static rt_payload_info inspected(rt_payload_format format, rt_span payload)
{
    rt_payload_info info;
    CHECK_EQ(rt_payload_inspect(&format, payload, false, &info), RT_OK);
    return info;
}

/* ---- VP9 ---- */

#define VP9_KEY 0x82, 0x49, 0x83, 0x42, 0x00, 0x27, 0xF0, 0x1D, 0xF4 /* 640 x 480 */

static void test_vp9_non_flexible_mode_of_rfc9628_section_4_2(void)
{
    /* I L B E: 7 bits of id, layers, TL0PICIDX; not predicted */
    rt_payload_info info = inspected(vp9, BYTES(0xAC, 0x11, 0x50, 0x07, VP9_KEY));
    CHECK(info.starts_frame && info.key && info.picture_id == 17 && info.picture_id_bits == 7);
    CHECK(info.temporal == 2 && info.layer_switch && info.spatial == 0 && info.has_tl0 && info.tl0 == 7);
    CHECK(info.width == 640 && info.height == 480);
    /* I P L B with 15 bits of id, spatial layer 1 predicted from layer 0 */
    info = inspected(vp9, BYTES(0xE8, 0x81, 0x02, 0x23, 0x08, 0x01));
    CHECK(!info.starts_frame && !info.key && info.picture_id == 258 && info.picture_id_bits == 15);
    CHECK(info.spatial == 1 && info.temporal == 1 && !info.layer_switch);
    /* the same alone, not predicted from below: a forwarder left the lower layer out */
    CHECK(inspected(vp9, BYTES(0xE8, 0x81, 0x02, 0x22, 0x08, 0x01)).starts_frame);
}

static void test_vp9_flexible_mode_and_scalability_structure(void)
{
    /* I P F B: three P_DIFF */
    rt_payload_info info = inspected(vp9, BYTES(0xD8, 0x05, 0x03, 0x05, 0x06, 0x01));
    CHECK(info.starts_frame && !info.key && !info.has_tl0 && info.picture_id == 5);
    check_malformed(vp9, BYTES(0xD8, 0x05, 0x03, 0x05, 0x07, 0x01, 0x01)); /* a fourth */
    /* I B V: two spatial layers with sizes, a pattern of two pictures with one P_DIFF each */
    info = inspected(vp9, BYTES(0x8A, 0x05, 0x38, 1, 64, 0, 240, 2, 128, 1, 224, 2, 0x04, 1, 0x44, 2, 0xAA));
    CHECK(info.key && info.width == 640 && info.height == 480);
}

static void test_vp9_round_trip_with_the_size_in_the_first_payload(void)
{
    static uint8_t memory[30000];
    const uint8_t key[] = {VP9_KEY};
    for (size_t size = 9; size <= sizeof memory; size = size * 5 / 2 + 3) {
        rt_frame *frame = round_trip(vp9, noise(memory, size, 0x86, size), 1200);
        CHECK(!(frame->flags & RT_FRAME_KEY));
        rt_frame_unref(frame);
        memcpy(memory, key, sizeof key);
        frame = round_trip(vp9, rt_span_of(memory, size), 1200);
        CHECK(frame->flags & RT_FRAME_KEY);
        CHECK(frame->width == 640 && frame->height == 480);
        rt_frame_unref(frame);
    }
    rt_packetizer *packetizer = packetizer_of(vp9);
    for (int i = 0; i < 2; i++) { /* a key frame, then another */
        rt_payloads *payloads = packetize(packetizer, RT_CODEC_VP9, rt_span_of(memory, sizeof memory), 1200);
        CHECK_EQ(payloads->count, 26);
        check_equal_sizes(payloads, 0);
        rt_payloads_unref(payloads);
        memory[0] = 0x86;
    }
    rt_packetizer_free(packetizer);
}

static void test_vp9_picture_ids_count_and_layers_are_told_from_a_key_frame_on(void)
{
    rt_packetizer *packetizer = packetizer_of(vp9);
    uint16_t before = 0;
    for (uint32_t i = 0; i < 0x8002; i++) {
        const bool key = i % 100 == 0, told = i >= 100;
        const rt_frame frame = {.codec = RT_CODEC_VP9, .temporal = i % 100 % 3};
        rt_payloads *payloads;
        rt_span data = key ? BYTES(VP9_KEY) : BYTES(0x86, 2, 3);
        CHECK_EQ(rt_packetizer_frame(packetizer, &frame, data, 1200, &payloads), RT_OK);
        rt_payload_info info = inspected(vp9, rt_payload_span(payloads, 0));
        CHECK(info.picture_id_bits == 15 && info.starts_frame && info.key == key);
        CHECK_EQ(info.temporal, told ? frame.temporal : 0);
        CHECK_EQ(payloads->items[0].temporal, frame.temporal);
        CHECK(i == 0 || info.picture_id == ((before + 1) & 0x7FFF));
        before = info.picture_id;
        rt_payloads_unref(payloads);
    }
    rt_packetizer_free(packetizer);
}

static void test_vp9_spatial_layers_become_a_superframe(void)
{
    const rt_span payloads[] = {
        BYTES(0xAC, 0x11, 0x00, 0x07, VP9_KEY), /* layer 0, whole */
        BYTES(0xA8, 0x11, 0x03, 0x07, 0xA0),
        BYTES(0xA4, 0x11, 0x03, 0x07, 0xA1, 0xA2), /* layer 1 in two */
    };
    rt_frame *frame;
    CHECK_EQ(rt_payload_assemble(&vp9, payloads, 3, &frame), RT_OK);
    const rt_span expected = BYTES(VP9_KEY, 0xA0, 0xA1, 0xA2, 0xD9, 9, 0, 0, 0, 3, 0, 0, 0, 0xD9);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), expected));
    CHECK(frame->flags & RT_FRAME_KEY);
    CHECK_EQ(frame->spatial, 1);
    rt_frame_unref(frame);

    /* the index that an encoder has put there stays the only one */
    const rt_span indexed[] = {payloads[0], BYTES(0xAC, 0x11, 0x03, 0x07, 0xA0, 0xC1, 9, 1, 0xC1)};
    CHECK_EQ(rt_payload_assemble(&vp9, indexed, 2, &frame), RT_OK);
    CHECK_EQ(frame->size, 9 + 5);
    rt_frame_unref(frame);
}

static void test_vp9_malformed(void)
{
    const rt_span whole = BYTES(0xFA, 0x81, 0x02, 0x20, 0x03, 0x02, 0x18, 1, 64, 0, 240, 1, 0x04, 1, 0xAA);
    CHECK_EQ(inspected(vp9, whole).width, 320);
    for (size_t size = 1; size < whole.size; size++)
        check_malformed(vp9, rt_span_of(whole.data, size));
    rt_frame *frame;
    rt_span payloads[9] = {BYTES(0x84, 0x11, 1)}; /* no beginning */
    CHECK_EQ(rt_payload_assemble(&vp9, payloads, 1, &frame), RT_MALFORMED);
    const rt_span layer = BYTES(0x8C, 0x11, 1);
    for (size_t i = 0; i < 9; i++) /* more layers than there are */
        payloads[i] = layer;
    CHECK_EQ(rt_payload_assemble(&vp9, payloads, 9, &frame), RT_MALFORMED);
}

/* ---- H.265 ---- */

#define START 0, 0, 0, 1
#define VPS 0x40, 0x01, 0x0C, 0x01
#define SPS_416x240                                                                                                    \
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3C, 0xA0,  \
        0x0D, 0x08, 0x0F, 0x16

static void test_h265_single_nal_units_of_rfc7798_section_4_4_1(void)
{
    rt_payload_info info = inspected(h265, BYTES(0x26, 0x01, 0xAF, 1)); /* IDR_W_RADL */
    CHECK(info.starts_frame && info.key && info.temporal == 0);
    info = inspected(h265, BYTES(0x02, 0x03, 0xD0, 1)); /* TRAIL_R of temporal layer 2 */
    CHECK(info.starts_frame && !info.key && info.temporal == 2 && !info.discardable);
    CHECK(!inspected(h265, BYTES(0x02, 0x01, 0x50, 1)).starts_frame); /* a later slice */
    info = inspected(h265, BYTES(SPS_416x240));
    CHECK(info.starts_frame && info.key && info.width == 416 && info.height == 240);
}

static void test_h265_aggregate_of_section_4_4_2(void)
{
    const rt_span payload = BYTES(0x60, 0x01, 0, 4, VPS, 0, 23, SPS_416x240, 0, 4, 0x26, 0x01, 0xAF, 1);
    rt_payload_info info = inspected(h265, payload);
    CHECK(info.starts_frame && info.key && info.width == 416);
    rt_frame *frame;
    CHECK_EQ(rt_payload_assemble(&h265, &payload, 1, &frame), RT_OK);
    const rt_span expected = BYTES(START, VPS, START, SPS_416x240, START, 0x26, 0x01, 0xAF, 1);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), expected));
    CHECK(frame->flags & RT_FRAME_KEY);
    CHECK(frame->width == 416 && frame->height == 240);

    rt_packetizer *packetizer = packetizer_of(h265); /* and the same when we make it */
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_H265, rt_span_of(frame->data, frame->size), 1200);
    CHECK_EQ(payloads->count, 1);
    CHECK(rt_span_equal(rt_payload_span(payloads, 0), payload));
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
    rt_frame_unref(frame);
}

static void test_h265_aggregate_has_the_lowest_layers(void)
{
    rt_packetizer *packetizer = packetizer_of(h265);
    const rt_span data = BYTES(START, 0x02, 0x0B, 1, START, 0x02, 0x12, 1); /* layers 1 and 2, temporal 2 and 1 */
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_H265, data, 1200);
    CHECK_EQ(payloads->count, 1);
    CHECK_EQ(rt_payload_span(payloads, 0).data[0], 0x60);
    CHECK_EQ(rt_payload_span(payloads, 0).data[1], 0x0A);
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
}

static void test_h265_fragments_of_section_4_4_3(void)
{
    const rt_span payloads[] = {BYTES(0x62, 0x01, 0x93, 0xAF, 1), BYTES(0x62, 0x01, 0x13, 2),
                                BYTES(0x62, 0x01, 0x53, 3)};
    for (size_t i = 0; i < 3; i++) {
        rt_payload_info info = inspected(h265, payloads[i]);
        CHECK(info.key && info.starts_frame == (i == 0));
    }
    rt_frame *frame;
    CHECK_EQ(rt_payload_assemble(&h265, payloads, 3, &frame), RT_OK);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), BYTES(START, 0x26, 0x01, 0xAF, 1, 2, 3)));
    rt_frame_unref(frame);
    CHECK_EQ(rt_payload_assemble(&h265, payloads, 2, &frame), RT_MALFORMED);
    CHECK_EQ(rt_payload_assemble(&h265, payloads + 1, 2, &frame), RT_MALFORMED);
}

static void test_h265_round_trip_of_a_large_access_unit(void)
{
    static uint8_t memory[30100];
    const rt_span sets = BYTES(START, VPS, START, SPS_416x240, START, 0x26, 0x01, 0xAF);
    memset(memory, 0xAB, sizeof memory);
    memcpy(memory, sets.data, sets.size);
    for (size_t max = 64; max < 4000; max = max * 3 / 2)
        rt_frame_unref(round_trip(h265, rt_span_of(memory, sizeof memory), max));
    rt_packetizer *packetizer = packetizer_of(h265);
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_H265, rt_span_of(memory, sizeof memory), 1200);
    CHECK_EQ(payloads->count, 1 + 26);
    check_equal_sizes(payloads, 1);
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
}

static void test_h265_malformed(void)
{
    check_malformed(h265, BYTES(0x26));                                  /* half a header */
    check_malformed(h265, BYTES(0x64, 0x01, 1, 2));                      /* PACI */
    check_malformed(h265, BYTES(0x60, 0x01, 0, 9, 0x26, 0x01));          /* cut off */
    check_malformed(h265, BYTES(0x60, 0x01, 0, 1, 0x26));                /* half a NAL unit's header */
    check_malformed(h265, BYTES(0x62, 0x01));                            /* a fragment without its header */
    check_malformed(h265, BYTES(0x62, 0x01, 0xB1, 1));                   /* a fragment of a fragment */
    check_malformed(h265, BYTES(0x60, 0x01, 0, 4, 0x62, 0x01, 0xD3, 1)); /* a fragment in an aggregate */
}

/* ---- AV1 ---- */

/* Profile 0, one operating point at level 2.0, 640 x 480, then what is not read. */
#define AV1_SEQUENCE 0x00, 0x00, 0x00, 0x04, 0xC4, 0xFF, 0xDF, 0x00

static void test_av1_aggregation_header_of_section_4_4(void)
{
    /* W 2, N: a sequence header with a size and a key frame without */
    const rt_span payload = BYTES(0x28, 9, 0x08, AV1_SEQUENCE, 0x30, 0x10, 1, 2);
    rt_payload_info info = inspected(av1, payload);
    CHECK(info.starts_frame && info.key && info.width == 640 && info.height == 480);
    rt_frame *frame;
    CHECK_EQ(rt_payload_assemble(&av1, &payload, 1, &frame), RT_OK);
    const rt_span expected = BYTES(0x0A, 8, AV1_SEQUENCE, 0x32, 3, 0x10, 1, 2);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), expected));
    CHECK(frame->flags & RT_FRAME_KEY);
    CHECK(frame->width == 640 && frame->height == 480);
    rt_frame_unref(frame);
    /* W 0: all with sizes; layers; a temporal delimiter, which is dropped; an OBU with a size of its own */
    const rt_span sized = BYTES(0x00, 1, 0x10, 3, 0x34, 0x28, 0x50, 4, 0x22, 0x02, 7, 8);
    info = inspected(av1, sized);
    CHECK(info.starts_frame && !info.key && info.temporal == 1 && info.spatial == 1);
    CHECK_EQ(rt_payload_assemble(&av1, &sized, 1, &frame), RT_OK);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), BYTES(0x36, 0x28, 1, 0x50, 0x22, 2, 7, 8)));
    CHECK(frame->temporal == 1 && frame->spatial == 1 && !(frame->flags & RT_FRAME_KEY));
    rt_frame_unref(frame);
}

static void test_av1_fragments_over_payloads(void)
{
    const rt_span payloads[] = {
        BYTES(0x50, 0x34),             /* the header's first byte only, to be continued */
        BYTES(0xD0, 0x00, 0x50, 1),    /* goes on and on */
        BYTES(0xA0, 1, 2, 0x20, 3, 4), /* ends; another one behind it */
    };
    CHECK(inspected(av1, payloads[0]).starts_frame && !inspected(av1, payloads[1]).starts_frame);
    rt_frame *frame;
    CHECK_EQ(rt_payload_assemble(&av1, payloads, 3, &frame), RT_OK);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), BYTES(0x36, 0x00, 3, 0x50, 1, 2, 0x22, 2, 3, 4)));
    rt_frame_unref(frame);
    CHECK_EQ(rt_payload_assemble(&av1, payloads, 2, &frame), RT_MALFORMED);
    CHECK_EQ(rt_payload_assemble(&av1, payloads + 1, 2, &frame), RT_MALFORMED);
    const rt_span lost[] = {payloads[0], BYTES(0x10, 0x30, 0x50)};
    CHECK_EQ(rt_payload_assemble(&av1, lost, 2, &frame), RT_MALFORMED);
}

/* A temporal unit of sequence header, frame of `size`, tile groups of `small` bytes. */
static rt_span temporal_unit(uint8_t *memory, size_t size, size_t groups, size_t small)
{
    rt_writer w = rt_writer_of(rt_buffer_of(memory, 70000));
    rt_write_span(&w, BYTES(0x0A, 8, AV1_SEQUENCE, 0x32, 0x80 | (uint8_t)(size & 0x7F), (uint8_t)(size >> 7)));
    for (size_t i = 0; i < size; i++)
        rt_write8(&w, i ? 0x55 : 0x10);
    for (size_t i = 0; i < groups; i++) {
        rt_write_span(&w, BYTES(0x22, (uint8_t)small));
        memset(rt_write_room(&w, small), 0x77, small);
    }
    CHECK(rt_writer_ok(&w));
    return rt_span_of(memory, rt_writer_size(&w));
}

static void test_av1_round_trip_in_payloads_of_equal_size(void)
{
    static uint8_t memory[70000];
    for (size_t size = 128; size < 16000; size = size * 3 / 2)
        for (size_t groups = 0; groups < 40; groups += 13)
            for (size_t max = 64; max < 2000; max *= 2) {
                rt_frame *frame = round_trip(av1, temporal_unit(memory, size, groups, 100), max);
                CHECK(frame->flags & RT_FRAME_KEY);
                rt_frame_unref(frame);
            }
    rt_packetizer *packetizer = packetizer_of(av1);
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_AV1, temporal_unit(memory, 16000, 0, 0), 1200);
    CHECK_EQ(payloads->count, 14);
    check_equal_sizes(payloads, 0);
    CHECK_EQ(rt_payload_span(payloads, 0).data[0], 0x68);
    CHECK_EQ(rt_payload_span(payloads, 1).data[0], 0xD0);
    CHECK_EQ(rt_payload_span(payloads, 13).data[0], 0x90);
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
}

static void test_av1_leaves_out_what_is_not_sent(void)
{
    rt_packetizer *packetizer = packetizer_of(av1);
    const rt_span data = BYTES(0x12, 0, 0x32, 2, 0x50, 1, 0x7A, 1, 0); /* temporal delimiter, frame, padding */
    rt_payloads *payloads = packetize(packetizer, RT_CODEC_AV1, data, 1200);
    CHECK_EQ(payloads->count, 1);
    CHECK(rt_span_equal(rt_payload_span(payloads, 0), BYTES(0x10, 0x30, 0x50, 1)));
    rt_payloads_unref(payloads);
    const rt_frame frame = {.codec = RT_CODEC_AV1};
    const rt_span bad[] = {BYTES(0x12, 0), BYTES(0x32, 3, 1), BYTES(0xB2, 1, 1), BYTES(0x36),
                           BYTES(0x32, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(rt_packetizer_frame(packetizer, &frame, bad[i], 1200, &payloads), RT_INVALID);
    rt_packetizer_free(packetizer);
}

static void test_av1_malformed(void)
{
    check_malformed(av1, BYTES(0x10));             /* nothing */
    check_malformed(av1, BYTES(0x00, 5, 0x30, 1)); /* beyond the end */
    check_malformed(av1, BYTES(0x20, 2, 0x30, 1)); /* the second one is missing */
    check_malformed(av1, BYTES(0x00, 0, 1, 0x30)); /* an empty element */
    check_malformed(av1, BYTES(0x98, 0x30, 1));    /* a sequence starts with a continuation */
    check_malformed(av1, BYTES(0x10, 0xB0, 1));    /* the forbidden bit */
    check_malformed(av1, BYTES(0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0));
}

int main(int argc, char **argv)
{
    RUN(test_vp9_non_flexible_mode_of_rfc9628_section_4_2);
    RUN(test_vp9_flexible_mode_and_scalability_structure);
    RUN(test_vp9_round_trip_with_the_size_in_the_first_payload);
    RUN(test_vp9_picture_ids_count_and_layers_are_told_from_a_key_frame_on);
    RUN(test_vp9_spatial_layers_become_a_superframe);
    RUN(test_vp9_malformed);
    RUN(test_h265_single_nal_units_of_rfc7798_section_4_4_1);
    RUN(test_h265_aggregate_of_section_4_4_2);
    RUN(test_h265_aggregate_has_the_lowest_layers);
    RUN(test_h265_fragments_of_section_4_4_3);
    RUN(test_h265_round_trip_of_a_large_access_unit);
    RUN(test_h265_malformed);
    RUN(test_av1_aggregation_header_of_section_4_4);
    RUN(test_av1_fragments_over_payloads);
    RUN(test_av1_round_trip_in_payloads_of_equal_size);
    RUN(test_av1_leaves_out_what_is_not_sent);
    RUN(test_av1_malformed);
    CHECK_MAIN_END;
}
