#include "wire/payload.h"

#include "wire/payload_internal.h"

#include <stdlib.h>

enum {
    PAYLOAD_MIN = 64,
    FRAME_MAX = 1 << 28, /* so that offsets and sums of them cannot overflow */
};

static const rt_payload_ops *ops_of(const rt_payload_format *format)
{
    switch (format->codec) {
    case RT_CODEC_OPUS:
    case RT_CODEC_PCMU:
    case RT_CODEC_PCMA:
    case RT_CODEC_G722:
    case RT_CODEC_L16:
    case RT_CODEC_TELEPHONE_EVENT:
    case RT_CODEC_COMFORT_NOISE:
    case RT_CODEC_RED: return &rt_payload_audio;
    case RT_CODEC_VP8: return &rt_payload_vp8;
    case RT_CODEC_VP9: return &rt_payload_vp9;
    case RT_CODEC_H265: return &rt_payload_h265;
    case RT_CODEC_AV1: return &rt_payload_av1;
    case RT_CODEC_H264: return format->h264_mode <= 1 ? &rt_payload_h264 : NULL;
    default: return NULL;
    }
}

/* ---- sending ---- */

rt_payloads *rt_payloads_new(const rt_frame *frame, bool key, size_t capacity, size_t bytes)
{
    rt_payloads *payloads = malloc(sizeof *payloads + capacity * sizeof payloads->items[0] + bytes);
    if (!payloads)
        return NULL;
    atomic_init(&payloads->references, 1);
    payloads->count = 0;
    payloads->codec = frame->codec;
    payloads->data = (uint8_t *)&payloads->items[capacity];
    const rt_payload item = {
        .flags =
            (uint8_t)((key ? RT_PAYLOAD_KEY : 0) | (frame->flags & RT_FRAME_DISCARDABLE ? RT_PAYLOAD_DISCARDABLE : 0)),
        .spatial = frame->spatial,
        .temporal = frame->temporal,
    };
    for (size_t i = 0; i < capacity; i++)
        payloads->items[i] = item;
    return payloads;
}

void rt_payloads_unref(rt_payloads *payloads)
{
    if (payloads && atomic_fetch_sub_explicit(&payloads->references, 1, memory_order_acq_rel) == 1)
        free(payloads);
}

bool rt_payload_can_send(const rt_payload_format *format)
{
    return ops_of(format) != NULL;
}

rt_packetizer *rt_packetizer_new(const rt_payload_format *format, rt_random *random)
{
    if (!ops_of(format))
        return NULL;
    rt_packetizer *packetizer = malloc(sizeof *packetizer);
    if (!packetizer)
        return NULL;
    *packetizer = (rt_packetizer){
        .format = *format,
        .picture_id = (uint16_t)rt_random_below(random, 0x8000),
        .tl0 = (uint8_t)rt_random_below(random, 0x100),
    };
    return packetizer;
}

void rt_packetizer_free(rt_packetizer *packetizer)
{
    free(packetizer);
}

rt_status rt_packetizer_frame(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                              rt_payloads **out)
{
    *out = NULL;
    if (max_payload < PAYLOAD_MIN || data.size == 0 || frame->codec != packetizer->format.codec)
        return RT_INVALID;
    if (data.size > FRAME_MAX)
        return RT_TOO_LARGE;
    if (max_payload > UINT16_MAX)
        max_payload = UINT16_MAX;
    rt_payloads *payloads = NULL;
    rt_status status = ops_of(&packetizer->format)->packetize(packetizer, frame, data, max_payload, &payloads);
    if (status != RT_OK)
        return status;
    payloads->items[0].flags |= RT_PAYLOAD_START;
    if (rt_codec_is_video(frame->codec) || frame->flags & RT_FRAME_MARKER)
        payloads->items[payloads->count - 1].flags |= RT_PAYLOAD_MARKER;
    *out = payloads;
    return RT_OK;
}

/* ---- receiving ---- */

uint8_t *rt_frame_append(rt_frame **frame, size_t size)
{
    rt_frame *old = *frame;
    if (old->capacity - old->size < size) {
        size_t capacity = 2 * (old->size + size);
        rt_frame *grown = rt_frame_new(capacity);
        if (!grown)
            return NULL;
        memcpy(grown, old, sizeof *old + old->size);
        grown->capacity = capacity;
        rt_frame_unref(old);
        *frame = old = grown;
    }
    uint8_t *room = old->data + old->size;
    old->size += size;
    return room;
}

rt_status rt_payload_inspect(const rt_payload_format *format, rt_span payload, bool marker, rt_payload_info *out)
{
    const rt_payload_ops *ops = ops_of(format);
    *out = (rt_payload_info){.ends_frame = marker};
    if (!ops)
        return RT_UNSUPPORTED;
    if (payload.size == 0)
        return RT_MALFORMED;
    return ops->inspect(format, payload, out);
}

rt_status rt_payload_assemble(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **out)
{
    *out = NULL;
    const rt_payload_ops *ops = ops_of(format);
    if (!ops)
        return RT_UNSUPPORTED;
    if (count == 0)
        return RT_INVALID;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (payloads[i].size == 0)
            return RT_MALFORMED;
        size += payloads[i].size;
    }
    /* What formats add (start codes, sizes) is seldom more than this: then the frame does not move. */
    rt_frame *frame = rt_frame_new(size + 4 * count + 32);
    if (!frame)
        return RT_NO_MEMORY;
    frame->codec = format->codec;
    frame->packets = (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX);
    rt_status status = ops->assemble(format, payloads, count, &frame);
    if (status == RT_OK && frame->size == 0)
        status = RT_MALFORMED;
    if (status != RT_OK) {
        rt_frame_unref(frame);
        return status;
    }
    *out = frame;
    return RT_OK;
}
