#include "peer/media_internal.h"

#include <stdlib.h>

/* ---- packets ---- */

void rt_media_mark_ready(rt_media *media, rt_media_inbound *stream)
{
    if (stream->ready)
        return;
    stream->ready = true;
    stream->next_ready = NULL;
    *media->ready_end = stream;
    media->ready_end = &stream->next_ready;
}

/* What congestion control on the other end wants to know, of every authentic packet, known stream or not. */
static void note_arrival(rt_media *media, const rt_rtp *packet, const rt_rtp_values *values, size_t size, rt_time now)
{
    if (RT_RTP_HAS(values, RT_RTP_TRANSPORT_SEQUENCE) && media->wants_twcc) {
        media->twcc_seen = true;
        rt_twcc_arrived(media->twcc, values->transport_sequence, packet->ssrc, size, now);
    } else if (RT_RTP_HAS(values, RT_RTP_ABS_SEND_TIME) && media->wants_remb) {
        if (!media->estimate)
            media->estimate = rt_estimate_new(media->config.min_bitrate, media->config.start_bitrate, 0);
        if (media->estimate)
            rt_estimate_abs_send_time(media->estimate, values->abs_send_time, now, size);
    }
}

static rt_status receive_rtp(rt_media *media, rt_span datagram, rt_time now)
{
    rt_rtp packet;
    rt_rtp_values values;
    rt_status status = rt_rtp_parse(datagram, &packet);
    if (status != RT_OK) {
        media->stats.malformed++;
        return status;
    }
    values.present = 0;
    /* Extensions that break off leave what came before them: enough to route by, and the payload is whole. */
    if (packet.profile && rt_rtp_read_values(&packet, &media->extensions, &values) != RT_OK)
        media->stats.malformed++;
    note_arrival(media, &packet, &values, datagram.size, now);
    bool repair = false;
    rt_media_inbound *stream = rt_media_route_packet(media, &packet, &values, &repair, now);
    if (!stream)
        return RT_NOT_FOUND;
    stream->last = now;
    if (media->report_at == RT_NEVER)
        rt_media_schedule_report(media, true, now);
    if (repair && packet.payload.size == 0)
        return RT_OK; /* padding for probing; without RTX it has sequence numbers that the receiver must know of */
    media->feedback = true;
    rt_media_mark_ready(media, stream);
    return rt_receiver_receive(stream->receiver, &packet, &values, repair, now);
}

/* Why SRTP refused a packet. */
static void count_refused(rt_media *media, rt_status status)
{
    switch (status) {
    case RT_UNAUTHENTICATED: media->stats.unauthenticated++; break;
    case RT_REPLAYED: media->stats.replayed++; break;
    default: media->stats.malformed++; break;
    }
}

rt_status rt_media_receive(rt_media *media, rt_buffer packet, rt_time now)
{
    if (media->closed)
        return RT_CLOSED;
    if (!media->started) {
        media->stats.early++;
        return RT_UNEXPECTED;
    }
    size_t size = packet.size;
    bool rtcp = rt_is_rtcp(rt_buffer_span(packet));
    rt_status status = rtcp ? rt_srtp_unprotect_rtcp(media->unprotect, packet.data, &size)
                            : rt_srtp_unprotect(media->unprotect, packet.data, &size);
    if (status != RT_OK) {
        count_refused(media, status);
        return status;
    }
    rt_span plain = rt_span_of(packet.data, size);
    if (rtcp) {
        media->stats.rtcp_received++;
        return rt_media_receive_rtcp(media, plain, now);
    }
    media->stats.packets_received++;
    return receive_rtp(media, plain, now);
}

/* ---- time ---- */

rt_time rt_media_inbound_deadline(const rt_media *media)
{
    rt_time deadline = RT_NEVER;
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        const rt_media_inbound *stream = media->inbound[i];
        deadline = rt_time_min(deadline, rt_receiver_deadline(stream->receiver));
        if (stream->left != RT_NEVER)
            deadline = rt_time_min(deadline, stream->left);
    }
    return deadline;
}

/* A stream that said good-bye ends when what it had is played, and packets that the BYE overtook are here. */
static bool has_left(rt_media_inbound *stream, rt_time now)
{
    if (stream->left > now)
        return false;
    rt_time latest = stream->last + RT_MEDIA_LEAVE;
    bool played = !stream->ready && rt_receiver_deadline(stream->receiver) == RT_NEVER;
    if (played || latest <= now)
        return true;
    stream->left = rt_time_min(now + RT_MEDIA_STRAGGLERS, latest);
    return false;
}

void rt_media_expire_inbound(rt_media *media, rt_time now)
{
    for (uint32_t i = media->inbound_count; i-- > 0;) {
        rt_media_inbound *stream = media->inbound[i];
        if (rt_receiver_deadline(stream->receiver) <= now) {
            rt_receiver_expire(stream->receiver, now);
            rt_media_mark_ready(media, stream);
            media->feedback = true;
        }
        if (has_left(stream, now))
            rt_media_end_inbound(media, stream);
    }
}

/* ---- frames ---- */

void rt_media_drop_frames(rt_media_line *line)
{
    while (line->held) {
        rt_frame *frame = line->held;
        line->held = frame->next;
        rt_frame_unref(frame);
    }
    line->held_end = &line->held;
    line->held_count = 0;
}

static rt_frame *take_held(rt_media_line *line)
{
    rt_frame *frame = line->held;
    line->held = frame->next;
    if (!line->held)
        line->held_end = &line->held;
    line->held_count--;
    frame->next = NULL;
    return frame;
}

/* The application has enough to do: newer frames push the oldest out. */
static void hold(rt_media *media, rt_media_line *line, rt_frame *frame)
{
    if (line->held_count >= media->config.max_frames) {
        rt_frame_unref(take_held(line));
        line->dropped++;
        media->tell = true;
        if (line->held)
            line->held->flags |= RT_FRAME_DISCONTINUITY; /* nobody else has it yet */
        else
            frame->flags |= RT_FRAME_DISCONTINUITY;
    }
    frame->next = NULL;
    *line->held_end = frame;
    line->held_end = &frame->next;
    line->held_count++;
    media->holding = true;
}

static bool has_room(const rt_media *media, const rt_media_line *line)
{
    return line->waiting < media->config.max_frames;
}

static bool take_from_lines(rt_media *media, rt_media_event *out)
{
    for (uint32_t i = 0; i < media->line_count; i++) {
        rt_media_line *line = media->lines[media->order[i]];
        if (!line->held || !has_room(media, line))
            continue;
        *out = (rt_media_event){.type = RT_MEDIA_EVENT_FRAME, .section = line->number, .frame = take_held(line)};
        return true;
    }
    media->holding = false;
    return false;
}

static bool give(rt_media *media, rt_media_inbound *stream, rt_frame *frame, rt_media_event *out)
{
    rt_media_line *line = stream->line;
    frame->section = line->number;
    frame->encoding = stream->encoding;
    if (line->held || !has_room(media, line)) {
        hold(media, line, frame);
        return false;
    }
    *out = (rt_media_event){.type = RT_MEDIA_EVENT_FRAME, .section = line->number, .frame = frame};
    return true;
}

static void fill_in(rt_media_event *out)
{
    out->encoding = out->frame->encoding;
    out->ssrc = out->frame->ssrc;
    out->count = 1;
}

bool rt_media_frame_next(rt_media *media, rt_media_event *out, rt_time now)
{
    if (media->holding && take_from_lines(media, out)) {
        fill_in(out);
        return true;
    }
    while (media->ready) {
        rt_media_inbound *stream = media->ready;
        rt_frame *frame = rt_receiver_frame(stream->receiver, now);
        if (frame && give(media, stream, frame, out)) {
            fill_in(out);
            return true;
        }
        if (frame)
            continue;
        media->ready = stream->next_ready;
        if (!media->ready)
            media->ready_end = &media->ready;
        stream->ready = false;
    }
    return false;
}

void rt_media_frames_waiting(rt_media *media, uint8_t section, uint32_t waiting)
{
    rt_media_line *line = media->lines[section];
    if (!line)
        return;
    line->waiting = waiting;
    media->holding = media->holding || line->held;
}

rt_status rt_media_request_key_frame(rt_media *media, uint8_t section, uint8_t encoding, rt_time now)
{
    (void)now; /* the receiver asks with the next drain */
    const rt_media_line *line = media->lines[section];
    if (!line)
        return RT_NOT_FOUND;
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        rt_media_inbound *stream = media->inbound[i];
        if (stream->line == line && (encoding == RT_MEDIA_ALL || stream->encoding == encoding))
            rt_receiver_request_key_frame(stream->receiver);
    }
    media->feedback = true;
    return RT_OK;
}
