/* Redundant audio (RFC 2198 section 3): a header for each block, then the blocks in the same order.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |1|  block PT   |     timestamp offset      |   block length    |   of each redundant block
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |0|  block PT   |                                                   of the primary one: the rest
 *   +-+-+-+-+-+-+-+-+
 */
#include "wire/payload.h"

enum {
    MORE = 0x80,
    OFFSET_MAX = (1 << 14) - 1,
    LENGTH_MAX = (1 << 10) - 1,
};

size_t rt_red_read(rt_span payload, rt_red_block *out, size_t max)
{
    rt_reader r = rt_reader_of(payload);
    size_t count = 0;
    bool more = true;
    while (more) {
        if (count == max)
            return 0;
        uint8_t first = rt_read8(&r);
        more = (first & MORE) != 0;
        uint32_t rest = more ? rt_read24(&r) : 0;
        out[count++] = (rt_red_block){
            .payload_type = first & 0x7F,
            .timestamp_offset = (uint16_t)(rest >> 10),
            .data.size = rest & LENGTH_MAX,
        };
    }
    for (size_t i = 0; i + 1 < count; i++)
        out[i].data = rt_read_span(&r, out[i].data.size);
    out[count - 1].data = rt_read_span(&r, rt_reader_left(&r));
    return rt_reader_ok(&r) && out[count - 1].data.size > 0 ? count : 0;
}

rt_status rt_red_write(rt_writer *out, const rt_red_block *blocks, size_t count)
{
    if (count == 0 || blocks[count - 1].timestamp_offset != 0)
        return RT_INVALID;
    size_t size = 4 * (count - 1) + 1;
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].payload_type > 127)
            return RT_INVALID;
        if (i + 1 < count && (blocks[i].timestamp_offset > OFFSET_MAX || blocks[i].data.size > LENGTH_MAX))
            return RT_INVALID;
        size += blocks[i].data.size;
    }
    if (size > rt_writer_left(out))
        return RT_TOO_LARGE;
    for (size_t i = 0; i + 1 < count; i++) {
        rt_write8(out, MORE | blocks[i].payload_type);
        rt_write24(out, (uint32_t)blocks[i].timestamp_offset << 10 | (uint32_t)blocks[i].data.size);
    }
    rt_write8(out, blocks[count - 1].payload_type);
    for (size_t i = 0; i < count; i++)
        rt_write_span(out, blocks[i].data);
    return RT_OK;
}
