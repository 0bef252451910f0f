#include "wire/payload_nal.h"

#include <stdlib.h>

enum {
    S = 0x80,
    E = 0x40,
    NALS = 64, /* of an access unit that need no memory of their own */
};

static const uint8_t start_code[4] = {0, 0, 0, 1};

/* ---- Annex B ---- */

#define BLOCK 128

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint16_t pairs __attribute__((vector_size(16)));

/* Whether a start code may lie here: of its bytes 0 0 1, either the first two are a pair at an even place, or the
 * last two. So it is enough to look for pairs 0 0 and 0 1, one load for sixteen bytes; a coded picture has one in
 * some 500 blocks. */
static bool is_suspect(const uint8_t *block)
{
    static const bytes16 mask = {0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE,
                                 0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE};
    pairs found = {0};
    for (size_t i = 0; i < BLOCK; i += sizeof mask) {
        bytes16 value;
        memcpy(&value, block + i, sizeof value);
        found |= (pairs)((pairs)(value & mask) == 0);
    }
    uint64_t half[2];
    memcpy(half, &found, sizeof half);
    return (half[0] | half[1]) != 0;
}

/* Where 0 0 1 is; `end` if it is nowhere. */
static const uint8_t *find_start(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *next = at; /* may a start code begin here? All before is done with. */
    while (end - next >= 3) {
        if (end - at >= BLOCK && !is_suspect(at)) {
            at += BLOCK;
            next = at - 1; /* its zeros can be on both sides */
            continue;
        }
        at = end - at > BLOCK ? at + BLOCK : end;
        for (; next < at && end - next >= 3; next++)
            if (next[0] == 0 && next[1] == 0 && next[2] == 1)
                return next;
    }
    return end;
}

bool rt_annexb_next(rt_span *rest, rt_span *nal)
{
    const uint8_t *end = rest->data + rest->size;
    const uint8_t *start = find_start(rest->data, end);
    for (const uint8_t *at = rest->data; at < start; at++)
        if (*at != 0)
            return false;
    if (start == end)
        return false;
    start += 3;
    const uint8_t *stop = find_start(start, end);
    *rest = rt_span_of(stop, (size_t)(end - stop));
    while (stop > start && stop[-1] == 0)
        stop--;
    *nal = rt_span_of(start, (size_t)(stop - start));
    return true;
}

/* ---- the picture's size ---- */

/* Two sides of the window, in samples of luma. */
static uint64_t read_crop(rt_bits *b, uint64_t unit)
{
    uint64_t one = rt_bits_read_ue(b);
    return unit * (one + rt_bits_read_ue(b));
}

void rt_nal_read_size(rt_bits *b, uint64_t across, uint64_t down, uint32_t chroma, uint32_t fields, uint16_t *width,
                      uint16_t *height)
{
    if (rt_bits_read(b, 1)) {
        uint64_t crop_x = read_crop(b, chroma == 1 || chroma == 2 ? 2 : 1);
        uint64_t crop_y = read_crop(b, (chroma == 1 ? 2 : 1) * fields);
        across = crop_x < across ? across - crop_x : 0;
        down = crop_y < down ? down - crop_y : 0;
    }
    if (!b->failed && across <= UINT16_MAX && down <= UINT16_MAX) {
        *width = (uint16_t)across;
        *height = (uint16_t)down;
    }
}

/* ---- receiving ---- */

static bool is_known(const rt_nal_rules *rules, uint8_t type)
{
    return type >= rules->smallest && type <= rules->largest;
}

rt_status rt_nal_read(const rt_nal_rules *rules, rt_span payload, rt_nal_reader *out)
{
    if (payload.size < rules->header)
        return RT_MALFORMED;
    uint8_t type = rt_nal_type(rules, payload.data);
    if (!is_known(rules, type) && type != rules->aggregate && type != rules->fragment)
        return RT_MALFORMED;
    *out = (rt_nal_reader){rules, rt_reader_of(payload), type == rules->aggregate};
    if (out->together)
        rt_skip(&out->bytes, rules->header);
    return rt_reader_left(&out->bytes) > 0 ? RT_OK : RT_MALFORMED;
}

static bool next_fragment(rt_nal_reader *reader, const rt_nal_rules *rules, rt_span nal, rt_nal *out)
{
    if (nal.size <= rules->header || reader->together) {
        reader->bytes.failed = true;
        return false;
    }
    uint8_t bits = nal.data[rules->header];
    out->type = bits & (uint8_t)(rules->mask >> rules->shift);
    out->header[0] = (uint8_t)((out->header[0] & ~rules->mask) | out->type << rules->shift);
    out->begins = (bits & S) != 0;
    out->ends = (bits & E) != 0;
    out->body = rt_span_of(nal.data + rules->header + 1, nal.size - rules->header - 1);
    if (!is_known(rules, out->type))
        reader->bytes.failed = true;
    return !reader->bytes.failed;
}

bool rt_nal_next(rt_nal_reader *reader, rt_nal *out)
{
    const rt_nal_rules *rules = reader->rules;
    rt_reader *bytes = &reader->bytes;
    if (rt_reader_left(bytes) == 0)
        return false;
    rt_span nal = rt_read_span(bytes, reader->together ? rt_read16(bytes) : rt_reader_left(bytes));
    if (nal.size < rules->header) {
        bytes->failed = true;
        return false;
    }
    *out = (rt_nal){.begins = true, .ends = true, .type = rt_nal_type(rules, nal.data)};
    memcpy(out->header, nal.data, rules->header);
    if (out->type == rules->fragment)
        return next_fragment(reader, rules, nal, out);
    out->body = rt_span_of(nal.data + rules->header, nal.size - rules->header);
    if (!is_known(rules, out->type))
        bytes->failed = true;
    return !bytes->failed;
}

/* Appends what the reader has. `open`: type of the NAL unit whose end is still to come, -1 if there is none. */
static rt_status append(rt_nal_reader *reader, rt_frame **frame, int *open)
{
    const size_t header = reader->rules->header;
    rt_nal nal;
    while (rt_nal_next(reader, &nal)) {
        if (nal.begins ? *open >= 0 : *open != nal.type)
            return RT_MALFORMED;
        uint8_t *to = rt_frame_append(frame, nal.body.size + (nal.begins ? sizeof start_code + header : 0));
        if (!to)
            return RT_NO_MEMORY;
        if (nal.begins) {
            memcpy(to, start_code, sizeof start_code);
            memcpy(to + sizeof start_code, nal.header, header);
            to += sizeof start_code + header;
        }
        if (nal.body.size)
            memcpy(to, nal.body.data, nal.body.size);
        *open = nal.ends ? -1 : nal.type;
    }
    return rt_reader_ok(&reader->bytes) ? RT_OK : RT_MALFORMED;
}

static void tell(rt_frame *frame, const rt_payload_info *info)
{
    frame->flags |= (uint8_t)((info->key ? RT_FRAME_KEY : 0) | (info->discardable ? RT_FRAME_DISCARDABLE : 0));
    if (info->temporal)
        frame->temporal = info->temporal;
    if (info->width) {
        frame->width = info->width;
        frame->height = info->height;
    }
}

rt_status rt_nal_assemble(const rt_nal_rules *rules,
                          rt_status (*inspect)(const rt_payload_format *, rt_span, rt_payload_info *),
                          const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame)
{
    int open = -1;
    for (size_t i = 0; i < count; i++) {
        rt_nal_reader reader;
        rt_payload_info info = {0};
        rt_status status = inspect(format, payloads[i], &info);
        if (status == RT_OK)
            status = rt_nal_read(rules, payloads[i], &reader);
        if (status == RT_OK)
            status = append(&reader, frame, &open);
        if (status != RT_OK)
            return status;
        tell(*frame, &info);
    }
    return open < 0 ? RT_OK : RT_MALFORMED;
}

/* ---- sending ---- */

typedef struct list { /* the NAL units of an access unit */
    rt_span *items;
    size_t count, capacity;
    rt_span few[NALS];
} list;

static void release(list *nals)
{
    if (nals->items != nals->few)
        free(nals->items);
}

static bool add(list *nals, rt_span nal)
{
    if (nals->count == nals->capacity) {
        bool few = nals->items == nals->few;
        rt_span *grown = realloc(few ? NULL : nals->items, 2 * nals->capacity * sizeof *grown);
        if (!grown)
            return false;
        if (few)
            memcpy(grown, nals->few, sizeof nals->few);
        nals->items = grown;
        nals->capacity *= 2;
    }
    nals->items[nals->count++] = nal;
    return true;
}

static rt_status split(const rt_nal_rules *rules, rt_span data, list *nals)
{
    rt_span nal;
    nals->items = nals->few;
    nals->count = 0;
    nals->capacity = NALS;
    while (rt_annexb_next(&data, &nal)) {
        if (nal.size == 0)
            continue;
        if (nal.size < rules->header || !is_known(rules, rt_nal_type(rules, nal.data)))
            return RT_INVALID;
        if (!add(nals, nal))
            return RT_NO_MEMORY;
    }
    return nals->count ? RT_OK : RT_INVALID;
}

/* How many of the NAL units from `first` on go together into one payload: 1 also for one that is too large. */
static size_t together(const rt_nal_rules *rules, const list *nals, size_t first, size_t max_payload, size_t *size)
{
    size_t next = first;
    *size = rules->header;
    while (next < nals->count && *size + 2 + nals->items[next].size <= max_payload)
        *size += 2 + nals->items[next++].size;
    if (next > first + 1)
        return next - first;
    *size = nals->items[first].size;
    return 1;
}

static void write_aggregate(const rt_nal_rules *rules, const rt_span *nals, size_t count, uint8_t *to)
{
    uint8_t *header = to;
    memcpy(header, nals[0].data, rules->header);
    to += rules->header;
    for (size_t i = 0; i < count; i++) {
        rules->merge(header, nals[i].data);
        rt_store16(to, (uint16_t)nals[i].size);
        memcpy(to + 2, nals[i].data, nals[i].size);
        to += 2 + nals[i].size;
    }
    header[0] = (uint8_t)((header[0] & ~rules->mask) | rules->aggregate << rules->shift);
}

static void write_fragments(const rt_nal_rules *rules, rt_span nal, size_t piece, rt_payloads *out)
{
    const size_t header = rules->header;
    const uint8_t *at = nal.data + header, *end = nal.data + nal.size;
    uint8_t bits = S;
    while (at < end) {
        size_t size = piece < (size_t)(end - at) ? piece : (size_t)(end - at);
        uint8_t *to = rt_payloads_add(out, header + 1 + size);
        memcpy(to, nal.data, header);
        to[0] = (uint8_t)((to[0] & ~rules->mask) | rules->fragment << rules->shift);
        if (at + size == end)
            bits |= E;
        to[header] = bits | rt_nal_type(rules, nal.data);
        memcpy(to + header + 1, at, size);
        at += size;
        bits = 0;
    }
}

rt_status rt_nal_packetize(const rt_nal_rules *rules, bool single, bool (*key)(const uint8_t *header),
                           const rt_frame *frame, rt_span data, size_t max_payload, rt_payloads **out)
{
    list nals;
    rt_status status = split(rules, data, &nals);
    const size_t room = max_payload - rules->header - 1; /* of a fragment */
    size_t count = 0, bytes = 0, size, piece;
    bool is_key = false;
    for (size_t i = 0, n; status == RT_OK && i < nals.count; i += n) {
        n = single ? 1 : together(rules, &nals, i, max_payload, &size);
        for (size_t j = i; j < i + n; j++)
            is_key |= key(nals.items[j].data);
        if (single)
            size = nals.items[i].size;
        if (single && size > max_payload)
            status = RT_TOO_LARGE;
        size_t pieces = size > max_payload ? rt_payload_pieces(size - rules->header, room, &piece) : 1;
        count += pieces;
        bytes += size + pieces * (rules->header + 1u);
    }
    rt_payloads *payloads = NULL;
    if (status == RT_OK && !(payloads = rt_payloads_new(frame, is_key, count, bytes)))
        status = RT_NO_MEMORY;
    for (size_t i = 0, n; status == RT_OK && i < nals.count; i += n) {
        n = single ? 1 : together(rules, &nals, i, max_payload, &size);
        rt_span nal = nals.items[i];
        if (n > 1) {
            write_aggregate(rules, nals.items + i, n, rt_payloads_add(payloads, size));
        } else if (nal.size > max_payload) {
            (void)rt_payload_pieces(nal.size - rules->header, room, &piece);
            write_fragments(rules, nal, piece, payloads);
        } else {
            memcpy(rt_payloads_add(payloads, nal.size), nal.data, nal.size);
        }
    }
    release(&nals);
    *out = payloads;
    return status;
}
