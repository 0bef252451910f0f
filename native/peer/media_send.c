#include "base/prefetch.h"
#include "peer/media_internal.h"

/* ---- frames in ---- */

/* What may stand before a payload while there is no stream to tell: header, all extensions that are ever sent, the
 * number of an RTX packet. */
enum { HEADER_MAX = 120, REPEAT_WINDOW = 1024 };

size_t rt_media_max_payload(const rt_media *media, uint8_t section)
{
    const rt_media_line *line = media->lines[section];
    size_t header = line && line->outbound_count ? 0 : HEADER_MAX;
    for (uint8_t i = 0; line && i < line->outbound_count; i++) {
        size_t size = rt_sender_header_max(line->outbound[i]->sender);
        header = size > header ? size : header;
    }
    return media->config.mtu - header - RT_MEDIA_TAG;
}

static rt_status find_stream(const rt_media *media, uint8_t section, uint8_t encoding, rt_media_outbound **out)
{
    const rt_media_line *line = media->lines[section];
    if (!line || encoding >= line->outbound_count)
        return RT_NOT_FOUND;
    *out = line->outbound[encoding];
    return media->started && !media->closed && rt_media_sends(*out) ? RT_OK : RT_CLOSED;
}

bool rt_media_can_send(const rt_media *media, uint8_t section, uint8_t encoding)
{
    rt_media_outbound *stream;
    return find_stream(media, section, encoding, &stream) == RT_OK;
}

rt_status rt_media_send_payloads(rt_media *media, uint8_t section, uint8_t encoding, rt_payloads *payloads,
                                 const rt_frame *frame, rt_time captured, rt_time now)
{
    rt_media_outbound *stream;
    rt_status status = find_stream(media, section, encoding, &stream);
    if (status != RT_OK)
        return status;
    if (payloads->codec != stream->line->send_format.payload.codec)
        return RT_INVALID;
    status = rt_sender_send(stream->sender, payloads, frame, captured, now);
    media->queued = media->queued || status == RT_OK;
    if (rt_sender_key_frame_needed(stream->sender))
        rt_media_want_key_frame(media, stream);
    return status;
}

rt_status rt_media_send(rt_media *media, uint8_t section, uint8_t encoding, const rt_frame *frame, rt_span data,
                        rt_time captured, rt_time now)
{
    rt_media_outbound *stream;
    rt_payloads *payloads;
    rt_status status = find_stream(media, section, encoding, &stream);
    if (status != RT_OK)
        return status;
    status = rt_packetizer_frame(stream->packetizer, frame, data, rt_media_max_payload(media, section), &payloads);
    if (status != RT_OK)
        return status;
    status = rt_media_send_payloads(media, section, encoding, payloads, frame, captured, now);
    rt_payloads_unref(payloads);
    return status;
}

void rt_media_want_key_frame(rt_media *media, rt_media_outbound *stream)
{
    if (!stream->line->video || !rt_media_sends(stream))
        return;
    stream->key_wanted = true;
    media->tell = true;
}

/* ---- packets out ---- */

typedef enum kind { MEDIA = RT_SENDER_MEDIA, RETRANSMISSION = RT_SENDER_RETRANSMISSION, PADDING } kind;

typedef enum outcome { SENT, NOTHING, FULL } outcome;

typedef struct departure { /* one drain */
    rt_media *media;
    rt_batch *batch;
    uint64_t ntp;
    rt_time now;
    size_t size; /* of the packet last sent */
} departure;

/* A stream whose retransmissions go in place sends packets a second time: SRTP has to know before the first one. One
 * with RTX may lose that in a renegotiation, so it may repeat, too, but within the usual window: a wide one costs as
 * much as a third of the cipher. */
static void begin(rt_media *media, const rt_media_outbound *stream)
{
    const rt_media_format *format = &stream->line->send_format;
    bool repaired = stream->repair.ssrc && format->rtx_payload_type != RT_MEDIA_NO_FORMAT;
    if (format->nack)
        (void)rt_srtp_add_stream(media->protect, stream->media.ssrc, repaired ? 0 : REPEAT_WINDOW, true);
}

static size_t write(const departure *d, rt_media_outbound *stream, kind what, rt_buffer room)
{
    uint16_t sequence = d->media->transport_sequence;
    if (what == PADDING)
        return rt_sender_write_padding(stream->sender, room, d->media->probe_left, sequence, d->ntp, d->now);
    return rt_sender_write(stream->sender, (rt_sender_class)what, room, sequence, d->ntp, d->now);
}

static bool is_stamped(const rt_media_outbound *stream, kind what)
{
    return rt_sender_stamps(stream->sender, what == MEDIA ? RT_SENDER_MEDIA : RT_SENDER_RETRANSMISSION);
}

/* Any packet that leaves while a probe is under way is part of it. */
static void count_sent(departure *d, const rt_media_outbound *stream, kind what)
{
    rt_media *media = d->media;
    media->stats.packets_sent++;
    rt_pacer_sent(&media->pacer, d->size, d->now);
    if (!is_stamped(stream, what))
        return;
    bool probe = media->probe_left > 0 && stream->line->video;
    if (stream->line->send_format.twcc)
        rt_bandwidth_sent(media->bandwidth, media->transport_sequence, d->size, probe, d->now);
    if (probe)
        media->probe_left -= d->size < media->probe_left ? d->size : media->probe_left;
    media->transport_sequence++;
}

/* One packet, written and protected where it leaves from. */
static outcome send_packet(departure *d, rt_media_outbound *stream, kind what)
{
    rt_media *media = d->media;
    size_t most = what == PADDING ? media->config.mtu - RT_MEDIA_TAG : rt_sender_packet_max(stream->sender);
    uint8_t *room = rt_batch_reserve(d->batch, most + RT_SRTP_TRAILER);
    if (!room)
        return FULL;
    if (stream->last_sent == RT_NEVER)
        begin(media, stream);
    d->size = write(d, stream, what, rt_buffer_of(room, most));
    if (d->size == 0)
        return NOTHING;
    if (rt_srtp_protect(media->protect, room, &d->size, most + RT_SRTP_TRAILER) != RT_OK) {
        media->stats.unprotected++;
        return SENT;
    }
    rt_batch_commit(d->batch, d->size);
    stream->last_sent = d->now;
    count_sent(d, stream, what);
    return SENT;
}

/* Audio is never held back; the bucket only hears of it. False: the batch is full. */
static bool send_audio(departure *d)
{
    rt_media *media = d->media;
    for (uint32_t i = 0; i < media->outbound_count && !media->outbound[i]->line->video; i++) {
        rt_media_outbound *stream = media->outbound[i];
        for (kind what = MEDIA; what <= RETRANSMISSION; what++) {
            outcome came = SENT;
            while (came == SENT && rt_sender_queued(stream->sender, (rt_sender_class)what))
                came = send_packet(d, stream, what);
            if (came == FULL)
                return false;
        }
    }
    return true;
}

static size_t video_queued(const rt_media *media, rt_sender_class which)
{
    size_t queued = 0;
    for (uint32_t i = media->outbound_count; i-- > 0 && media->outbound[i]->line->video;)
        queued += rt_sender_queued(media->outbound[i]->sender, which);
    return queued;
}

/* Whose turn it is: the stream whose packets wait longest; retransmissions in the order of the streams. */
static rt_media_outbound *next_video(const rt_media *media, rt_sender_class which)
{
    rt_media_outbound *next = NULL;
    rt_time since = RT_NEVER;
    for (uint32_t i = media->outbound_count; i-- > 0 && media->outbound[i]->line->video;) {
        rt_media_outbound *stream = media->outbound[i];
        if (!rt_sender_queued(stream->sender, which))
            continue;
        rt_time waits = which == RT_SENDER_MEDIA ? rt_sender_queued_since(stream->sender) : 0;
        if (!next || waits < since) {
            next = stream;
            since = waits;
        }
    }
    return next;
}

/* As much of one class as the bucket takes. False: the batch is full. */
static bool send_video(departure *d, rt_sender_class which)
{
    rt_media *media = d->media;
    size_t queued = video_queued(media, which);
    if (queued == 0)
        return true;
    size_t budget = rt_pacer_budget(&media->pacer, queued, media->config.mtu, d->now);
    rt_media_outbound *stream;
    while (budget > 0 && (stream = next_video(media, which))) {
        outcome came = send_packet(d, stream, (kind)which);
        if (came == FULL)
            return false;
        if (came == NOTHING && rt_sender_queued(stream->sender, which))
            break;
        budget -= d->size < budget ? d->size : budget;
    }
    return true;
}

/* ---- probes ---- */

/* Padding needs a video stream with RTX whose packets are fed back: the one that has sent last, since one that is
 * paused has nothing to repeat. */
static rt_media_outbound *find_padded(const rt_media *media)
{
    rt_media_outbound *found = NULL;
    for (uint32_t i = media->outbound_count; i-- > 0 && media->outbound[i]->line->video;) {
        rt_media_outbound *stream = media->outbound[i];
        if (rt_media_sends(stream) && stream->last_sent != RT_NEVER && stream->repair.ssrc &&
            stream->line->send_format.twcc && rt_sender_stamps(stream->sender, RT_SENDER_RETRANSMISSION) &&
            (!found || stream->last_sent > found->last_sent))
            found = stream;
    }
    return found;
}

void rt_media_begin_probe(rt_media *media, rt_time now)
{
    uint64_t rate;
    if (media->probe_left == 0 && find_padded(media))
        media->probe_left = rt_bandwidth_probe(media->bandwidth, &rate, now);
}

static void send_padding(departure *d)
{
    rt_media *media = d->media;
    rt_media_outbound *stream = find_padded(media);
    size_t budget = stream ? rt_pacer_budget(&media->pacer, media->probe_left, media->config.mtu, d->now) : 0;
    while (budget > 0 && media->probe_left > 0) {
        outcome came = send_packet(d, stream, PADDING);
        if (came == FULL)
            return;
        if (came == NOTHING)
            media->probe_left = 0;
        budget -= d->size < budget ? d->size : budget;
    }
    if (!stream)
        media->probe_left = 0;
}

/* ---- ahead of time ---- */

static void prefetch_streams(const rt_media *media, const rt_media_line *line, int step)
{
    for (uint32_t i = 0; i < media->outbound_count; i++) {
        const rt_media_outbound *stream = media->outbound[i];
        if (step == 2) {
            RT_PREFETCH_FROM(stream, rt_media_outbound, media, packetizer);
            RT_PREFETCH_FROM(stream, rt_media_outbound, key_wanted, last_sent);
        } else {
            rt_sender_prefetch(stream->sender, stream->line != line, step - 3);
        }
    }
}

void rt_media_prefetch(const rt_media *media, int section, int step)
{
    bool feedback = section == RT_MEDIA_FEEDBACK;
    if (step == 0) {
        RT_PREFETCH_FROM(media, rt_media, ssrc, stats.packets_sent);
        RT_PREFETCH_FROM(media, rt_media, inbound_count, reporting);
        if (!feedback)
            rt_prefetch(&media->lines[section], sizeof *media->lines);
        return;
    }
    const rt_media_line *line = feedback ? NULL : media->lines[section];
    if (!media->started)
        return;
    if (step == 1) {
        rt_prefetch(media->outbound, media->outbound_count * sizeof *media->outbound);
        rt_twcc_prefetch(media->twcc);
    }
    if (step == 1 && line) {
        RT_PREFETCH_FROM(line, rt_media_line, number, extensions.id);
        RT_PREFETCH_FROM(line, rt_media_line, send_format, outbound_count);
    }
    if (step <= 2)
        rt_bandwidth_prefetch(media->bandwidth, media->transport_sequence, feedback, step - 1);
    if (step <= 3)
        rt_srtp_prefetch(feedback ? media->unprotect : media->protect, step - 1);
    if (step >= 2)
        prefetch_streams(media, line, step);
}

/* ---- the machine ---- */

void rt_media_transmit_rtp(rt_media *media, rt_batch *out, rt_time now)
{
    departure d = {.media = media, .batch = out, .ntp = rt_media_ntp(media, now), .now = now};
    uint32_t before = out->count;
    media->transmitted = now;
    if (media->queued && send_audio(&d) && send_video(&d, RT_SENDER_RETRANSMISSION) && send_video(&d, RT_SENDER_MEDIA))
        media->queued = video_queued(media, RT_SENDER_RETRANSMISSION) || video_queued(media, RT_SENDER_MEDIA);
    if (media->probe_left && !media->queued)
        send_padding(&d);
    if (out->count > before && media->report_at == RT_NEVER)
        rt_media_schedule_report(media, true, now);
}

rt_time rt_media_pacer_deadline(const rt_media *media)
{
    return media->queued || media->probe_left ? rt_pacer_deadline(&media->pacer, media->transmitted) : RT_NEVER;
}
