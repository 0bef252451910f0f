#include "media_stream.h"

#include "check.h"

const rt_receiver_format stream_formats[] = {
    {STREAM_VP8, true, true, true, {.codec = RT_CODEC_VP8, .clock_rate = 90000}},
    {STREAM_H264, true, true, false, {.codec = RT_CODEC_H264, .clock_rate = 90000, .h264_mode = 1}},
    {STREAM_OPUS, false, false, false, {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2}},
    {STREAM_RED, false, false, false, {.codec = RT_CODEC_RED, .clock_rate = 48000, .channels = 2}},
    {STREAM_EVENT, false, false, false, {.codec = RT_CODEC_TELEPHONE_EVENT, .clock_rate = 48000, .channels = 1}},
};
const size_t stream_format_count = sizeof stream_formats / sizeof *stream_formats;

static size_t vp8_payload(const stream *s, bool key, size_t index, uint8_t temporal, bool layer_switch, size_t size,
                          uint8_t *out)
{
    size_t at = 0;
    out[at++] = (uint8_t)(0x80 | (index == 0 ? 0x10 : 0));
    out[at++] = s->layers > 1 ? 0xE0 : 0x80;
    rt_store16(out + at, 0x8000 | s->picture_id);
    at += 2;
    if (s->layers > 1) {
        out[at++] = s->tl0;
        out[at++] = (uint8_t)(temporal << 6 | (layer_switch ? 0x20 : 0));
    }
    if (index == 0) {
        static const uint8_t key_header[] = {0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01};
        static const uint8_t other_header[] = {0x11, 0, 0};
        size_t header = key ? sizeof key_header : sizeof other_header;
        memcpy(out + at, key ? key_header : other_header, header);
        at += header;
        rt_store32(out + at, s->frame);
        at += 4;
    }
    if (at < size) {
        memset(out + at, (int)(s->frame + index), size - at);
        at = size;
    }
    return at;
}

/* Fragments (FU-A) of one slice; a key frame begins with a packet of its sequence and picture parameter sets. */
static size_t h264_payload(const stream *s, bool key, size_t index, size_t count, size_t size, uint8_t *out)
{
    static const uint8_t sets[] = {24,   0,    10,   0x67, 0x42, 0xC0, 0x1E, 0xDA, 0x02, 0x80,
                                   0xBF, 0xE5, 0xC0, 0,    4,    0x68, 0xCE, 0x3C, 0x80};
    if (key && index == 0) {
        memcpy(out, sets, sizeof sets);
        return sizeof sets;
    }
    size_t at = 0, first = key ? 1 : 0;
    out[at++] = 0x7C; /* NRI 3, FU-A */
    out[at++] = (uint8_t)((index == first ? 0x80 : 0) | (index == count - 1 ? 0x40 : 0) | (key ? 5 : 1));
    if (index == first) {
        out[at++] = 0x88;
        rt_store32(out + at, s->frame);
        at += 4;
    }
    memset(out + at, 0xFF, size > at ? size - at : 1); /* nothing like a start code */
    return size > at ? size : at + 1;
}

void stream_video(stream *s, bool key, size_t count, size_t size, uint32_t step, stream_packet *out)
{
    CHECK(size <= STREAM_ROOM && count >= 3);
    static const uint8_t pattern2[] = {0, 1}, pattern3[] = {0, 2, 1, 2};
    uint8_t temporal = s->layers == 3 ? pattern3[s->frame % 4] : s->layers == 2 ? pattern2[s->frame % 2] : 0;
    if (key)
        temporal = 0;
    if (temporal == 0)
        s->tl0++;
    /* The first of each upper layer after a lowest one needs the lowest only. */
    bool layer_switch = temporal == 1 || (temporal == 2 && s->frame % 4 == 1);
    for (size_t i = 0; i < count; i++) {
        stream_packet *p = &out[i];
        size_t used = s->payload_type == STREAM_VP8 ? vp8_payload(s, key, i, temporal, layer_switch, size, p->data)
                                                    : h264_payload(s, key, i, count, size, p->data);
        p->frame = s->frame;
        p->key = key;
        p->temporal = temporal;
        p->rtp = (rt_rtp){.marker = i == count - 1,
                          .payload_type = s->payload_type,
                          .sequence = s->sequence++,
                          .timestamp = s->timestamp,
                          .payload = rt_span_of(p->data, used)};
    }
    s->timestamp += step;
    s->picture_id = (s->picture_id + 1) & 0x7FFF;
    s->frame++;
}

void stream_audio(stream *s, size_t size, stream_packet *out)
{
    CHECK(size >= 5 && size <= STREAM_ROOM);
    memset(out->data, 0, size);
    out->data[0] = 1 << 3; /* SILK, narrow band, 20 ms, one frame */
    rt_store32(out->data + 1, s->frame);
    out->frame = s->frame++;
    out->rtp = (rt_rtp){.payload_type = s->payload_type,
                        .sequence = s->sequence++,
                        .timestamp = s->timestamp,
                        .payload = rt_span_of(out->data, size)};
    s->timestamp += 960;
}

uint32_t stream_frame_number(const rt_frame *frame)
{
    static const uint8_t fresh[] = {0, 0, 0, 1};
    size_t at = 1;
    if (frame->codec == RT_CODEC_VP8) {
        at = frame->flags & RT_FRAME_KEY ? 10 : 3;
    } else if (frame->codec == RT_CODEC_H264) { /* behind the header and first byte of the last NAL unit */
        at = 0;
        for (size_t i = 0; i + 10 <= frame->size; i++) {
            uint8_t type = frame->data[i + 4] & 31;
            if (!memcmp(frame->data + i, fresh, 4) && (type == 1 || type == 5))
                at = i + 6;
        }
    }
    CHECK(at && frame->size >= at + 4);
    return rt_load32(frame->data + at);
}

rt_receiver *stream_receiver(bool video, rt_receiver_config *changes)
{
    rt_receiver_config config;
    rt_receiver_config_default(&config);
    if (changes)
        config = *changes;
    config.ssrc = 0x1234;
    config.video = video;
    config.formats = stream_formats;
    config.format_count = stream_format_count;
    rt_receiver *receiver = rt_receiver_new(&config);
    CHECK(receiver);
    return receiver;
}

rt_status stream_receive(rt_receiver *receiver, const stream_packet *packet, bool recovered, rt_time now)
{
    return rt_receiver_receive(receiver, &packet->rtp, NULL, recovered, now);
}
