/* Audio: the bytes as the encoder gives them, a frame in a payload (RFC 7587, RFC 3551, RFC 3389, RFC 4733). A
 * payload cannot be cut: its pieces would need timestamps of their own.
 */
#include "wire/payload_internal.h"

enum {
    OPUS_MAX = 5760, /* 120 ms at 48 kHz */
    RED_MAX = 32,    /* blocks */
};

/*    0 1 2 3 4 5 6 7
 *   +-+-+-+-+-+-+-+-+
 *   | config  |s| c |   RFC 6716 section 3.1: c 0: one frame, 1 and 2: two, 3: the next byte tells
 *   +-+-+-+-+-+-+-+-+
 *   |v|p|     M     |   section 3.2.5: M frames
 *   +-+-+-+-+-+-+-+-+
 */
uint32_t rt_opus_duration(rt_span packet)
{
    static const uint16_t silk[] = {480, 960, 1920, 2880}; /* 10, 20, 40, 60 ms */
    if (packet.size == 0)
        return 0;
    uint8_t config = packet.data[0] >> 3, code = packet.data[0] & 3;
    uint32_t frame = config < 12 ? silk[config & 3] : config < 16 ? 480u << (config & 1) : 120u << (config & 3);
    uint32_t count = code == 0 ? 1 : 2;
    if (code == 1 && packet.size % 2 == 0)
        return 0; /* two frames of equal size behind the first byte */
    if (code == 2 && packet.size < 2)
        return 0;
    if (code == 3)
        count = packet.size < 2 ? 0 : packet.data[1] & 0x3F;
    return count * frame <= OPUS_MAX ? count * frame : 0;
}

/* In units of the RTP clock. False: no payload of this format. */
static bool measure(const rt_payload_format *format, rt_span payload, uint32_t *duration)
{
    size_t channels = format->channels ? format->channels : 1, sample;
    rt_telephone_event event;
    rt_red_block blocks[RED_MAX];
    *duration = 0;
    switch (format->codec) {
    case RT_CODEC_OPUS: return (*duration = rt_opus_duration(payload)) != 0;
    case RT_CODEC_TELEPHONE_EVENT:
        if (rt_telephone_event_read(payload, &event) != RT_OK)
            return false;
        *duration = event.duration;
        return true;
    case RT_CODEC_COMFORT_NOISE: return true;
    case RT_CODEC_RED: return rt_red_read(payload, blocks, RED_MAX) != 0;
    case RT_CODEC_L16: sample = 2 * channels; break;
    default: sample = channels; break; /* G.722 has two samples in a byte, and a clock of half its rate */
    }
    *duration = (uint32_t)(payload.size / sample);
    return payload.size % sample == 0;
}

static rt_status inspect(const rt_payload_format *format, rt_span payload, rt_payload_info *out)
{
    out->starts_frame = out->ends_frame = out->key = true;
    return measure(format, payload, &out->duration) ? RT_OK : RT_MALFORMED;
}

static rt_status assemble(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame)
{
    if (count != 1 || !measure(format, payloads[0], &(*frame)->duration))
        return RT_MALFORMED;
    (*frame)->flags |= RT_FRAME_KEY;
    return rt_frame_append_span(frame, payloads[0]) ? RT_OK : RT_NO_MEMORY;
}

static rt_status packetize(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                           rt_payloads **out)
{
    uint32_t duration;
    if (!measure(&packetizer->format, data, &duration))
        return RT_INVALID;
    if (data.size > max_payload)
        return RT_TOO_LARGE;
    rt_payloads *payloads = rt_payloads_new(frame, true, 1, data.size);
    if (!payloads)
        return RT_NO_MEMORY;
    memcpy(rt_payloads_add(payloads, data.size), data.data, data.size);
    *out = payloads;
    return RT_OK;
}

const rt_payload_ops rt_payload_audio = {inspect, assemble, packetize};

/*    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     event     |E|R| volume    |          duration             |   RFC 4733 section 2.3
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Further events may follow (section 2.5.1.5); the first one is read. */
rt_status rt_telephone_event_read(rt_span payload, rt_telephone_event *out)
{
    if (payload.size < 4 || payload.size % 4)
        return RT_MALFORMED;
    *out = (rt_telephone_event){
        .event = payload.data[0],
        .end = (payload.data[1] & 0x80) != 0,
        .volume = payload.data[1] & 0x3F,
        .duration = rt_load16(payload.data + 2),
    };
    return RT_OK;
}

void rt_telephone_event_write(rt_writer *out, const rt_telephone_event *event)
{
    rt_write8(out, event->event);
    rt_write8(out, (uint8_t)((event->end ? 0x80 : 0) | (event->volume & 0x3F)));
    rt_write16(out, event->duration);
}
