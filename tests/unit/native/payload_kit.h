/* What the tests of payload formats share: frames through a packetizer and back. */
#ifndef RT_TESTS_PAYLOAD_KIT_H
#define RT_TESTS_PAYLOAD_KIT_H

#include "check.h"
#include "wire/payload.h"

#define BYTES(...) rt_span_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define PAYLOADS_MAX 2048

/* `size` bytes that look like nothing; the first one is `first`. */
static inline rt_span noise(uint8_t *memory, size_t size, uint8_t first, uint64_t seed)
{
    rt_random random;
    rt_random_init_number(&random, seed);
    rt_random_fill(&random, memory, size);
    memory[0] = first;
    return rt_span_of(memory, size);
}

static inline rt_packetizer *packetizer_of(rt_payload_format format)
{
    rt_random random;
    rt_random_init_number(&random, 7);
    rt_packetizer *packetizer = rt_packetizer_new(&format, &random);
    CHECK(packetizer);
    return packetizer;
}

static inline rt_payloads *packetize(rt_packetizer *packetizer, rt_codec codec, rt_span data, size_t max_payload)
{
    const rt_frame frame = {.codec = codec};
    rt_payloads *payloads;
    CHECK_EQ(rt_packetizer_frame(packetizer, &frame, data, max_payload, &payloads), RT_OK);
    CHECK(payloads->data == (const uint8_t *)&payloads->items[payloads->count]); /* one block for all */
    for (uint32_t i = 0; i < payloads->count; i++) {
        CHECK(payloads->items[i].size > 0 && payloads->items[i].size <= max_payload);
        CHECK_EQ((payloads->items[i].flags & RT_PAYLOAD_START) != 0, i == 0);
        CHECK(i + 1 == payloads->count || !(payloads->items[i].flags & RT_PAYLOAD_MARKER));
    }
    return payloads;
}

static inline rt_status assemble_all(rt_payload_format format, const rt_payloads *payloads, rt_frame **out)
{
    rt_span spans[PAYLOADS_MAX];
    CHECK(payloads->count <= PAYLOADS_MAX);
    for (uint32_t i = 0; i < payloads->count; i++)
        spans[i] = rt_payload_span(payloads, i);
    return rt_payload_assemble(&format, spans, payloads->count, out);
}

/* Through a packetizer and back: the same bytes. The frame is the caller's. */
static inline rt_frame *round_trip(rt_payload_format format, rt_span data, size_t max_payload)
{
    rt_packetizer *packetizer = packetizer_of(format);
    rt_payloads *payloads = packetize(packetizer, format.codec, data, max_payload);
    rt_frame *frame;
    CHECK_EQ(assemble_all(format, payloads, &frame), RT_OK);
    CHECK(rt_span_equal(rt_span_of(frame->data, frame->size), data));
    CHECK_EQ(frame->codec, format.codec);
    CHECK_EQ(frame->packets, payloads->count);
    CHECK_EQ((frame->flags & RT_FRAME_KEY) != 0, (payloads->items[0].flags & RT_PAYLOAD_KEY) != 0);
    for (uint32_t i = 0; i < payloads->count; i++) {
        rt_payload_info info;
        bool last = i + 1 == payloads->count;
        CHECK_EQ(rt_payload_inspect(&format, rt_payload_span(payloads, i), last, &info), RT_OK);
        CHECK(i > 0 || info.starts_frame);
        CHECK_EQ(info.ends_frame, last);
    }
    rt_payloads_unref(payloads);
    rt_packetizer_free(packetizer);
    return frame;
}

/* But for the last one they are equal, as GSO wants them. */
static inline void check_equal_sizes(const rt_payloads *payloads, uint32_t from)
{
    for (uint32_t i = from + 1; i < payloads->count; i++) {
        uint16_t size = payloads->items[i].size, before = payloads->items[from].size;
        CHECK(i + 1 == payloads->count ? size <= before : size == before);
    }
}

static inline void check_malformed(rt_payload_format format, rt_span payload)
{
    rt_payload_info info;
    rt_frame *frame = NULL;
    CHECK_EQ(rt_payload_inspect(&format, payload, false, &info), RT_MALFORMED);
    CHECK_EQ(rt_payload_assemble(&format, &payload, 1, &frame), RT_MALFORMED);
    CHECK(frame == NULL);
}

#endif
