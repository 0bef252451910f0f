/* Extended reports, RFC 3611: only what round trips of receivers want, RRTR (section 4.4) and DLRR (4.5).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   block type  | type-specific |  length in words - 1          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   RRTR: NTP time, 64 bits.  DLRR: SSRC, last RR, delay since, for each receiver ...
 */
#include "wire/rtcp_internal.h"

#include <assert.h>

#define DLRR 12
#define RRTR 8

bool rt_rtcp_xr_next(const rt_rtcp *packet, size_t *at, rt_xr_block *out, rt_status *status)
{
    *status = RT_OK;
    size_t start = *at ? *at : 4; /* behind the sender's SSRC */
    rt_span body = packet->body;
    if (start == body.size)
        return false;
    *status = RT_MALFORMED;
    if (start + 4 > body.size)
        return false;
    const uint8_t *p = body.data + start;
    size_t size = 4 * (size_t)rt_load16(p + 2);
    if (size > body.size - start - 4)
        return false;
    *out = (rt_xr_block){.type = p[0], .specific = p[1], .body = rt_span_of(p + 4, size)};
    if (out->type == RT_XR_RRTR) {
        if (size != RRTR)
            return false;
        out->ntp = rt_load64(p + 4);
    } else if (out->type == RT_XR_DLRR) {
        if (size % DLRR)
            return false;
        out->dlrr_count = size / DLRR;
    }
    *at = start + 4 + size;
    *status = RT_OK;
    return true;
}

void rt_rtcp_xr_dlrr(const rt_xr_block *block, size_t index, rt_xr_dlrr *out)
{
    assert(index < block->dlrr_count);
    const uint8_t *p = block->body.data + DLRR * index;
    *out = (rt_xr_dlrr){.ssrc = rt_load32(p), .last_rr = rt_load32(p + 4), .delay = rt_load32(p + 8)};
}

/* A packet with one block of `size` bytes; returns where its content goes. */
static uint8_t *room(rt_writer *out, uint32_t sender, uint8_t type, size_t size)
{
    uint8_t *p = rt_rtcp_room(out, RT_RTCP_XR, 0, RT_RTCP_HEADER + 8 + size);
    if (!p)
        return NULL;
    rt_store32(p + 4, sender);
    p[8] = type;
    p[9] = 0;
    rt_store16(p + 10, (uint16_t)(size / 4));
    return p + 12;
}

void rt_rtcp_write_rrtr(rt_writer *out, uint32_t sender, uint64_t ntp)
{
    uint8_t *p = room(out, sender, RT_XR_RRTR, RRTR);
    if (p)
        rt_store64(p, ntp);
}

void rt_rtcp_write_dlrr(rt_writer *out, uint32_t sender, const rt_xr_dlrr *entries, size_t count)
{
    uint8_t *p = room(out, sender, RT_XR_DLRR, DLRR * count);
    for (size_t i = 0; p && i < count; i++, p += DLRR) {
        rt_store32(p, entries[i].ssrc);
        rt_store32(p + 4, entries[i].last_rr);
        rt_store32(p + 8, entries[i].delay);
    }
}
