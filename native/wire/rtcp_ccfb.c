/* Congestion control feedback, RFC 8888 section 3.1. Its first stream's SSRC stands where other feedback has the SSRC
 * of the media, so `feedback.media` is that one (or the timestamp, when there are no streams at all).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        SSRC of a stream                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |    first sequence number      |   packets reported            |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |R|ECN|  arrival time offset    | ...         (padding of 16 zero bits)
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  ... more streams, then the report's timestamp (32 bits)      |
 */
#include "wire/rtcp_internal.h"

#define BLOCK_HEAD 8    /* SSRC, first sequence number, count */
#define BLOCK_MAX 16384 /* packets in one block: a quarter of the sequence numbers */
#define TIMESTAMP 4

/* Bytes that `count` packets take behind the head of their block. */
static size_t metrics_size(size_t count)
{
    return (2 * count + 3) & ~(size_t)3;
}

rt_status rt_rtcp_ccfb_timestamp(const rt_rtcp_feedback *feedback, uint32_t *timestamp)
{
    rt_span fci = feedback->fci;
    *timestamp = feedback->media;
    if (fci.size == 0)
        return RT_OK;
    if (fci.size < TIMESTAMP)
        return RT_MALFORMED;
    *timestamp = rt_load32(fci.data + fci.size - TIMESTAMP);
    return RT_OK;
}

/* The walker's place: the packet's index in its block above, the offset of the block's first sequence number in the
 * FCI below (its SSRC is the word before). */
bool rt_rtcp_ccfb_next(const rt_rtcp_feedback *feedback, uint64_t *at, rt_ccfb_packet *out, rt_status *status)
{
    rt_span fci = feedback->fci;
    size_t index = (size_t)(*at >> 32), block = (size_t)(*at & 0xFFFFFFFF);
    *status = RT_OK;
    if (fci.size == 0)
        return false;
    for (;;) {
        *status = RT_MALFORMED;
        if (fci.size < TIMESTAMP + 4 || block > fci.size - TIMESTAMP - 4)
            return false;
        size_t left = fci.size - TIMESTAMP - 4 - block, count = rt_load16(fci.data + block + 2);
        if (metrics_size(count) > left)
            return false;
        if (index < count) {
            const uint8_t *p = fci.data + block;
            uint16_t metric = rt_load16(p + 4 + 2 * index);
            out->ssrc = block == 0 ? feedback->media : rt_load32(p - 4);
            out->sequence = (uint16_t)(rt_load16(p) + index);
            out->received = metric >> 15;
            out->ecn = out->received ? metric >> 13 & 3 : 0;
            out->offset = out->received ? metric & 0x1FFF : 0;
            *at = (uint64_t)(index + 1) << 32 | block;
            *status = RT_OK;
            return true;
        }
        if (metrics_size(count) == left) {
            *status = RT_OK;
            return false;
        }
        block += BLOCK_HEAD + metrics_size(count);
        index = 0;
    }
}

/* How many packets from here on go into one block. */
static size_t run(const rt_ccfb_packet *packets, size_t count)
{
    size_t n = 1;
    while (n < count && n < BLOCK_MAX && packets[n].ssrc == packets[0].ssrc &&
           packets[n].sequence == (uint16_t)(packets[n - 1].sequence + 1))
        n++;
    return n;
}

size_t rt_rtcp_write_ccfb(rt_writer *out, uint32_t sender, const rt_ccfb_packet *packets, size_t count,
                          uint32_t timestamp)
{
    size_t limit = rt_rtcp_limit(out) & ~(size_t)3, size = RT_RTCP_HEADER + 4 + TIMESTAMP, taken = 0;
    if (limit < size)
        return 0;
    uint8_t *p = out->at + RT_RTCP_HEADER + 4; /* the room is there; how much of it is used shows at the end */
    while (taken < count && size + BLOCK_HEAD + metrics_size(1) <= limit) {
        size_t n = run(packets + taken, count - taken), room = (limit - size - BLOCK_HEAD) / 2;
        if (n > room)
            n = room;
        rt_store32(p, packets[taken].ssrc);
        rt_store16(p + 4, packets[taken].sequence);
        rt_store16(p + 6, (uint16_t)n);
        memset(p + BLOCK_HEAD + metrics_size(n) - 4, 0, 4);
        for (size_t i = 0; i < n; i++) {
            const rt_ccfb_packet *packet = &packets[taken + i];
            unsigned metric = 0x8000 | (packet->ecn & 3u) << 13 | (packet->offset & 0x1FFF);
            rt_store16(p + BLOCK_HEAD + 2 * i, packet->received ? (uint16_t)metric : 0);
        }
        p += BLOCK_HEAD + metrics_size(n);
        size += BLOCK_HEAD + metrics_size(n);
        taken += n;
    }
    if (taken == 0)
        return 0;
    rt_store32(p, timestamp);
    p = rt_rtcp_room(out, RT_RTCP_RTPFB, RT_RTPFB_CCFB, size);
    rt_store32(p + 4, sender);
    return taken;
}
