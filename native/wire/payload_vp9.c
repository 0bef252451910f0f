/* VP9 (RFC 9628). Each payload is a descriptor and a piece of a layer's frame; the frames of all spatial layers with
 * one timestamp are one picture, which is what rt_frame holds.
 *
 *    0 1 2 3 4 5 6 7
 *   +-+-+-+-+-+-+-+-+
 *   |I|P|L|F|B|E|V|Z|   P: predicted from another picture  F: flexible mode  B, E: begin and end of a layer's frame
 *   +-+-+-+-+-+-+-+-+
 *   |M| picture id  |   I; with M 15 bits in two bytes
 *   +-+-+-+-+-+-+-+-+
 *   | TID |U| SID |D|   L: layers  U: switching up is possible here  D: predicted from the spatial layer below
 *   +-+-+-+-+-+-+-+-+
 *   |   TL0PICIDX   |   L and not F; counts the pictures of the lowest temporal layer
 *   +-+-+-+-+-+-+-+-+
 *   |   P_DIFF    |N|   P and F, up to three: which pictures this one needs, back from its id; N: another follows
 *   +-+-+-+-+-+-+-+-+
 *   | N_S |Y|G| RES |   V: the scalability structure
 *   +-+-+-+-+-+-+-+-+
 *   | width, height |   Y: 16 bits each, of the N_S + 1 spatial layers
 *   +-+-+-+-+-+-+-+-+
 *   |      N_G      |   G: how many pictures the pattern below has
 *   +-+-+-+-+-+-+-+-+
 *   |TID|U| R |RES|     of each picture, followed by R bytes of P_DIFF
 *
 * We send no layers where there are none, which any receiver understands. Where a stream turns out to have temporal
 * layers, it goes on in flexible mode from its next key frame on: each picture needs the one before it, which is true
 * whatever the encoder does, while the other mode wants the pattern of the layers told ahead.
 */
#include "wire/bits.h"
#include "wire/payload_internal.h"

enum {
    I = 0x80,
    P = 0x40,
    L = 0x20,
    F = 0x10,
    B = 0x08,
    E = 0x04,
    V = 0x02,
    M = 0x80,
    U = 0x10,
    D = 0x01,
    MORE = 0x01, /* the bit N behind P_DIFF */
    Y = 0x10,
    G = 0x08,
    DESCRIPTOR = 5, /* ours, at most; the structure of a key frame is as large again */
    STRUCTURE = 5,
    LAYERS_MAX = 8,
};

typedef struct descriptor {
    rt_payload_info info;
    bool begins, predicted, has_layers, needs_lower;
    rt_span piece;
} descriptor;

/* Section 4.2.1; the size told is that of the highest spatial layer. */
static void read_structure(rt_reader *r, rt_payload_info *out)
{
    uint8_t first = rt_read8(r);
    if (first & Y)
        for (int layer = 0; layer <= first >> 5; layer++) {
            out->width = rt_read16(r);
            out->height = rt_read16(r);
        }
    if (first & G)
        for (int left = rt_read8(r); left > 0 && rt_reader_ok(r); left--)
            rt_skip(r, (rt_read8(r) >> 2) & 3);
}

static rt_status read_descriptor(rt_span payload, descriptor *out)
{
    rt_reader r = rt_reader_of(payload);
    rt_payload_info *info = &out->info;
    uint8_t first = rt_read8(&r);
    *out = (descriptor){
        .begins = (first & B) != 0,
        .predicted = (first & P) != 0,
        .has_layers = (first & L) != 0,
    };
    if (first & I) {
        uint8_t id = rt_read8(&r);
        info->has_picture_id = true;
        info->picture_id_bits = id & M ? 15 : 7;
        info->picture_id = id & M ? (uint16_t)((id & 0x7F) << 8 | rt_read8(&r)) : id;
    }
    if (first & L) {
        uint8_t layers = rt_read8(&r);
        info->temporal = layers >> 5;
        info->layer_switch = (layers & U) != 0;
        info->spatial = (layers >> 1) & 7;
        out->needs_lower = (layers & D) != 0;
        if (!(first & F)) {
            info->has_tl0 = true;
            info->tl0 = rt_read8(&r);
        }
    }
    if ((first & (F | P)) == (F | P)) {
        int count = 1;
        while (rt_read8(&r) & MORE)
            if (++count > 3)
                return RT_MALFORMED;
    }
    if (first & V)
        read_structure(&r, info);
    info->starts_frame = out->begins && (info->spatial == 0 || !out->needs_lower);
    info->key = !out->predicted;
    out->piece = rt_span_of(r.at, rt_reader_left(&r));
    return rt_reader_ok(&r) && out->piece.size > 0 ? RT_OK : RT_MALFORMED;
}

/* The uncompressed header of a frame, as far as the size of a key frame (VP9 bitstream section 6.2). */
static bool is_key(rt_span frame, uint16_t *width, uint16_t *height)
{
    rt_bits b = rt_bits_of(frame, false);
    bool marked = rt_bits_read(&b, 2) == 2;
    uint32_t profile = rt_bits_read(&b, 1);
    profile |= rt_bits_read(&b, 1) << 1;
    if (profile == 3)
        rt_bits_skip(&b, 1);
    bool existing = rt_bits_read(&b, 1), predicted = rt_bits_read(&b, 1);
    rt_bits_skip(&b, 2);
    if (!marked || existing || predicted || rt_bits_read(&b, 24) != 0x498342)
        return false;
    if (profile >= 2)
        rt_bits_skip(&b, 1); /* bit depth */
    bool rgb = rt_bits_read(&b, 3) == 7;
    if (!rgb)
        rt_bits_skip(&b, profile & 1 ? 4 : 1);
    else if (profile & 1)
        rt_bits_skip(&b, 1);
    uint32_t across = rt_bits_read(&b, 16) + 1, down = rt_bits_read(&b, 16) + 1;
    if (!b.failed && across <= UINT16_MAX && down <= UINT16_MAX) {
        *width = (uint16_t)across;
        *height = (uint16_t)down;
    }
    return true;
}

static rt_status inspect(const rt_payload_format *format, rt_span payload, rt_payload_info *out)
{
    (void)format;
    descriptor d;
    rt_status status = read_descriptor(payload, &d);
    if (status != RT_OK)
        return status;
    d.info.ends_frame = out->ends_frame;
    if (d.begins && d.info.key && d.info.width == 0)
        (void)is_key(d.piece, &d.info.width, &d.info.height);
    *out = d.info;
    return RT_OK;
}

/* Whether the data ends in a superframe index (VP9 bitstream annex B): a byte 110xxyyy before and behind it. */
static bool has_index(const uint8_t *data, size_t size)
{
    uint8_t mark = data[size - 1];
    size_t index = 2 + (size_t)(1 + (mark >> 3 & 3)) * (1 + (mark & 7));
    return (mark & 0xE0) == 0xC0 && size >= index && data[size - index] == mark;
}

/* Where each layer came as a frame of its own, decoders want to know where they begin. */
static bool append_index(rt_frame **frame, const size_t *ends, size_t layers)
{
    if (layers < 2 || has_index((*frame)->data, (*frame)->size))
        return true;
    uint8_t *to = rt_frame_append(frame, 2 + 4 * layers);
    if (!to)
        return false;
    const uint8_t mark = (uint8_t)(0xC0 | 3 << 3 | (layers - 1));
    *to++ = mark;
    for (size_t i = 0, start = 0; i < layers; start = ends[i++])
        for (int shift = 0; shift < 32; shift += 8)
            *to++ = (uint8_t)((ends[i] - start) >> shift); /* the only little-endian numbers here */
    *to = mark;
    return true;
}

static rt_status assemble(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame)
{
    (void)format;
    size_t ends[LAYERS_MAX], layers = 0;
    for (size_t i = 0; i < count; i++) {
        descriptor d;
        rt_status status = read_descriptor(payloads[i], &d);
        if (status != RT_OK)
            return status;
        if (d.begins)
            layers++;
        if (layers == 0 || layers > LAYERS_MAX)
            return RT_MALFORMED;
        if (!rt_frame_append_span(frame, d.piece))
            return RT_NO_MEMORY;
        ends[layers - 1] = (*frame)->size;
        (*frame)->temporal = d.info.temporal;
        (*frame)->spatial = d.info.spatial;
        if (i == 0) {
            (*frame)->flags |= d.info.key ? RT_FRAME_KEY : 0;
            (*frame)->width = d.info.width;
            (*frame)->height = d.info.height;
        }
    }
    if ((*frame)->flags & RT_FRAME_KEY && (*frame)->width == 0)
        (void)is_key(rt_span_of((*frame)->data, (*frame)->size), &(*frame)->width, &(*frame)->height);
    return append_index(frame, ends, layers) ? RT_OK : RT_NO_MEMORY;
}

static rt_status packetize(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                           rt_payloads **out)
{
    if (frame->temporal > 7)
        return RT_INVALID;
    uint16_t width = 0, height = 0;
    bool key = is_key(data, &width, &height);
    packetizer->has_layers |= frame->temporal > 0;
    if (key)
        packetizer->tells_layers = packetizer->has_layers;
    uint8_t head[DESCRIPTOR + STRUCTURE] = {
        (uint8_t)(I | (key ? 0 : P) | B | (width ? V : 0)),
        (uint8_t)(M | packetizer->picture_id >> 8),
        (uint8_t)packetizer->picture_id,
    };
    size_t head_size = 3;
    if (packetizer->tells_layers) {
        head[0] |= L | F;
        head[head_size++] = (uint8_t)(frame->temporal << 5);
        if (!key)
            head[head_size++] = 1 << 1; /* P_DIFF 1, none follows */
    }
    const size_t later = head_size; /* what the other payloads have of it */
    if (width) {
        head[head_size] = Y;
        rt_store16(head + head_size + 1, width);
        rt_store16(head + head_size + 3, height);
        head_size += STRUCTURE;
    }
    const size_t extra = head_size - later;
    size_t piece, count = rt_payload_pieces(data.size + extra, max_payload - later, &piece);
    rt_payloads *payloads = rt_payloads_new(frame, key, count, data.size + extra + count * later);
    if (!payloads)
        return RT_NO_MEMORY;
    packetizer->picture_id = (packetizer->picture_id + 1) & 0x7FFF;
    for (size_t at = 0, header = head_size, room = piece - extra; at < data.size; header = later, room = piece) {
        size_t size = room < data.size - at ? room : data.size - at;
        uint8_t *to = rt_payloads_add(payloads, header + size);
        memcpy(to, head, header);
        memcpy(to + header, data.data + at, size);
        at += size;
        if (at == data.size)
            to[0] |= E;
        head[0] &= (uint8_t)~(B | V);
    }
    *out = payloads;
    return RT_OK;
}

const rt_payload_ops rt_payload_vp9 = {inspect, assemble, packetize};
