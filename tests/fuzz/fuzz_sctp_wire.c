/* SCTP packets: every parser on every chunk, and what was parsed comes back the same when it is written. */
#include "expect.h"
#include "wire/sctp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[70000];

/* The only chunk of what was written. */
static rt_sctp_chunk written(const rt_writer *w)
{
    rt_sctp_chunk chunk;
    rt_reader r = rt_reader_of(rt_span_of(memory, rt_writer_size(w)));
    expect(rt_writer_ok(w));
    expect(rt_sctp_next_chunk(&r, &chunk));
    expect(rt_reader_left(&r) == 0);
    return chunk;
}

static void check_data(const rt_sctp_chunk *chunk)
{
    rt_sctp_data a, b;
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    if (!rt_sctp_parse_data(chunk, &a))
        return;
    expect(a.payload.size > 0);
    rt_sctp_write_data(&w, &a);
    rt_sctp_chunk again = written(&w);
    expect(rt_sctp_parse_data(&again, &b));
    expect(a.tsn == b.tsn && a.stream == b.stream && a.flags == b.flags && a.interleaved == b.interleaved);
    expect(a.mid == b.mid && a.fsn == b.fsn && a.protocol == b.protocol && rt_span_equal(a.payload, b.payload));
}

static void check_params(rt_span span)
{
    rt_sctp_param param;
    rt_sctp_reset reset;
    uint32_t response, result;
    rt_reader r = rt_reader_of(span);
    while (rt_sctp_next_param(&r, &param)) {
        if (rt_sctp_parse_reset(&param, &reset))
            expect(reset.streams.size <= param.value.size);
        (void)rt_sctp_parse_response(&param, &response, &result);
    }
}

static void check_init(const rt_sctp_chunk *chunk)
{
    rt_sctp_init a, b;
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    if (!rt_sctp_parse_init(chunk, &a))
        return;
    check_params(a.params);
    uint8_t *open = rt_sctp_open_chunk(&w, chunk->type, chunk->flags);
    rt_sctp_write_init(&w, &a);
    rt_write_span(&w, a.params);
    rt_sctp_close_chunk(&w, open);
    rt_sctp_chunk again = written(&w);
    expect(rt_sctp_parse_init(&again, &b));
    expect(a.tag == b.tag && a.window == b.window && a.streams_out == b.streams_out);
    expect(a.streams_in == b.streams_in && a.tsn == b.tsn && rt_span_equal(a.params, b.params));
}

static void check_sack(const rt_sctp_chunk *chunk)
{
    static rt_sctp_gap gaps[UINT16_MAX];
    static uint32_t duplicates[UINT16_MAX];
    rt_sctp_sack a, b;
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    if (!rt_sctp_parse_sack(chunk, &a))
        return;
    for (size_t i = 0; i < a.gap_count; i++)
        gaps[i] = rt_sctp_sack_gap(&a, i);
    for (size_t i = 0; i < a.duplicate_count; i++)
        duplicates[i] = rt_sctp_sack_duplicate(&a, i);
    rt_sctp_write_sack(&w, a.cumulative_tsn, a.window, gaps, a.gap_count, duplicates, a.duplicate_count);
    rt_sctp_chunk again = written(&w);
    expect(rt_sctp_parse_sack(&again, &b));
    expect(a.cumulative_tsn == b.cumulative_tsn && a.window == b.window);
    expect(a.gap_count == b.gap_count && a.duplicate_count == b.duplicate_count);
    expect(rt_span_equal(rt_span_of(a.gaps, a.gap_count * 4), rt_span_of(b.gaps, b.gap_count * 4)));
}

static void check_forward(const rt_sctp_chunk *chunk)
{
    static rt_sctp_skip skips[UINT16_MAX / 4 + 1];
    rt_sctp_forward a, b;
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    if (!rt_sctp_parse_forward(chunk, &a))
        return;
    for (size_t i = 0; i < a.count; i++)
        skips[i] = rt_sctp_forward_skip(&a, i);
    rt_sctp_write_forward(&w, a.interleaved, a.cumulative_tsn, skips, a.count);
    rt_sctp_chunk again = written(&w);
    expect(rt_sctp_parse_forward(&again, &b));
    expect(a.cumulative_tsn == b.cumulative_tsn && a.interleaved == b.interleaved && a.count == b.count);
    for (size_t i = 0; i < a.count; i++) {
        rt_sctp_skip skip = rt_sctp_forward_skip(&b, i);
        expect(skip.stream == skips[i].stream && skip.mid == skips[i].mid && skip.unordered == skips[i].unordered);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_sctp_header header;
    rt_sctp_chunk chunk;
    rt_reader r = rt_reader_of(rt_span_of(data, size));
    if (!rt_sctp_read_header(&r, &header))
        return 0;
    (void)rt_sctp_checksum_ok(rt_span_of(data, size));
    if (size <= sizeof memory) {
        memcpy(memory, data, size);
        rt_sctp_seal(rt_buffer_of(memory, size));
        expect(rt_sctp_checksum_ok(rt_span_of(memory, size)));
    }
    while (rt_sctp_next_chunk(&r, &chunk)) {
        expect(chunk.value.size <= size);
        check_data(&chunk); /* each parser sees each chunk, whatever its type says */
        check_init(&chunk);
        check_sack(&chunk);
        check_forward(&chunk);
        check_params(chunk.value);
    }
    return 0;
}
