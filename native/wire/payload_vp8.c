/* VP8 (RFC 7741). Each payload is a descriptor and a piece of the frame:
 *
 *    0 1 2 3 4 5 6 7
 *   +-+-+-+-+-+-+-+-+
 *   |X|R|N|S|R| PID |   X: the next byte is there  N: no other frame needs it  S: a partition starts
 *   +-+-+-+-+-+-+-+-+   PID: of which partition this is
 *   |I|L|T|K|  RSV  |   which of the fields below are there
 *   +-+-+-+-+-+-+-+-+
 *   |M| picture id  |   I; with M 15 bits in two bytes
 *   +-+-+-+-+-+-+-+-+
 *   |   TL0PICIDX   |   L; counts the frames of the lowest temporal layer
 *   +-+-+-+-+-+-+-+-+
 *   |TID|Y| KEYIDX  |   T or K; Y: needs the lowest layer only
 *   +-+-+-+-+-+-+-+-+
 *
 * We send all fields but KEYIDX always: the layers of a stream are not known at its first frame, and browsers do not
 * follow a sender that begins to tell them later. Partitions are not told apart, as nobody drops single ones.
 */
#include "wire/payload_internal.h"

enum {
    DESCRIPTOR = 6, /* ours */
    X = 0x80,
    N = 0x20,
    S = 0x10,
    PID = 0x07,
    I = 0x80,
    L = 0x40,
    T = 0x20,
    K = 0x10,
    M = 0x80,
    Y = 0x20,
};

static bool is_key(rt_span frame)
{
    return frame.size > 0 && !(frame.data[0] & 1);
}

/* Of a key frame (RFC 6386 section 9.1): 3 bytes of tag, start code, 14 bits of each size with 2 of scaling. */
static void read_size(rt_span frame, uint16_t *width, uint16_t *height)
{
    if (frame.size >= 10 && rt_load24(frame.data + 3) == 0x9D012A) {
        *width = (uint16_t)((frame.data[6] | frame.data[7] << 8) & 0x3FFF);
        *height = (uint16_t)((frame.data[8] | frame.data[9] << 8) & 0x3FFF);
    }
}

/* Reads the descriptor; `piece` is what is behind it. */
static rt_status read_descriptor(rt_span payload, rt_payload_info *out, rt_span *piece)
{
    rt_reader r = rt_reader_of(payload);
    uint8_t first = rt_read8(&r);
    uint8_t fields = first & X ? rt_read8(&r) : 0;
    out->starts_frame = (first & (S | PID)) == S;
    out->discardable = (first & N) != 0;
    if (fields & I) {
        uint8_t id = rt_read8(&r);
        out->has_picture_id = true;
        out->picture_id_bits = id & M ? 15 : 7;
        out->picture_id = id & M ? (uint16_t)((id & 0x7F) << 8 | rt_read8(&r)) : id;
    }
    if (fields & L) {
        out->has_tl0 = true;
        out->tl0 = rt_read8(&r);
    }
    if (fields & (T | K)) {
        uint8_t layer = rt_read8(&r);
        if (fields & T) {
            out->temporal = layer >> 6;
            out->layer_switch = (layer & Y) != 0;
        }
    }
    *piece = rt_span_of(r.at, rt_reader_left(&r));
    return rt_reader_ok(&r) && piece->size > 0 ? RT_OK : RT_MALFORMED;
}

static rt_status inspect(const rt_payload_format *format, rt_span payload, rt_payload_info *out)
{
    (void)format;
    rt_span piece;
    rt_status status = read_descriptor(payload, out, &piece);
    if (status == RT_OK && out->starts_frame && is_key(piece)) {
        out->key = true;
        read_size(piece, &out->width, &out->height);
    }
    return status;
}

static rt_status assemble(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame)
{
    (void)format;
    rt_payload_info first = {0};
    for (size_t i = 0; i < count; i++) {
        rt_payload_info info = {0};
        rt_span piece;
        rt_status status = read_descriptor(payloads[i], &info, &piece);
        if (status != RT_OK)
            return status;
        if (info.starts_frame != (i == 0))
            return RT_MALFORMED;
        if (!rt_frame_append_span(frame, piece))
            return RT_NO_MEMORY;
        if (i == 0)
            first = info;
    }
    rt_span data = rt_span_of((*frame)->data, (*frame)->size);
    if (is_key(data)) {
        (*frame)->flags |= RT_FRAME_KEY;
        read_size(data, &(*frame)->width, &(*frame)->height);
    }
    if (first.discardable)
        (*frame)->flags |= RT_FRAME_DISCARDABLE;
    (*frame)->temporal = first.temporal;
    return RT_OK;
}

static rt_status packetize(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                           rt_payloads **out)
{
    if (frame->temporal > 3)
        return RT_INVALID;
    size_t piece, count = rt_payload_pieces(data.size, max_payload - DESCRIPTOR, &piece);
    rt_payloads *payloads = rt_payloads_new(frame, is_key(data), count, data.size + count * DESCRIPTOR);
    if (!payloads)
        return RT_NO_MEMORY;
    if (frame->temporal == 0)
        packetizer->tl0++;
    const uint8_t descriptor[DESCRIPTOR] = {
        X | (frame->flags & RT_FRAME_DISCARDABLE ? N : 0),
        I | L | T,
        (uint8_t)(M | packetizer->picture_id >> 8),
        (uint8_t)packetizer->picture_id,
        packetizer->tl0,
        (uint8_t)(frame->temporal << 6),
    };
    packetizer->picture_id = (packetizer->picture_id + 1) & 0x7FFF;
    for (size_t at = 0; at < data.size; at += piece) {
        size_t size = piece < data.size - at ? piece : data.size - at;
        uint8_t *to = rt_payloads_add(payloads, DESCRIPTOR + size);
        memcpy(to, descriptor, DESCRIPTOR);
        if (at == 0)
            to[0] |= S;
        memcpy(to + DESCRIPTOR, data.data + at, size);
    }
    *out = payloads;
    return RT_OK;
}

const rt_payload_ops rt_payload_vp8 = {inspect, assemble, packetize};
