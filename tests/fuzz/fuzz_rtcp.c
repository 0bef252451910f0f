/* Any bytes: the readers stay inside them, and what they accept can be written again and reads the same. */
#include "expect.h"
#include "wire/rtcp.h"

#define ROOM ((size_t)1 << 19) /* an NACK in disorder can grow, twice at the most */

/* The one packet that was written. */
static rt_rtcp written(const rt_writer *w, uint8_t type)
{
    rt_rtcp packet;
    rt_status status;
    rt_reader r = rt_reader_of(rt_span_of(w->start, rt_writer_size(w)));
    expect(rt_writer_ok(w) && rt_writer_size(w) % 4 == 0);
    bool there = rt_rtcp_next(&r, &packet, &status);
    expect(there && packet.type == type && rt_reader_left(&r) == 0);
    return packet;
}

static void report(const rt_rtcp *packet, rt_writer *w)
{
    rt_rtcp_report first, again;
    rt_rtcp_block blocks[31];
    if (rt_rtcp_report_read(packet, &first) != RT_OK)
        return;
    for (uint8_t i = 0; i < first.blocks; i++)
        rt_rtcp_report_block(&first, i, &blocks[i]);
    rt_rtcp_write_report(w, &first, blocks);
    rt_rtcp other = written(w, packet->type);
    expect(rt_rtcp_report_read(&other, &again) == RT_OK);
    expect(again.ssrc == first.ssrc && again.ntp == first.ntp && again.bytes == first.bytes);
    expect(rt_span_equal(again.block_bytes, first.block_bytes));
}

static void sdes(const rt_rtcp *packet, rt_writer *w)
{
    static rt_rtcp_item items[131072];
    uint64_t at = 0;
    rt_status status;
    size_t count = 0;
    while (rt_rtcp_sdes_next(packet, &at, &items[count], &status))
        count++;
    if (status != RT_OK)
        return;
    rt_rtcp_write_sdes(w, items, count);
    rt_rtcp other = written(w, RT_RTCP_SDES);
    rt_rtcp_item item;
    at = 0;
    for (size_t i = 0; i < count; i++) {
        bool there = rt_rtcp_sdes_next(&other, &at, &item, &status);
        expect(there && item.ssrc == items[i].ssrc && item.type == items[i].type);
        expect(rt_span_equal(item.text, items[i].text));
    }
    expect(!rt_rtcp_sdes_next(&other, &at, &item, &status) && status == RT_OK);
}

static void bye(const rt_rtcp *packet, rt_writer *w)
{
    rt_span sources, reason, again, text;
    uint32_t numbers[31];
    if (rt_rtcp_bye_read(packet, &sources, &reason) != RT_OK)
        return;
    for (size_t i = 0; i < packet->count; i++)
        numbers[i] = rt_load32(sources.data + 4 * i);
    rt_rtcp_write_bye(w, numbers, packet->count, reason);
    rt_rtcp other = written(w, RT_RTCP_BYE);
    expect(rt_rtcp_bye_read(&other, &again, &text) == RT_OK);
    expect(rt_span_equal(again, sources) && rt_span_equal(text, reason));
}

static void nack(const rt_rtcp_feedback *feedback, rt_writer *w)
{
    static uint16_t lost[65536 * 17], again[65536 * 17];
    size_t count = rt_rtcp_nack_read(feedback, lost, 65536 * 17);
    size_t taken = rt_rtcp_write_nack(w, feedback->sender, feedback->media, lost, count);
    if (count == 0)
        return;
    expect(taken > 0);
    rt_rtcp other = written(w, RT_RTCP_RTPFB);
    rt_rtcp_feedback read;
    expect(rt_rtcp_feedback_read(&other, &read) == RT_OK);
    size_t n = rt_rtcp_nack_read(&read, again, 65536 * 17);
    expect(n > 0 && n <= taken && again[0] == lost[0]);
}

static void twcc(const rt_rtcp_feedback *feedback, rt_writer *w)
{
    static rt_twcc_packet packets[65535], again[65535];
    rt_rtcp_twcc first, second;
    if (rt_rtcp_twcc_read(feedback, &first) != RT_OK || rt_rtcp_twcc_packets(&first, packets) != RT_OK)
        return;
    size_t taken =
        rt_rtcp_write_twcc(w, feedback->sender, feedback->media, first.reference, first.feedback, packets, first.count);
    expect(taken == first.count);
    rt_rtcp other = written(w, RT_RTCP_RTPFB);
    rt_rtcp_feedback read;
    expect(rt_rtcp_feedback_read(&other, &read) == RT_OK && rt_rtcp_twcc_read(&read, &second) == RT_OK);
    expect(second.base == first.base && second.count == first.count && second.reference == first.reference);
    expect(rt_rtcp_twcc_packets(&second, again) == RT_OK);
    for (size_t i = 0; i < taken; i++) {
        expect(again[i].sequence == packets[i].sequence && again[i].received == packets[i].received);
        expect(!again[i].received || again[i].delta == packets[i].delta);
    }
}

static void ccfb(const rt_rtcp_feedback *feedback, rt_writer *w)
{
    static rt_ccfb_packet packets[131072];
    uint32_t timestamp, told;
    uint64_t at = 0;
    size_t count = 0;
    rt_status status;
    if (rt_rtcp_ccfb_timestamp(feedback, &timestamp) != RT_OK)
        return;
    while (rt_rtcp_ccfb_next(feedback, &at, &packets[count], &status))
        count++;
    size_t taken = rt_rtcp_write_ccfb(w, feedback->sender, packets, count, timestamp);
    if (taken == 0) {
        expect(count == 0);
        return;
    }
    rt_rtcp other = written(w, RT_RTCP_RTPFB);
    rt_rtcp_feedback read;
    expect(rt_rtcp_feedback_read(&other, &read) == RT_OK && rt_rtcp_ccfb_timestamp(&read, &told) == RT_OK);
    expect(told == timestamp);
    rt_ccfb_packet packet;
    at = 0;
    for (size_t i = 0; i < taken; i++) {
        bool there = rt_rtcp_ccfb_next(&read, &at, &packet, &status);
        expect(there && packet.ssrc == packets[i].ssrc && packet.sequence == packets[i].sequence);
        expect(packet.received == packets[i].received && packet.ecn == packets[i].ecn);
        expect(packet.offset == packets[i].offset);
    }
    expect(!rt_rtcp_ccfb_next(&read, &at, &packet, &status) && status == RT_OK);
}

static void payload_feedback(const rt_rtcp_feedback *feedback, rt_writer *w)
{
    rt_rtcp_remb remb, again;
    rt_rtcp_fir fir = {0};
    for (size_t i = 0; i < rt_rtcp_fir_count(feedback); i++)
        rt_rtcp_fir_read(feedback, i, &fir);
    if (rt_rtcp_remb_read(feedback, &remb) != RT_OK)
        return;
    uint32_t sources[255];
    for (size_t i = 0; i < remb.count; i++)
        sources[i] = rt_load32(remb.sources.data + 4 * i);
    rt_rtcp_write_remb(w, feedback->sender, remb.bitrate, sources, remb.count);
    rt_rtcp other = written(w, RT_RTCP_PSFB);
    rt_rtcp_feedback read;
    expect(rt_rtcp_feedback_read(&other, &read) == RT_OK && rt_rtcp_remb_read(&read, &again) == RT_OK);
    expect(again.bitrate == remb.bitrate && rt_span_equal(again.sources, remb.sources));
}

static void xr(const rt_rtcp *packet, rt_writer *w)
{
    static rt_xr_dlrr entries[65536];
    size_t at = 0;
    rt_xr_block block, again;
    rt_status status;
    while (rt_rtcp_xr_next(packet, &at, &block, &status)) {
        if (block.type != RT_XR_DLRR || rt_writer_size(w) > 0)
            continue;
        for (size_t i = 0; i < block.dlrr_count; i++)
            rt_rtcp_xr_dlrr(&block, i, &entries[i]);
        rt_rtcp_write_dlrr(w, 1, entries, block.dlrr_count);
        rt_rtcp other = written(w, RT_RTCP_XR);
        size_t place = 0;
        rt_status told;
        bool there = rt_rtcp_xr_next(&other, &place, &again, &told);
        expect(there && again.type == RT_XR_DLRR && rt_span_equal(again.body, block.body));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[ROOM];
    rt_reader r = rt_reader_of(rt_span_of(data, size));
    rt_rtcp packet;
    rt_rtcp_feedback feedback;
    rt_rtcp_app app;
    rt_status status;
    while (rt_rtcp_next(&r, &packet, &status)) {
        rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        switch (packet.type) {
        case RT_RTCP_SR:
        case RT_RTCP_RR: report(&packet, &w); break;
        case RT_RTCP_SDES: sdes(&packet, &w); break;
        case RT_RTCP_BYE: bye(&packet, &w); break;
        case RT_RTCP_APP: (void)rt_rtcp_app_read(&packet, &app); break;
        case RT_RTCP_XR: xr(&packet, &w); break;
        case RT_RTCP_RTPFB:
            if (rt_rtcp_feedback_read(&packet, &feedback) != RT_OK)
                break;
            if (packet.count == RT_RTPFB_NACK)
                nack(&feedback, &w);
            else if (packet.count == RT_RTPFB_TWCC)
                twcc(&feedback, &w);
            else if (packet.count == RT_RTPFB_CCFB)
                ccfb(&feedback, &w);
            break;
        case RT_RTCP_PSFB:
            if (rt_rtcp_feedback_read(&packet, &feedback) == RT_OK)
                payload_feedback(&feedback, &w);
            break;
        default:
            rt_rtcp_write(&w, packet.type, packet.count, packet.body);
            rt_rtcp again = written(&w, packet.type);
            expect(again.count == packet.count && rt_span_equal(again.body, packet.body));
        }
    }
    expect((status == RT_OK) == (rt_reader_left(&r) == 0));
    return 0;
}
