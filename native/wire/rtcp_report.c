#include "wire/rtcp_internal.h"

#include <assert.h>

#define BLOCK 24
#define SENDER_INFO 20

rt_status rt_rtcp_report_read(const rt_rtcp *packet, rt_rtcp_report *out)
{
    *out = (rt_rtcp_report){.sender = packet->type == RT_RTCP_SR, .blocks = packet->count};
    size_t head = 4 + (out->sender ? SENDER_INFO : 0), blocks = (size_t)BLOCK * packet->count;
    if (packet->body.size < head + blocks)
        return RT_MALFORMED;
    const uint8_t *p = packet->body.data;
    out->ssrc = rt_load32(p);
    if (out->sender) {
        out->ntp = rt_load64(p + 4);
        out->rtp_time = rt_load32(p + 12);
        out->packets = rt_load32(p + 16);
        out->bytes = rt_load32(p + 20);
    }
    out->block_bytes = rt_span_of(p + head, blocks); /* a profile's own extension may follow */
    return RT_OK;
}

void rt_rtcp_report_block(const rt_rtcp_report *report, uint8_t index, rt_rtcp_block *out)
{
    assert((size_t)BLOCK * index + BLOCK <= report->block_bytes.size);
    const uint8_t *p = report->block_bytes.data + (size_t)BLOCK * index;
    out->ssrc = rt_load32(p);
    out->fraction_lost = p[4];
    out->lost = (int32_t)(rt_load24(p + 5) ^ 0x800000) - 0x800000; /* sign of 24 bits */
    out->highest = rt_load32(p + 8);
    out->jitter = rt_load32(p + 12);
    out->last_sr = rt_load32(p + 16);
    out->delay = rt_load32(p + 20);
}

/* The count of lost packets stays at its bounds (RFC 3550 appendix A.3). */
static uint32_t clamp_lost(int32_t lost)
{
    return (uint32_t)(lost < -0x800000 ? -0x800000 : lost > 0x7FFFFF ? 0x7FFFFF : lost);
}

void rt_rtcp_write_report(rt_writer *out, const rt_rtcp_report *report, const rt_rtcp_block *blocks)
{
    assert(report->blocks <= RT_RTCP_COUNT_MAX);
    size_t head = RT_RTCP_HEADER + 4 + (report->sender ? SENDER_INFO : 0);
    uint8_t *p = rt_rtcp_room(out, report->sender ? RT_RTCP_SR : RT_RTCP_RR, report->blocks,
                              head + (size_t)BLOCK * report->blocks);
    if (!p)
        return;
    rt_store32(p + 4, report->ssrc);
    if (report->sender) {
        rt_store64(p + 8, report->ntp);
        rt_store32(p + 16, report->rtp_time);
        rt_store32(p + 20, report->packets);
        rt_store32(p + 24, report->bytes);
    }
    p += head;
    for (uint8_t i = 0; i < report->blocks; i++, p += BLOCK) {
        const rt_rtcp_block *block = &blocks[i];
        rt_store32(p, block->ssrc);
        p[4] = block->fraction_lost;
        rt_store24(p + 5, clamp_lost(block->lost));
        rt_store32(p + 8, block->highest);
        rt_store32(p + 12, block->jitter);
        rt_store32(p + 16, block->last_sr);
        rt_store32(p + 20, block->delay);
    }
}
