#include "wire/sctp.h"

#include "base/crc32c.h"

bool rt_sctp_read_header(rt_reader *r, rt_sctp_header *out)
{
    if (rt_reader_left(r) < RT_SCTP_HEADER_SIZE + RT_SCTP_CHUNK_HEADER)
        return false;
    out->source_port = rt_read16(r);
    out->destination_port = rt_read16(r);
    out->tag = rt_read32(r);
    out->checksum = rt_read32(r);
    return true;
}

void rt_sctp_write_header(rt_writer *w, uint16_t source_port, uint16_t destination_port, uint32_t tag)
{
    rt_write16(w, source_port);
    rt_write16(w, destination_port);
    rt_write32(w, tag);
    rt_write32(w, 0);
}

static void store_little(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

void rt_sctp_seal(rt_buffer packet)
{
    store_little(packet.data + 8, 0);
    store_little(packet.data + 8, rt_crc32c(0, rt_buffer_span(packet)));
}

bool rt_sctp_checksum_ok(rt_span packet)
{
    static const uint8_t zeros[4];
    uint8_t expected[4];
    uint32_t crc = rt_crc32c(0, rt_span_of(packet.data, 8));
    crc = rt_crc32c(crc, rt_span_of(zeros, 4));
    store_little(expected, rt_crc32c(crc, rt_span_of(packet.data + 12, packet.size - 12)));
    return memcmp(packet.data + 8, expected, 4) == 0;
}

/* A value of `size` bytes and its padding. */
static rt_span read_padded(rt_reader *r, size_t size)
{
    rt_span value = rt_read_span(r, size);
    size_t padding = rt_sctp_padded(size) - size;
    size_t left = rt_reader_left(r);
    rt_skip(r, padding < left ? padding : left);
    return value;
}

bool rt_sctp_next_chunk(rt_reader *r, rt_sctp_chunk *out)
{
    if (rt_reader_left(r) == 0)
        return false;
    out->type = rt_read8(r);
    out->flags = rt_read8(r);
    size_t length = rt_read16(r);
    if (length < RT_SCTP_CHUNK_HEADER)
        r->failed = true;
    else
        out->value = read_padded(r, length - RT_SCTP_CHUNK_HEADER);
    return rt_reader_ok(r);
}

bool rt_sctp_next_param(rt_reader *r, rt_sctp_param *out)
{
    if (rt_reader_left(r) == 0)
        return false;
    out->type = rt_read16(r);
    size_t length = rt_read16(r);
    if (length < RT_SCTP_CHUNK_HEADER)
        r->failed = true;
    else
        out->value = read_padded(r, length - RT_SCTP_CHUNK_HEADER);
    return rt_reader_ok(r);
}

static void write_padding(rt_writer *w)
{
    size_t size = rt_writer_size(w);
    rt_write_zeros(w, rt_sctp_padded(size) - size);
}

uint8_t *rt_sctp_open_chunk(rt_writer *w, uint8_t type, uint8_t flags)
{
    uint8_t *chunk = w->at;
    rt_write8(w, type);
    rt_write8(w, flags);
    rt_write16(w, 0);
    return chunk;
}

void rt_sctp_close_chunk(rt_writer *w, uint8_t *chunk)
{
    if (!rt_writer_ok(w))
        return;
    rt_store16(chunk + 2, (uint16_t)(w->at - chunk));
    write_padding(w);
}

uint8_t *rt_sctp_open_param(rt_writer *w, uint16_t type)
{
    write_padding(w);
    uint8_t *param = w->at;
    rt_write16(w, type);
    rt_write16(w, 0);
    return param;
}

void rt_sctp_close_param(rt_writer *w, uint8_t *param)
{
    if (rt_writer_ok(w))
        rt_store16(param + 2, (uint16_t)(w->at - param));
}

void rt_sctp_write_chunk(rt_writer *w, uint8_t type, uint8_t flags, rt_span value)
{
    uint8_t *chunk = rt_sctp_open_chunk(w, type, flags);
    rt_write_span(w, value);
    rt_sctp_close_chunk(w, chunk);
}

void rt_sctp_write_param(rt_writer *w, uint16_t type, rt_span value)
{
    uint8_t *param = rt_sctp_open_param(w, type);
    rt_write_span(w, value);
    rt_sctp_close_param(w, param);
}

bool rt_sctp_parse_data(const rt_sctp_chunk *chunk, rt_sctp_data *out)
{
    const uint8_t *p = chunk->value.data;
    size_t fixed = chunk->type == RT_SCTP_I_DATA ? RT_SCTP_I_DATA_HEADER - 4 : RT_SCTP_DATA_HEADER - 4;
    if (chunk->value.size <= fixed)
        return false;
    *out = (rt_sctp_data){
        .tsn = rt_load32(p),
        .stream = rt_load16(p + 4),
        .flags = chunk->flags,
        .interleaved = chunk->type == RT_SCTP_I_DATA,
        .payload = {p + fixed, chunk->value.size - fixed},
    };
    if (!out->interleaved) {
        out->mid = rt_load16(p + 6);
        out->protocol = rt_load32(p + 8);
    } else {
        out->mid = rt_load32(p + 8);
        if (chunk->flags & RT_SCTP_FLAG_BEGIN)
            out->protocol = rt_load32(p + 12);
        else
            out->fsn = rt_load32(p + 12);
    }
    return true;
}

void rt_sctp_write_data(rt_writer *w, const rt_sctp_data *data)
{
    size_t fixed = data->interleaved ? RT_SCTP_I_DATA_HEADER : RT_SCTP_DATA_HEADER;
    size_t size = fixed + data->payload.size;
    size_t padded = rt_sctp_padded(size);
    uint8_t *p = rt_write_room(w, padded);
    if (!p)
        return;
    p[0] = data->interleaved ? RT_SCTP_I_DATA : RT_SCTP_DATA;
    p[1] = data->flags;
    rt_store16(p + 2, (uint16_t)size);
    rt_store32(p + 4, data->tsn);
    rt_store16(p + 8, data->stream);
    if (!data->interleaved) {
        rt_store16(p + 10, (uint16_t)data->mid);
        rt_store32(p + 12, data->protocol);
    } else {
        rt_store16(p + 10, 0);
        rt_store32(p + 12, data->mid);
        rt_store32(p + 16, data->flags & RT_SCTP_FLAG_BEGIN ? data->protocol : data->fsn);
    }
    memcpy(p + fixed, data->payload.data, data->payload.size);
    memset(p + size, 0, padded - size);
}

bool rt_sctp_parse_init(const rt_sctp_chunk *chunk, rt_sctp_init *out)
{
    rt_reader r = rt_reader_of(chunk->value);
    out->tag = rt_read32(&r);
    out->window = rt_read32(&r);
    out->streams_out = rt_read16(&r);
    out->streams_in = rt_read16(&r);
    out->tsn = rt_read32(&r);
    out->params = rt_span_of(r.at, rt_reader_left(&r));
    return rt_reader_ok(&r);
}

void rt_sctp_write_init(rt_writer *w, const rt_sctp_init *init)
{
    rt_write32(w, init->tag);
    rt_write32(w, init->window);
    rt_write16(w, init->streams_out);
    rt_write16(w, init->streams_in);
    rt_write32(w, init->tsn);
}

bool rt_sctp_parse_sack(const rt_sctp_chunk *chunk, rt_sctp_sack *out)
{
    rt_reader r = rt_reader_of(chunk->value);
    out->cumulative_tsn = rt_read32(&r);
    out->window = rt_read32(&r);
    out->gap_count = rt_read16(&r);
    out->duplicate_count = rt_read16(&r);
    out->gaps = rt_read_span(&r, (size_t)out->gap_count * 4).data;
    out->duplicates = rt_read_span(&r, (size_t)out->duplicate_count * 4).data;
    return rt_reader_ok(&r);
}

void rt_sctp_write_sack(rt_writer *w, uint32_t cumulative_tsn, uint32_t window, const rt_sctp_gap *gaps,
                        size_t gap_count, const uint32_t *duplicates, size_t duplicate_count)
{
    uint8_t *chunk = rt_sctp_open_chunk(w, RT_SCTP_SACK, 0);
    rt_write32(w, cumulative_tsn);
    rt_write32(w, window);
    rt_write16(w, (uint16_t)gap_count);
    rt_write16(w, (uint16_t)duplicate_count);
    for (size_t i = 0; i < gap_count; i++) {
        rt_write16(w, gaps[i].start);
        rt_write16(w, gaps[i].end);
    }
    for (size_t i = 0; i < duplicate_count; i++)
        rt_write32(w, duplicates[i]);
    rt_sctp_close_chunk(w, chunk);
}

bool rt_sctp_parse_forward(const rt_sctp_chunk *chunk, rt_sctp_forward *out)
{
    rt_reader r = rt_reader_of(chunk->value);
    out->interleaved = chunk->type == RT_SCTP_I_FORWARD_TSN;
    out->cumulative_tsn = rt_read32(&r);
    size_t each = out->interleaved ? 8 : 4;
    out->count = rt_reader_left(&r) / each;
    out->skipped = r.at;
    return rt_reader_ok(&r) && rt_reader_left(&r) % each == 0;
}

rt_sctp_skip rt_sctp_forward_skip(const rt_sctp_forward *forward, size_t i)
{
    const uint8_t *p = forward->skipped + i * (forward->interleaved ? 8 : 4);
    if (!forward->interleaved)
        return (rt_sctp_skip){.stream = rt_load16(p), .mid = rt_load16(p + 2)};
    return (rt_sctp_skip){.stream = rt_load16(p), .unordered = p[3] & 1, .mid = rt_load32(p + 4)};
}

void rt_sctp_write_forward(rt_writer *w, bool interleaved, uint32_t cumulative_tsn, const rt_sctp_skip *skips,
                           size_t count)
{
    size_t each = interleaved ? 8 : 4;
    uint8_t *chunk = rt_sctp_open_chunk(w, interleaved ? RT_SCTP_I_FORWARD_TSN : RT_SCTP_FORWARD_TSN, 0);
    rt_write32(w, cumulative_tsn);
    for (size_t i = 0; i < count && rt_writer_left(w) >= each; i++) {
        rt_write16(w, skips[i].stream);
        if (interleaved) {
            rt_write16(w, skips[i].unordered);
            rt_write32(w, skips[i].mid);
        } else {
            rt_write16(w, (uint16_t)skips[i].mid);
        }
    }
    rt_sctp_close_chunk(w, chunk);
}

bool rt_sctp_parse_reset(const rt_sctp_param *param, rt_sctp_reset *out)
{
    rt_reader r = rt_reader_of(param->value);
    *out = (rt_sctp_reset){.request = rt_read32(&r)};
    if (param->type == RT_SCTP_PARAM_RESET_OUT) {
        out->response = rt_read32(&r);
        out->last_tsn = rt_read32(&r);
    }
    if (param->type == RT_SCTP_PARAM_ADD_OUT || param->type == RT_SCTP_PARAM_ADD_IN) {
        out->more = rt_read16(&r);
        rt_skip(&r, 2);
    }
    out->streams = rt_span_of(r.at, rt_reader_left(&r));
    return rt_reader_ok(&r) && out->streams.size % 2 == 0;
}

bool rt_sctp_parse_response(const rt_sctp_param *param, uint32_t *response, uint32_t *result)
{
    rt_reader r = rt_reader_of(param->value);
    *response = rt_read32(&r);
    *result = rt_read32(&r);
    return rt_reader_ok(&r);
}

void rt_sctp_write_response(rt_writer *w, uint32_t response, uint32_t result)
{
    uint8_t *param = rt_sctp_open_param(w, RT_SCTP_PARAM_RESPONSE);
    rt_write32(w, response);
    rt_write32(w, result);
    rt_sctp_close_param(w, param);
}
