/* Feedback of RFC 4585 (NACK, PLI), RFC 5104 (FIR) and REMB (draft-alvestrand-rmcat-remb). */
#include "wire/rtcp_internal.h"

#include <assert.h>

rt_status rt_rtcp_feedback_read(const rt_rtcp *packet, rt_rtcp_feedback *out)
{
    *out = (rt_rtcp_feedback){0};
    if (packet->body.size < 8)
        return RT_MALFORMED;
    const uint8_t *p = packet->body.data;
    out->sender = rt_load32(p);
    out->media = rt_load32(p + 4);
    out->fci = rt_span_of(p + 8, packet->body.size - 8);
    return RT_OK;
}

/* NACK, RFC 4585 section 6.2.1
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     PID: a lost packet        |  BLP: bit i: PID + i + 1 too  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+ */
size_t rt_rtcp_nack_read(const rt_rtcp_feedback *feedback, uint16_t *out, size_t max)
{
    size_t count = 0;
    const uint8_t *p = feedback->fci.data, *end = p + (feedback->fci.size & ~(size_t)3);
    for (; p < end; p += 4) {
        uint16_t first = rt_load16(p);
        if (count < max)
            out[count] = first;
        count++;
        for (uint32_t bits = rt_load16(p + 2); bits; bits &= bits - 1) {
            if (count < max)
                out[count] = (uint16_t)(first + 1 + __builtin_ctz(bits));
            count++;
        }
    }
    return count;
}

size_t rt_rtcp_write_nack(rt_writer *out, uint32_t sender, uint32_t media, const uint16_t *sequences, size_t count)
{
    size_t limit = rt_rtcp_limit(out);
    if (count == 0 || limit < RT_RTCP_FEEDBACK + 4)
        return 0;
    size_t room = (limit - RT_RTCP_FEEDBACK) / 4, pairs = 0, taken = 0;
    uint8_t *p = out->at + RT_RTCP_FEEDBACK; /* the room is there; how much of it is used shows at the end */
    while (taken < count && pairs < room) {
        uint16_t first = sequences[taken++];
        uint32_t bits = 0;
        for (; taken < count; taken++) {
            uint16_t distance = (uint16_t)(sequences[taken] - first);
            if (distance > 16)
                break;
            if (distance > 0)
                bits |= UINT32_C(1) << (distance - 1);
        }
        rt_store16(p, first);
        rt_store16(p + 2, (uint16_t)bits);
        p += 4;
        pairs++;
    }
    rt_rtcp_feedback_room(out, RT_RTCP_RTPFB, RT_RTPFB_NACK, RT_RTCP_FEEDBACK + 4 * pairs, sender, media);
    return taken;
}

void rt_rtcp_write_pli(rt_writer *out, uint32_t sender, uint32_t media)
{
    rt_rtcp_feedback_room(out, RT_RTCP_PSFB, RT_PSFB_PLI, RT_RTCP_FEEDBACK, sender, media);
}

/* FIR, RFC 5104 section 4.3.1.1: an SSRC, a command number and three bytes of zeros for each stream; the SSRC of
 * the media is 0. */
size_t rt_rtcp_fir_count(const rt_rtcp_feedback *feedback)
{
    return feedback->fci.size / 8;
}

void rt_rtcp_fir_read(const rt_rtcp_feedback *feedback, size_t index, rt_rtcp_fir *out)
{
    assert(index < rt_rtcp_fir_count(feedback));
    const uint8_t *p = feedback->fci.data + 8 * index;
    *out = (rt_rtcp_fir){.ssrc = rt_load32(p), .sequence = p[4]};
}

void rt_rtcp_write_fir(rt_writer *out, uint32_t sender, const rt_rtcp_fir *entries, size_t count)
{
    if (count == 0)
        return;
    uint8_t *p = rt_rtcp_feedback_room(out, RT_RTCP_PSFB, RT_PSFB_FIR, RT_RTCP_FEEDBACK + 8 * count, sender, 0);
    if (!p)
        return;
    p += RT_RTCP_FEEDBACK;
    for (size_t i = 0; i < count; i++, p += 8) {
        rt_store32(p, entries[i].ssrc);
        rt_store32(p + 4, (uint32_t)entries[i].sequence << 24);
    }
}

/* REMB, draft-alvestrand-rmcat-remb-03 section 2.2; the SSRC of the media is 0
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  'R'          |  'E'          |  'M'          |  'B'          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  SSRCs        |  exponent |  mantissa (18 bits)               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  SSRC ...                                                     | */
#define REMB 0x52454D42

rt_status rt_rtcp_remb_read(const rt_rtcp_feedback *feedback, rt_rtcp_remb *out)
{
    *out = (rt_rtcp_remb){0};
    const uint8_t *p = feedback->fci.data;
    if (feedback->fci.size < 4 || rt_load32(p) != REMB)
        return RT_UNSUPPORTED;
    if (feedback->fci.size < 8 || feedback->fci.size - 8 < 4 * (size_t)p[4])
        return RT_MALFORMED;
    unsigned exponent = p[5] >> 2;
    uint64_t mantissa = rt_load24(p + 5) & 0x3FFFF;
    if (mantissa << exponent >> exponent != mantissa)
        return RT_MALFORMED;
    *out =
        (rt_rtcp_remb){.bitrate = mantissa << exponent, .count = p[4], .sources = rt_span_of(p + 8, 4 * (size_t)p[4])};
    return RT_OK;
}

void rt_rtcp_write_remb(rt_writer *out, uint32_t sender, uint64_t bitrate, const uint32_t *sources, uint8_t count)
{
    uint8_t *p =
        rt_rtcp_feedback_room(out, RT_RTCP_PSFB, RT_PSFB_AFB, RT_RTCP_FEEDBACK + 8 + 4 * (size_t)count, sender, 0);
    if (!p)
        return;
    uint32_t exponent = 0;
    for (; bitrate > 0x3FFFF; bitrate >>= 1)
        exponent++;
    p += RT_RTCP_FEEDBACK;
    rt_store32(p, REMB);
    p[4] = count;
    rt_store24(p + 5, exponent << 18 | (uint32_t)bitrate);
    p += 8;
    for (uint8_t i = 0; i < count; i++, p += 4)
        rt_store32(p, sources[i]);
}
