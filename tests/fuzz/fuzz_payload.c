/* Any bytes as the payloads of a frame, for each codec: first byte: the codec; then payloads, each behind 16 bits of
 * size. What is assembled is a frame that can be sent again, and comes back the same (for H.264 and H.265 where the
 * bytes of NAL units have no start codes in them); inspecting accepts each payload that assembling accepts. */
#include "expect.h"
#include "wire/payload.h"

enum { PAYLOADS = 64 };

static void send_again(const rt_payload_format *format, const rt_frame *frame)
{
    rt_random random;
    rt_random_init_number(&random, 1);
    rt_packetizer *packetizer = rt_packetizer_new(format, &random);
    expect(packetizer != NULL);
    rt_payloads *payloads;
    const size_t max_payload = rt_codec_is_video(format->codec) ? 64 + frame->size % 1200 : UINT16_MAX;
    rt_span data = rt_span_of(frame->data, frame->size);
    rt_status status = rt_packetizer_frame(packetizer, frame, data, max_payload, &payloads);
    const bool nal = format->codec == RT_CODEC_H264 || format->codec == RT_CODEC_H265;
    expect(status == RT_OK || nal || (format->codec == RT_CODEC_VP8 && frame->temporal > 3));
    if (status == RT_OK) {
        rt_span *spans = malloc(payloads->count * sizeof *spans);
        expect(spans != NULL);
        for (uint32_t i = 0; i < payloads->count; i++) {
            spans[i] = rt_payload_span(payloads, i);
            expect(spans[i].size > 0 && spans[i].size <= max_payload);
        }
        rt_frame *again;
        status = rt_payload_assemble(format, spans, payloads->count, &again);
        expect(status == RT_OK);
        expect(nal || rt_span_equal(rt_span_of(again->data, again->size), data));
        rt_frame_unref(again);
        free(spans);
        rt_payloads_unref(payloads);
    }
    rt_packetizer_free(packetizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const rt_payload_format format = {
        .codec = (rt_codec)(1 + data[0] % (RT_CODECS - 1)),
        .channels = data[0] & 0x80 ? 2 : 1,
        .h264_mode = 1,
    };
    rt_reader r = rt_reader_of(rt_span_of(data + 1, size - 1));
    rt_span spans[PAYLOADS];
    size_t count = 0;
    bool good = true;
    while (count < PAYLOADS && rt_reader_left(&r) > 0) {
        rt_span payload = rt_read_span(&r, rt_read16(&r) % (rt_reader_left(&r) + 1));
        rt_payload_info info;
        good &= rt_payload_inspect(&format, payload, true, &info) == RT_OK;
        spans[count++] = payload;
    }
    if (count == 0)
        return 0;
    rt_frame *frame;
    if (rt_payload_assemble(&format, spans, count, &frame) != RT_OK)
        return 0;
    expect(good && frame->size > 0 && frame->size <= frame->capacity);
    send_again(&format, frame);
    rt_frame_unref(frame);
    return 0;
}
