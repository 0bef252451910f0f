/* AV1 (AOM's RTP payload format, version 1.0). A temporal unit is a row of OBUs; a payload has up to three of them,
 * or pieces, behind one byte:
 *
 *    0 1 2 3 4 5 6 7
 *   +-+-+-+-+-+-+-+-+
 *   |Z|Y| W |N|-|-|-|   section 4.4  Z, Y: the first element goes on, the last one will go on in another payload
 *   +-+-+-+-+-+-+-+-+   W: how many elements, the last of them without a size; 0: all with sizes
 *                       N: a coded video sequence starts
 *
 *   |0| type  |X|S|0|   an OBU's header; X: another byte with its layers  S: a size (leb128) follows
 *   | TID |SID|  -  |
 *
 * On the wire OBUs have no sizes of their own. Temporal delimiters, padding and tile lists are not sent (section 5).
 */
#include "wire/bits.h"
#include "wire/payload_internal.h"

enum {
    Z = 0x80,
    Y = 0x40,
    N = 0x08,
    ELEMENTS = 3, /* of a payload of ours */

    FORBIDDEN = 0x80,
    EXTENSION = 0x04,
    HAS_SIZE = 0x02,

    SEQUENCE_HEADER = 1,
    TEMPORAL_DELIMITER = 2,
    FRAME_HEADER = 3,
    METADATA = 5,
    FRAME = 6,
    TILE_LIST = 8,
    PADDING = 15,
};

/* ---- OBUs ---- */

typedef struct obu {
    uint8_t header[2]; /* without HAS_SIZE */
    uint8_t header_size;
    uint8_t type, temporal, spatial;
    rt_span body;
} obu;

static uint64_t read_leb128(rt_reader *r)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        uint8_t byte = rt_read8(r);
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (!(byte & 0x80))
            return value;
    }
    r->failed = true;
    return 0;
}

static size_t leb128_size(size_t value)
{
    size_t size = 1;
    while (value >>= 7)
        size++;
    return size;
}

static void write_leb128(uint8_t *to, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to = (uint8_t)value;
}

/* The next OBU; one without a size takes all that is left. False at the end, or when it is broken: then `r` failed. */
static bool next_obu(rt_reader *r, obu *out)
{
    if (rt_reader_left(r) == 0)
        return false;
    uint8_t first = rt_read8(r);
    *out = (obu){.header = {first & (uint8_t)~HAS_SIZE}, .header_size = 1, .type = first >> 3 & 15};
    if (first & FORBIDDEN)
        r->failed = true;
    if (first & EXTENSION) {
        out->header[1] = rt_read8(r);
        out->header_size = 2;
        out->temporal = out->header[1] >> 5;
        out->spatial = out->header[1] >> 3 & 3;
    }
    uint64_t size = first & HAS_SIZE ? read_leb128(r) : rt_reader_left(r);
    out->body = rt_read_span(r, size <= rt_reader_left(r) ? (size_t)size : SIZE_MAX);
    return rt_reader_ok(r);
}

static bool is_sent(uint8_t type)
{
    return type != TEMPORAL_DELIMITER && type != PADDING && type != TILE_LIST;
}

static void skip_operating_points(rt_bits *b, bool has_decoder_model, uint32_t delay_bits)
{
    bool has_display_delay = rt_bits_read(b, 1);
    for (uint32_t left = rt_bits_read(b, 5) + 1; left > 0; left--) {
        rt_bits_skip(b, 12);
        if (rt_bits_read(b, 5) > 7)
            rt_bits_skip(b, 1);
        if (has_decoder_model && rt_bits_read(b, 1))
            rt_bits_skip(b, 2 * delay_bits + 1);
        if (has_display_delay && rt_bits_read(b, 1))
            rt_bits_skip(b, 4);
    }
}

/* AV1 section 5.5.1 as far as the largest size of a frame. `still`: it has one picture, whose header is reduced. */
static void read_sequence_header(rt_span body, bool *still, uint16_t *width, uint16_t *height)
{
    rt_bits b = rt_bits_of(body, false);
    rt_bits_skip(&b, 4);
    *still = rt_bits_read(&b, 1);
    if (*still) {
        rt_bits_skip(&b, 5);
    } else {
        bool has_model = false;
        uint32_t delay_bits = 0;
        if (rt_bits_read(&b, 1)) { /* timing information */
            rt_bits_skip(&b, 64);
            if (rt_bits_read(&b, 1))
                (void)rt_bits_read_ue(&b);
            has_model = rt_bits_read(&b, 1);
            if (has_model) {
                delay_bits = rt_bits_read(&b, 5) + 1;
                rt_bits_skip(&b, 32 + 5 + 5);
            }
        }
        skip_operating_points(&b, has_model, delay_bits);
    }
    uint32_t across_bits = rt_bits_read(&b, 4) + 1, down_bits = rt_bits_read(&b, 4) + 1;
    uint32_t across = rt_bits_read(&b, across_bits) + 1, down = rt_bits_read(&b, down_bits) + 1;
    if (!b.failed && across <= UINT16_MAX && down <= UINT16_MAX) {
        *width = (uint16_t)across;
        *height = (uint16_t)down;
    }
}

/* What a temporal unit tells of itself: a key frame has its sequence header with it. */
static bool read_unit(rt_span data, rt_frame *out)
{
    rt_reader r = rt_reader_of(data);
    bool sequence = false, still = false, first = true;
    obu o;
    while (next_obu(&r, &o)) {
        if (o.type == SEQUENCE_HEADER) {
            sequence = true;
            read_sequence_header(o.body, &still, &out->width, &out->height);
        }
        if (o.type == FRAME || o.type == FRAME_HEADER) {
            /* show_existing_frame, frame_type: 0 is a key frame */
            if (first && sequence && (still || (o.body.size > 0 && !(o.body.data[0] & 0xE0))))
                out->flags |= RT_FRAME_KEY;
            first = false;
            out->temporal = o.temporal;
            out->spatial = o.spatial;
        }
    }
    return rt_reader_ok(&r);
}

/* ---- receiving ---- */

typedef struct elements { /* a walk over those of one payload after the other */
    const rt_span *payloads;
    size_t left; /* payloads not begun */
    rt_reader r;
    uint8_t header, at; /* of the payload */
} elements;

typedef struct element {
    rt_span bytes;
    bool begins, ends; /* an OBU */
} element;

/* False at the end, or when a payload is malformed: then `r` failed. */
static bool next_element(elements *e, element *out)
{
    bool fresh = rt_reader_left(&e->r) == 0;
    if (fresh) {
        if (e->left == 0)
            return false;
        e->left--;
        e->r = rt_reader_of(*e->payloads++);
        e->header = rt_read8(&e->r);
        e->at = 0;
    }
    uint8_t count = e->header >> 4 & 3;
    bool last = ++e->at == count;
    uint64_t size = last ? rt_reader_left(&e->r) : read_leb128(&e->r);
    out->bytes = rt_read_span(&e->r, size <= rt_reader_left(&e->r) ? (size_t)size : SIZE_MAX);
    bool done = rt_reader_left(&e->r) == 0;
    if (out->bytes.size == 0 || (count != 0 && last != done) || (fresh && (e->header & (Z | N)) == (Z | N)))
        e->r.failed = true;
    out->begins = !(fresh && e->header & Z);
    out->ends = !(done && e->header & Y);
    return rt_reader_ok(&e->r);
}

static rt_status inspect(const rt_payload_format *format, rt_span payload, rt_payload_info *out)
{
    (void)format;
    elements e = {.payloads = &payload, .left = 1};
    element item;
    for (bool first = true; next_element(&e, &item); first = false) {
        if (!item.begins)
            continue;
        const uint8_t head = item.bytes.data[0], type = head >> 3 & 15;
        if (head & FORBIDDEN)
            return RT_MALFORMED;
        if (first)
            out->starts_frame = type <= FRAME_HEADER || type == METADATA || type == FRAME;
        if (head & EXTENSION && item.bytes.size > 1) {
            out->temporal = item.bytes.data[1] >> 5;
            out->spatial = item.bytes.data[1] >> 3 & 3;
        }
        rt_reader r = rt_reader_of(item.bytes);
        obu o;
        bool still;
        if (type == SEQUENCE_HEADER && item.ends && next_obu(&r, &o))
            read_sequence_header(o.body, &still, &out->width, &out->height);
    }
    out->key = (payload.data[0] & N) != 0;
    return rt_reader_ok(&e.r) ? RT_OK : RT_MALFORMED;
}

/* How large the OBU is that begins with `item`; 0 when its end is not there. */
static size_t whole_size(elements ahead, element item)
{
    size_t size = item.bytes.size;
    while (!item.ends) {
        if (!next_element(&ahead, &item) || item.begins)
            return 0;
        size += item.bytes.size;
    }
    return size;
}

/* Appends the OBU that begins with `item`, with a size in as few bytes as that takes. */
static rt_status append_obu(elements *e, element item, rt_frame **frame)
{
    const size_t size = whole_size(*e, item);
    if (size == 0)
        return RT_MALFORMED;
    /* The pieces go where the OBU will be; if it has no size yet, so much behind as that takes. */
    const size_t header = item.bytes.data[0] & EXTENSION ? 2 : 1;
    const size_t shift = item.bytes.data[0] & HAS_SIZE || size < header ? 0 : leb128_size(size - header);
    const size_t start = (*frame)->size;
    uint8_t *to = rt_frame_append(frame, size + shift);
    if (!to)
        return RT_NO_MEMORY;
    uint8_t *at = to + shift;
    do {
        memcpy(at, item.bytes.data, item.bytes.size);
        at += item.bytes.size;
    } while (!item.ends && next_element(e, &item));

    obu o;
    rt_reader r = rt_reader_of(rt_span_of(to + shift, size));
    if (!next_obu(&r, &o) || rt_reader_left(&r) != 0)
        return RT_MALFORMED;
    if (!is_sent(o.type)) {
        (*frame)->size = start;
        return RT_OK;
    }
    const size_t before = o.header_size + leb128_size(o.body.size);
    if (o.body.data != to + before) /* its own size took more bytes than it must */
        memmove(to + before, o.body.data, o.body.size);
    memcpy(to, o.header, o.header_size);
    to[0] |= HAS_SIZE;
    write_leb128(to + o.header_size, o.body.size);
    (*frame)->size = start + before + o.body.size;
    return RT_OK;
}

static rt_status assemble(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame)
{
    (void)format;
    elements e = {.payloads = payloads, .left = count};
    element item;
    while (next_element(&e, &item)) {
        rt_status status = item.begins ? append_obu(&e, item, frame) : RT_MALFORMED;
        if (status != RT_OK)
            return status;
    }
    return rt_reader_ok(&e.r) && read_unit(rt_span_of((*frame)->data, (*frame)->size), *frame) ? RT_OK : RT_MALFORMED;
}

/* ---- sending ---- */

typedef struct source { /* what is still to be sent of a temporal unit */
    rt_reader r;
    obu current;
    size_t sent; /* of the current OBU */
    bool any;    /* there is a current one */
} source;

static void advance(source *s)
{
    s->sent = 0;
    do
        s->any = next_obu(&s->r, &s->current);
    while (s->any && !is_sent(s->current.type));
}

/* `size` bytes of the current OBU from `sent` on: some of its header, then of its body. */
static void copy(const source *s, uint8_t *to, size_t size)
{
    size_t at = s->sent;
    for (; size > 0 && at < s->current.header_size; size--)
        *to++ = s->current.header[at++];
    if (size > 0)
        memcpy(to, s->current.body.data + at - s->current.header_size, size);
}

/* The next payload, of at most `room` bytes; `to` NULL: only its size. */
static size_t pack(source *s, size_t room, uint8_t *to)
{
    uint8_t header = s->sent ? Z : 0;
    size_t used = 1;
    for (int count = 1;; count++) {
        size_t left = s->current.header_size + s->current.body.size - s->sent, space = room - used;
        size_t size = left < space ? left : space, prefix = leb128_size(size);
        /* The last one needs no size: where the payload is full, or nothing more would fit. */
        bool last = count == ELEMENTS || size + prefix + 1 > space;
        source after = *s;
        if (size == left)
            advance(&after);
        else
            after.sent += size;
        last |= !after.any;
        if (last)
            prefix = 0;
        if (to) {
            if (prefix)
                write_leb128(to + used, size);
            copy(s, to + used + prefix, size);
        }
        used += prefix + size;
        *s = after;
        if (last) {
            if (to)
                to[0] = (uint8_t)(header | (s->sent ? Y : 0) | count << 4);
            return used;
        }
    }
}

static size_t count_payloads(source s, size_t room, size_t *bytes)
{
    size_t count = 0;
    for (*bytes = 0; s.any; count++)
        *bytes += pack(&s, room, NULL);
    return count;
}

static rt_status packetize(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                           rt_payloads **out)
{
    (void)packetizer;
    rt_frame unit = {0};
    source s = {.r = rt_reader_of(data)};
    if (!read_unit(data, &unit))
        return RT_INVALID;
    advance(&s);
    if (!s.any)
        return RT_INVALID;
    /* The fewest that there can be, then of all sizes that give so few one of the smallest. */
    size_t bytes, fewest = count_payloads(s, max_payload, &bytes), room = (bytes + fewest - 1) / fewest, count;
    while ((count = count_payloads(s, room, &bytes)) > fewest)
        room += 1 + (max_payload - room) / 8;
    const bool key = (unit.flags & RT_FRAME_KEY) != 0;
    rt_payloads *payloads = rt_payloads_new(frame, key, count, bytes);
    if (!payloads)
        return RT_NO_MEMORY;
    while (s.any) {
        source ahead = s;
        (void)pack(&s, room, rt_payloads_add(payloads, pack(&ahead, room, NULL)));
    }
    if (key)
        *(uint8_t *)payloads->data |= N;
    *out = payloads;
    return RT_OK;
}

const rt_payload_ops rt_payload_av1 = {inspect, assemble, packetize};
