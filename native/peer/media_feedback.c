#include "peer/media_internal.h"

enum {
    SEQUENCES = 1024,
    REQUESTS = 32,
    TWCC_MOST = 8, /* in one datagram: each may speak of thousands of packets */
};

#define ROUND_TRIP_MAX RT_SECONDS(10) /* what says more is wrong */

/* What the packets of one datagram say together: what follows for all streams is done once. */
typedef struct gist {
    uint64_t lost, expected; /* by report blocks; `lost` of 256 */
    bool any;                /* report blocks */
    bool moved;              /* the target may have */
    uint32_t twcc;
    rt_time round_trip; /* 0: not measured */
} gist;

/* ---- round trips ---- */

/* RFC 3550 section 6.4.1: A - LSR - DLSR, in 1/65536 s. 0: not known. */
static rt_time measure(const rt_media *media, uint32_t then, uint32_t delay, rt_time now)
{
    if (then == 0)
        return 0;
    uint32_t elapsed = rt_ntp_middle(rt_media_ntp(media, now)) - then - delay;
    if (elapsed > 0xFFFFFF00u) /* clocks that tick coarsely: a little less than nothing */
        elapsed = 0;
    rt_time round_trip = (rt_time)((uint64_t)elapsed * 1000000000 >> 16);
    return round_trip > ROUND_TRIP_MAX ? 0 : rt_time_max(round_trip, RT_US(1));
}

/* Retransmissions of all streams go by the one path. */
static void note_round_trip(rt_media *media, rt_time measured)
{
    if (measured == 0)
        return;
    media->round_trip = media->round_trip ? (7 * media->round_trip + measured) / 8 : measured;
    for (uint32_t i = 0; i < media->outbound_count; i++)
        rt_sender_set_round_trip(media->outbound[i]->sender, media->round_trip);
    for (uint32_t i = 0; i < media->inbound_count; i++)
        rt_receiver_set_round_trip(media->inbound[i]->receiver, media->round_trip);
    if (media->estimate)
        rt_estimate_set_round_trip(media->estimate, media->round_trip);
}

/* ---- reports ---- */

static void read_block(rt_media *media, const rt_rtcp_block *block, gist *g, rt_time now)
{
    rt_media_outbound *stream = rt_media_find_outbound(media, block->ssrc);
    if (!stream || stream->last_sent == RT_NEVER)
        return;
    rt_time round_trip = measure(media, block->last_sr, block->delay, now);
    g->round_trip = round_trip ? round_trip : g->round_trip;
    rt_sender_reported(stream->sender, block, round_trip, now);
    if (block->ssrc != stream->media.ssrc)
        return;
    uint32_t expected = block->highest - stream->reported;
    if (stream->reported && expected < 0x10000) { /* beyond that it is no report of this interval */
        g->expected += expected;
        g->lost += (uint64_t)expected * block->fraction_lost;
    }
    stream->reported = block->highest;
    g->any = true;
}

static rt_status read_report(rt_media *media, const rt_rtcp *packet, gist *g, rt_time now)
{
    rt_rtcp_report report;
    rt_status status = rt_rtcp_report_read(packet, &report);
    if (status != RT_OK)
        return status;
    rt_media_inbound *stream = report.sender ? rt_media_find_inbound(media, report.ssrc) : NULL;
    if (stream)
        rt_receiver_sender_report(stream->receiver, &report, now);
    for (uint8_t i = 0; i < report.blocks; i++) {
        rt_rtcp_block block;
        rt_rtcp_report_block(&report, i, &block);
        read_block(media, &block, g, now);
    }
    return RT_OK;
}

static rt_status read_names(rt_media *media, const rt_rtcp *packet)
{
    size_t at = 0;
    rt_rtcp_item item;
    rt_status status = RT_OK;
    while (rt_rtcp_sdes_next(packet, &at, &item, &status)) {
        if (item.type == RT_SDES_MID)
            rt_media_learn(media, item.ssrc, item.text);
    }
    return status;
}

static rt_status read_bye(rt_media *media, const rt_rtcp *packet, rt_time now)
{
    rt_span sources, reason;
    rt_status status = rt_rtcp_bye_read(packet, &sources, &reason);
    for (size_t i = 0; status == RT_OK && i + 4 <= sources.size; i += 4) {
        rt_media_inbound *stream = rt_media_find_inbound(media, rt_load32(sources.data + i));
        if (!stream || stream->left != RT_NEVER)
            continue;
        stream->left = now + RT_MEDIA_STRAGGLERS;
        rt_receiver_bye(stream->receiver);
        rt_media_mark_ready(media, stream);
    }
    return status;
}

/* ---- extended reports ---- */

static void note_reference(rt_media *media, uint32_t ssrc, uint64_t ntp, rt_time now)
{
    uint8_t place = 0;
    while (place < media->reference_count && media->references[place].ssrc != ssrc)
        place++;
    if (place == RT_MEDIA_REFERENCES)
        return; /* asks again */
    if (place == media->reference_count)
        media->reference_count++;
    media->references[place] = (rt_media_reference){.ssrc = ssrc, .ntp_middle = rt_ntp_middle(ntp), .arrived = now};
}

static void read_dlrr(const rt_media *media, const rt_xr_block *block, gist *g, rt_time now)
{
    for (size_t i = 0; i < block->dlrr_count; i++) {
        rt_xr_dlrr entry;
        rt_rtcp_xr_dlrr(block, i, &entry);
        rt_time round_trip = entry.ssrc == media->ssrc ? measure(media, entry.last_rr, entry.delay, now) : 0;
        g->round_trip = round_trip ? round_trip : g->round_trip;
    }
}

static rt_status read_extended(rt_media *media, const rt_rtcp *packet, gist *g, rt_time now)
{
    enum { RRTR = 4, DLRR = 5 };
    size_t at = 0;
    rt_xr_block block;
    rt_status status = RT_OK;
    while (rt_rtcp_xr_next(packet, &at, &block, &status)) {
        if (block.type == RRTR)
            note_reference(media, rt_load32(packet->body.data), block.ntp, now); /* the body begins with the SSRC */
        else if (block.type == DLRR)
            read_dlrr(media, &block, g, now);
    }
    return status;
}

/* ---- feedback ---- */

static void read_nack(rt_media *media, const rt_rtcp_feedback *feedback, rt_time now)
{
    uint16_t sequences[SEQUENCES];
    rt_media_outbound *stream = rt_media_find_outbound(media, feedback->media);
    if (!stream || feedback->media != stream->media.ssrc)
        return;
    size_t count = rt_rtcp_nack_read(feedback, sequences, SEQUENCES);
    rt_sender_nack(stream->sender, sequences, count < SEQUENCES ? count : SEQUENCES, now);
    media->queued = true;
}

static void read_pli(rt_media *media, const rt_rtcp_feedback *feedback)
{
    rt_media_outbound *stream = rt_media_find_outbound(media, feedback->media);
    if (!stream)
        return;
    rt_sender_count_request(stream->sender, false);
    rt_media_want_key_frame(media, stream);
}

/* RFC 5104 section 4.3.1: the same number again is the same request. */
static void read_fir(rt_media *media, const rt_rtcp_feedback *feedback)
{
    size_t count = rt_rtcp_fir_count(feedback);
    for (size_t i = 0; i < count && i < REQUESTS; i++) {
        rt_rtcp_fir entry;
        rt_rtcp_fir_read(feedback, i, &entry);
        rt_media_outbound *stream = rt_media_find_outbound(media, entry.ssrc);
        if (!stream || (stream->fir_from == feedback->sender && stream->fir_sequence == entry.sequence))
            continue;
        stream->fir_from = feedback->sender;
        stream->fir_sequence = entry.sequence;
        rt_sender_count_request(stream->sender, true);
        rt_media_want_key_frame(media, stream);
    }
}

static bool any_format_has(const rt_media *media, bool remb)
{
    for (uint32_t i = 0; i < media->outbound_count; i++) {
        const rt_media_format *format = &media->outbound[i]->line->send_format;
        if (remb ? format->remb : format->twcc)
            return true;
    }
    return false;
}

static rt_status read_twcc(rt_media *media, const rt_rtcp_feedback *feedback, gist *g, rt_time now)
{
    rt_rtcp_twcc twcc;
    rt_status status = rt_rtcp_twcc_read(feedback, &twcc);
    if (status != RT_OK || !any_format_has(media, false))
        return status;
    if (g->twcc == TWCC_MOST)
        return RT_TOO_LARGE;
    g->twcc++;
    media->stats.twcc_received++;
    g->moved = true;
    return rt_bandwidth_twcc(media->bandwidth, &twcc, now);
}

static rt_status read_remb(rt_media *media, const rt_rtcp_feedback *feedback, gist *g, rt_time now)
{
    rt_rtcp_remb remb;
    rt_status status = rt_rtcp_remb_read(feedback, &remb);
    if (status == RT_UNSUPPORTED || !any_format_has(media, true))
        return RT_OK;
    if (status != RT_OK)
        return status;
    rt_bandwidth_remb(media->bandwidth, remb.bitrate, now);
    g->moved = true;
    return RT_OK;
}

static rt_status read_feedback(rt_media *media, const rt_rtcp *packet, gist *g, rt_time now)
{
    rt_rtcp_feedback feedback;
    rt_status status = rt_rtcp_feedback_read(packet, &feedback);
    if (status != RT_OK)
        return status;
    if (packet->type == RT_RTCP_RTPFB) {
        if (packet->count == RT_RTPFB_NACK)
            read_nack(media, &feedback, now);
        else if (packet->count == RT_RTPFB_TWCC)
            return read_twcc(media, &feedback, g, now);
        return RT_OK;
    }
    switch (packet->count) {
    case RT_PSFB_PLI: read_pli(media, &feedback); return RT_OK;
    case RT_PSFB_FIR: read_fir(media, &feedback); return RT_OK;
    case RT_PSFB_AFB: return read_remb(media, &feedback, g, now);
    default: return RT_OK;
    }
}

/* ---- a datagram ---- */

static rt_status read_packet(rt_media *media, const rt_rtcp *packet, gist *g, rt_time now)
{
    switch (packet->type) {
    case RT_RTCP_SR:
    case RT_RTCP_RR: return read_report(media, packet, g, now);
    case RT_RTCP_SDES: return read_names(media, packet);
    case RT_RTCP_BYE: return read_bye(media, packet, now);
    case RT_RTCP_RTPFB:
    case RT_RTCP_PSFB: return read_feedback(media, packet, g, now);
    case RT_RTCP_XR: return read_extended(media, packet, g, now);
    default: return RT_OK; /* APP, and what is yet to be invented */
    }
}

/* What is whole counts, although something else in the datagram is not. */
rt_status rt_media_receive_rtcp(rt_media *media, rt_span datagram, rt_time now)
{
    rt_reader reader = rt_reader_of(datagram);
    rt_status status = RT_OK, worst = RT_OK;
    rt_rtcp packet;
    gist g = {0};
    while (rt_rtcp_next(&reader, &packet, &status)) {
        rt_status one = read_packet(media, &packet, &g, now);
        worst = one == RT_OK ? worst : one;
    }
    note_round_trip(media, g.round_trip);
    if (g.any) {
        uint8_t fraction = g.expected ? (uint8_t)(g.lost / g.expected) : 0;
        rt_bandwidth_report(media->bandwidth, fraction, media->round_trip, now);
    }
    if (g.any || g.moved)
        rt_media_distribute(media, now);
    worst = status == RT_OK ? worst : status;
    media->stats.rtcp_malformed += worst != RT_OK;
    return worst;
}
