#include "peer/media_internal.h"

/* What goes out in one datagram, and where reports, good-byes and feedback are put together:
 *
 *   SR or RR with blocks, SR ... | SDES | BYE | XR | NACK, PLI, FIR, TWCC, REMB
 *
 * Feedback between two reports goes alone where reduced size was agreed (RFC 5506); else behind an empty RR and SDES. */

enum {
    BLOCK = 24,
    SENDER_REPORT = 28,
    SENDERS = 16, /* reports in one datagram */
    BLOCKS = 31,
    NACKS = 128, /* sequence numbers asked for at once */
};

#define VIDEO_INTERVAL RT_SECONDS(1)
#define AUDIO_INTERVAL RT_SECONDS(5)
#define REMB_INTERVAL RT_SECONDS(1)

typedef struct composer {
    rt_media *media;
    rt_batch *batch;
    rt_writer writer;
    size_t prefix; /* bytes that alone are not worth sending */
    bool open;
    rt_time now;
    uint64_t ntp;
} composer;

static rt_span cname(const rt_media *media)
{
    return rt_span_text(media->config.cname);
}

static size_t sdes_size(const rt_media *media, size_t count)
{
    return 4 + count * ((4 + 2 + cname(media).size + 4) / 4 * 4);
}

/* ---- datagrams ---- */

static void finish(composer *c)
{
    if (!c->open)
        return;
    c->open = false;
    size_t size = rt_writer_size(&c->writer);
    if (size == c->prefix)
        return;
    if (rt_srtp_protect_rtcp(c->media->protect, c->writer.start, &size, c->media->config.mtu) != RT_OK) {
        c->media->stats.unprotected++;
        return;
    }
    rt_batch_commit(c->batch, size);
    c->media->stats.rtcp_sent++;
}

/* A new datagram; false: the batch is full. */
static bool begin(composer *c)
{
    finish(c);
    uint8_t *room = rt_batch_reserve(c->batch, c->media->config.mtu);
    if (!room)
        return false;
    c->writer = rt_writer_of(rt_buffer_of(room, c->media->config.mtu - RT_SRTP_TRAILER));
    c->prefix = 0;
    c->open = true;
    return true;
}

/* Room for a packet of feedback, in this datagram or the next. */
static bool make_room(composer *c, size_t size)
{
    if (c->open && rt_writer_left(&c->writer) >= size)
        return true;
    if (!begin(c))
        return false;
    if (!c->media->reduced_size) {
        rt_rtcp_write_report(&c->writer, &(rt_rtcp_report){.ssrc = c->media->ssrc}, NULL);
        rt_rtcp_write_cname(&c->writer, c->media->ssrc, cname(c->media));
        c->prefix = rt_writer_size(&c->writer);
    }
    return true;
}

/* ---- reports ---- */

void rt_media_schedule_report(rt_media *media, bool first, rt_time now)
{
    rt_time interval = media->config.report_interval;
    if (interval == 0)
        interval = media->video ? VIDEO_INTERVAL : AUDIO_INTERVAL;
    if (first)
        interval /= 2; /* RFC 3550 section 6.2 */
    media->report_interval = interval;
    media->report_at =
        now + interval / 2 + RT_US(rt_random_below(media->config.random, (uint32_t)(interval / RT_US(1)) + 1));
}

/* The next stream that sent since the report before the last. */
static rt_media_outbound *next_reporter(composer *c, rt_rtcp_report *out)
{
    rt_media *media = c->media;
    while (media->report_out < media->outbound_count) {
        rt_media_outbound *stream = media->outbound[media->report_out++];
        bool recent = stream->last_sent != RT_NEVER && c->now - stream->last_sent <= 2 * media->report_interval;
        if (recent && rt_sender_report(stream->sender, out, c->ntp, c->now))
            return stream;
    }
    return NULL;
}

/* As many as there is room for, beside the report itself and its name. */
static uint8_t take_blocks(composer *c, rt_rtcp_block *blocks)
{
    rt_media *media = c->media;
    size_t room = (rt_writer_left(&c->writer) - SENDER_REPORT - sdes_size(media, 1)) / BLOCK;
    uint8_t count = 0;
    while (media->report_in < media->inbound_count && count < BLOCKS && count < room) {
        rt_media_inbound *stream = media->inbound[media->report_in++];
        count += rt_receiver_report(stream->receiver, &blocks[count], c->now);
    }
    return count;
}

/* Round trips of those who only receive (RFC 3611 sections 4.4 and 4.5): we ask where we send nothing, and answer
 * whoever asks. */
static void write_extended(composer *c, bool sends)
{
    rt_media *media = c->media;
    rt_xr_dlrr entries[RT_MEDIA_REFERENCES];
    for (uint8_t i = 0; i < media->reference_count; i++) {
        const rt_media_reference *reference = &media->references[i];
        uint64_t delay = (uint64_t)(c->now - reference->arrived) * 65536 / 1000000000;
        entries[i] = (rt_xr_dlrr){.ssrc = reference->ssrc, .last_rr = reference->ntp_middle, .delay = (uint32_t)delay};
    }
    if (media->reference_count)
        rt_rtcp_write_dlrr(&c->writer, media->ssrc, entries, media->reference_count);
    media->reference_count = 0;
    if (!sends && media->inbound_count)
        rt_rtcp_write_rrtr(&c->writer, media->ssrc, c->ntp);
}

/* One datagram of reports. False: the batch is full. */
static bool write_compound(composer *c)
{
    rt_media *media = c->media;
    rt_rtcp_block blocks[BLOCKS];
    rt_rtcp_item items[SENDERS];
    size_t count = 0;
    if (!begin(c))
        return false;
    rt_rtcp_report report = {.ssrc = media->ssrc};
    bool sends = next_reporter(c, &report) != NULL;
    report.blocks = take_blocks(c, blocks);
    do {
        rt_rtcp_write_report(&c->writer, &report, blocks);
        items[count++] = (rt_rtcp_item){.ssrc = report.ssrc, .type = RT_SDES_CNAME, .text = cname(media)};
        report = (rt_rtcp_report){0};
    } while (sends && count < SENDERS && rt_writer_left(&c->writer) >= SENDER_REPORT + sdes_size(media, count + 1) &&
             next_reporter(c, &report));
    rt_rtcp_write_sdes(&c->writer, items, count);
    media->reported_sending = media->reported_sending || sends;
    return true;
}

static bool write_reports(composer *c)
{
    rt_media *media = c->media;
    if (!media->reporting && media->report_at > c->now)
        return true;
    if (!media->reporting) {
        media->reporting = true;
        media->report_in = media->report_out = 0;
        media->reported_sending = false;
        rt_media_schedule_report(media, false, c->now);
    }
    do {
        if (!write_compound(c))
            return false;
    } while (media->report_in < media->inbound_count || media->report_out < media->outbound_count);
    media->reporting = false;
    if (make_room(c, 12 + 12 * RT_MEDIA_REFERENCES + 20))
        write_extended(c, media->reported_sending);
    return true;
}

/* ---- good-byes ---- */

void rt_media_say_bye(rt_media *media, uint32_t ssrc)
{
    if (media->bye_count < RT_MEDIA_BYES) /* beyond that they time out */
        media->byes[media->bye_count++] = ssrc;
}

static bool write_byes(composer *c)
{
    rt_media *media = c->media;
    while (media->bye_count) {
        uint8_t count = media->bye_count < BLOCKS ? media->bye_count : BLOCKS;
        if (!make_room(c, 4 + 4 * (size_t)count))
            return false;
        media->bye_count -= count;
        rt_rtcp_write_bye(&c->writer, media->byes + media->bye_count, count, (rt_span){0});
    }
    return true;
}

/* ---- feedback ---- */

static const rt_media_format *format_of(const rt_media_inbound *stream)
{
    uint8_t place = stream->line->by_type[stream->payload_type] & ~RT_MEDIA_REPAIRS;
    return place ? &stream->line->formats[place - 1] : NULL;
}

static bool write_nacks(composer *c, rt_media_inbound *stream)
{
    uint16_t sequences[NACKS];
    size_t count;
    do {
        if (!make_room(c, 12 + 4 * NACKS)) /* before they are taken from the receiver */
            return false;
        count = rt_receiver_nack(stream->receiver, sequences, NACKS, c->now);
        if (count)
            (void)rt_rtcp_write_nack(&c->writer, c->media->ssrc, stream->media.ssrc, sequences, count);
    } while (count == NACKS);
    return true;
}

static bool write_request(composer *c, rt_media_inbound *stream)
{
    const rt_media_format *format = format_of(stream);
    if (!format || !(format->pli || format->fir))
        return true;
    if (!make_room(c, 20))
        return false;
    if (!rt_receiver_key_frame_needed(stream->receiver, c->now))
        return true;
    if (format->pli) {
        rt_rtcp_write_pli(&c->writer, c->media->ssrc, stream->media.ssrc);
    } else {
        rt_rtcp_fir entry = {.ssrc = stream->media.ssrc, .sequence = stream->fir_sequence++};
        rt_rtcp_write_fir(&c->writer, c->media->ssrc, &entry, 1);
    }
    return true;
}

static bool write_twcc(composer *c)
{
    rt_media *media = c->media;
    if (rt_twcc_deadline(media->twcc) > c->now)
        return true;
    bool more;
    do {
        if (!make_room(c, c->media->config.mtu / 3))
            return false;
        more = rt_twcc_feedback(media->twcc, &c->writer, media->ssrc, c->now);
        media->stats.twcc_sent += more;
    } while (more);
    return true;
}

/* Once a second; at once when it falls. */
static bool write_remb(composer *c)
{
    rt_media *media = c->media;
    uint64_t bitrate = media->estimate && !media->twcc_seen ? rt_estimate_bitrate(media->estimate) : 0;
    bool falls = bitrate < media->remb_sent - media->remb_sent / 32;
    if (bitrate == 0 || (!falls && c->now < media->remb_at))
        return true;
    uint32_t sources[RT_MEDIA_STREAMS];
    uint8_t count = 0;
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        if (media->inbound[i]->line->video)
            sources[count++] = media->inbound[i]->media.ssrc;
    }
    if (count == 0)
        return true;
    if (!make_room(c, 20 + 4 * (size_t)count))
        return false;
    rt_rtcp_write_remb(&c->writer, media->ssrc, bitrate, sources, count);
    media->remb_sent = bitrate;
    media->remb_at = c->now + REMB_INTERVAL;
    media->stats.remb_sent++;
    return true;
}

static bool write_feedback(composer *c)
{
    rt_media *media = c->media;
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        rt_media_inbound *stream = media->inbound[i];
        if (rt_receiver_deadline(stream->receiver) > c->now)
            continue; /* it wants nothing now */
        if (!write_nacks(c, stream) || !write_request(c, stream))
            return false;
    }
    media->feedback = false;
    return write_remb(c);
}

/* ---- the machine ---- */

void rt_media_transmit_rtcp(rt_media *media, rt_batch *out, rt_time now)
{
    if (media->report_at > now && !media->reporting && !media->feedback && !media->bye_count &&
        rt_twcc_deadline(media->twcc) > now)
        return;
    composer c = {.media = media, .batch = out, .now = now, .ntp = rt_media_ntp(media, now)};
    (void)(write_reports(&c) && write_byes(&c) &&
           (media->closed || (write_twcc(&c) && (!media->feedback || write_feedback(&c)))));
    finish(&c);
}

rt_time rt_media_report_deadline(const rt_media *media)
{
    return rt_time_min(media->report_at, rt_twcc_deadline(media->twcc));
}
