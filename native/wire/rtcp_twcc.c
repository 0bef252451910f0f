/* Transport-wide feedback, draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |      base sequence number     |      packet status count      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         reference time (64 ms)                | feedback no.  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         chunks (16 bits each), deltas (8 or 16 bits), zeros up to a whole word ...
 *
 *   a run     |0| S |       run length        |       S: 0 not received, 1 delta of 8 bits, 2 delta of 16 bits
 *   a vector  |1|0| 14 symbols of 1 bit       |       0 not received, 1 delta of 8 bits
 *   a vector  |1|1|  7 symbols of 2 bits      |       as S
 */
#include "wire/rtcp_internal.h"

#define HEAD 8 /* of the FCI */
#define RUN_MAX 0x1FFF

enum { LOST = 0, SMALL = 1, LARGE = 2, RESERVED = 3 };

rt_status rt_rtcp_twcc_read(const rt_rtcp_feedback *feedback, rt_rtcp_twcc *out)
{
    *out = (rt_rtcp_twcc){0};
    if (feedback->fci.size < HEAD)
        return RT_MALFORMED;
    const uint8_t *p = feedback->fci.data;
    out->base = rt_load16(p);
    out->count = rt_load16(p + 2);
    out->reference = (int32_t)(rt_load24(p + 4) ^ 0x800000) - 0x800000; /* sign of 24 bits */
    out->feedback = p[7];
    out->body = rt_span_of(p + HEAD, feedback->fci.size - HEAD);
    return out->count ? RT_OK : RT_MALFORMED;
}

/* The symbols of one chunk, left in `delta` of up to `left` packets; returns how many, 0: a reserved symbol, or a run
 * of none. */
static size_t read_chunk(uint16_t chunk, rt_twcc_packet *out, size_t left)
{
    size_t n;
    if (chunk >> 15 == 0) {
        int32_t symbol = chunk >> 13 & 3;
        n = chunk & RUN_MAX;
        n = n < left ? n : left;
        for (size_t i = 0; i < n; i++)
            out[i].delta = symbol;
        return symbol == RESERVED ? 0 : n;
    }
    bool two_bits = chunk >> 14 & 1;
    n = two_bits ? 7 : 14;
    n = n < left ? n : left;
    for (size_t i = 0; i < n; i++) {
        out[i].delta = two_bits ? chunk >> (12 - 2 * i) & 3 : chunk >> (13 - i) & 1;
        if (out[i].delta == RESERVED)
            return 0;
    }
    return n;
}

rt_status rt_rtcp_twcc_packets(const rt_rtcp_twcc *twcc, rt_twcc_packet *out)
{
    rt_reader r = rt_reader_of(twcc->body);
    for (size_t done = 0; done < twcc->count;) {
        uint16_t chunk = rt_read16(&r);
        size_t n = rt_reader_ok(&r) ? read_chunk(chunk, out + done, twcc->count - done) : 0;
        if (n == 0)
            return RT_MALFORMED;
        done += n;
    }
    for (size_t i = 0; i < twcc->count; i++) {
        int32_t symbol = out[i].delta;
        out[i].sequence = (uint16_t)(twcc->base + i);
        out[i].received = symbol != LOST;
        if (symbol == SMALL)
            out[i].delta = rt_read8(&r);
        else if (symbol == LARGE)
            out[i].delta = (int16_t)rt_read16(&r);
    }
    return rt_reader_ok(&r) ? RT_OK : RT_MALFORMED;
}

static unsigned symbol_of(const rt_twcc_packet *packet)
{
    if (!packet->received)
        return LOST;
    return packet->delta >= 0 && packet->delta <= 0xFF ? SMALL : LARGE;
}

static bool fits(const rt_twcc_packet *packet)
{
    return !packet->received || (packet->delta >= INT16_MIN && packet->delta <= INT16_MAX);
}

/* The chunk for the packets from here on: the one of the three kinds that takes the most of them, with their deltas in
 * at most `room` bytes. Returns how many packets, 0: none fits; `*size` are the bytes of their deltas. A vector that is
 * not full can only be the `*last` chunk. */
static size_t make_chunk(const rt_twcc_packet *packets, size_t count, size_t room, uint16_t *chunk, size_t *size,
                         bool *last)
{
    size_t run = 0, bits = 0, pairs = 0, bytes = 2;
    uint16_t bit_vector = 0, pair_vector = 0;
    unsigned first = symbol_of(packets);
    bool same = true, single = true;
    for (size_t i = 0; i < count && fits(&packets[i]); i++) {
        unsigned symbol = symbol_of(&packets[i]);
        same = same && symbol == first && i < RUN_MAX;
        single = single && symbol != LARGE;
        bytes += symbol;
        if (bytes > room || (!same && i >= (single ? 14 : 7)))
            break;
        if (same)
            run++;
        if (single && i < 14) {
            bit_vector |= (uint16_t)(symbol << (13 - i));
            bits++;
        }
        if (i < 7) {
            pair_vector |= (uint16_t)(symbol << (12 - 2 * i));
            pairs++;
        }
    }
    if (!single && bits < 14)
        bits = 0; /* a large delta came before it was full */
    size_t n = run;
    *chunk = (uint16_t)(first << 13 | run);
    *last = false;
    if (bits > n) {
        n = bits;
        *chunk = (uint16_t)(0x8000 | bit_vector);
        *last = bits < 14;
    }
    if (pairs > n) {
        n = pairs;
        *chunk = (uint16_t)(0xC000 | pair_vector);
        *last = pairs < 7;
    }
    *size = 0;
    for (size_t i = 0; i < n; i++)
        *size += symbol_of(&packets[i]);
    return n;
}

size_t rt_rtcp_write_twcc(rt_writer *out, uint32_t sender, uint32_t media, int32_t reference, uint8_t feedback,
                          const rt_twcc_packet *packets, size_t count)
{
    size_t limit = rt_rtcp_limit(out) & ~(size_t)3, size = RT_RTCP_FEEDBACK + HEAD, taken = 0;
    if (limit < size)
        return 0;
    if (count > 0xFFFF)
        count = 0xFFFF;
    uint8_t *p = out->at + size; /* the room is there; how much of it is used shows at the end */
    bool last = false;
    while (taken < count && size < limit && !last) {
        uint16_t chunk;
        size_t deltas, n = make_chunk(packets + taken, count - taken, limit - size, &chunk, &deltas, &last);
        if (n == 0)
            break;
        rt_store16(p, chunk);
        p += 2;
        size += 2 + deltas;
        taken += n;
    }
    if (taken == 0)
        return 0;
    for (size_t i = 0; i < taken; i++) {
        unsigned symbol = symbol_of(&packets[i]);
        if (symbol == SMALL)
            *p = (uint8_t)packets[i].delta;
        else if (symbol == LARGE)
            rt_store16(p, (uint16_t)packets[i].delta);
        p += symbol;
    }
    for (; size % 4; size++)
        *p++ = 0;
    p = rt_rtcp_feedback_room(out, RT_RTCP_RTPFB, RT_RTPFB_TWCC, size, sender, media);
    p += RT_RTCP_FEEDBACK;
    rt_store16(p, packets[0].sequence);
    rt_store16(p + 2, (uint16_t)taken);
    rt_store24(p + 4, (uint32_t)reference);
    p[7] = feedback;
    return taken;
}
