#include "peer/media_internal.h"

#include <stdlib.h>

/* RFC 9143 section 9.2: the MID that a packet carries decides, and binds its SSRC from then on; else what is known of
 * the SSRC, from earlier packets, from the signaling, from RTCP; else the payload type, where one section alone
 * has it. Within a section the RID (RFC 8852) tells the encoding, the repaired RID whose retransmissions they are. */

rt_media_inbound *rt_media_find_inbound(rt_media *media, uint32_t ssrc)
{
    rt_media_route *route = rt_map_get(&media->routes, ssrc);
    return route && route->role == RT_MEDIA_IN ? rt_media_inbound_of(route) : NULL;
}

rt_media_outbound *rt_media_find_outbound(rt_media *media, uint32_t ssrc)
{
    rt_media_route *route = rt_map_get(&media->routes, ssrc);
    return route && route->role >= RT_MEDIA_OUT ? rt_media_outbound_of(route) : NULL;
}

static rt_media_line *line_of_mid(const rt_media *media, const rt_rtp_text *mid)
{
    for (uint32_t i = 0; i < media->line_count; i++) {
        rt_media_line *line = media->lines[media->order[i]];
        if (rt_media_text_equal(&line->mid, mid))
            return line;
    }
    return NULL;
}

void rt_media_learn(rt_media *media, uint32_t ssrc, rt_span mid)
{
    rt_rtp_text text = {.size = (uint8_t)mid.size};
    if (mid.size == 0 || mid.size > RT_RTP_TEXT_MAX || rt_map_get(&media->routes, ssrc))
        return;
    memcpy(text.data, mid.data, mid.size);
    const rt_media_line *line = line_of_mid(media, &text);
    if (!line)
        return;
    uint8_t place = 0;
    while (place < media->learned_count && media->learned[place].ssrc != ssrc)
        place++;
    if (place == media->learned_count && place < RT_MEDIA_LEARNED) {
        media->learned_count++;
    } else if (place == media->learned_count) {
        place = media->learned_next;
        media->learned_next = (uint8_t)((place + 1) % RT_MEDIA_LEARNED);
    }
    media->learned[place].ssrc = ssrc;
    media->learned[place].line = line->number;
}

static rt_media_line *line_learned(const rt_media *media, uint32_t ssrc)
{
    for (uint8_t i = 0; i < media->learned_count; i++) {
        if (media->learned[i].ssrc == ssrc)
            return media->lines[media->learned[i].line];
    }
    return NULL;
}

/* ---- the end of a stream ---- */

static void forget_ready(rt_media *media, const rt_media_inbound *stream)
{
    for (rt_media_inbound **at = &media->ready; *at; at = &(*at)->next_ready) {
        if (*at != stream)
            continue;
        *at = stream->next_ready;
        if (!*at)
            media->ready_end = at;
        return;
    }
}

void rt_media_end_inbound(rt_media *media, rt_media_inbound *stream)
{
    uint32_t place = 0;
    while (media->inbound[place] != stream)
        place++;
    media->inbound[place] = media->inbound[--media->inbound_count];
    stream->line->stream_count--;
    if (stream->ready)
        forget_ready(media, stream);
    rt_media_event *event = stream->announced ? rt_ring_push(&media->ended) : NULL;
    if (event) /* without memory for it there is no better end than none */
        *event = (rt_media_event){.type = RT_MEDIA_EVENT_ENDED,
                                  .section = stream->line->number,
                                  .encoding = stream->encoding,
                                  .ssrc = stream->media.ssrc};
    if (!stream->announced)
        media->unannounced--;
    rt_media_drop_route(media, &stream->media);
    rt_media_drop_route(media, &stream->repair);
    rt_receiver_free(stream->receiver);
    free(stream);
}

void rt_media_end_inbounds(rt_media *media, const rt_media_line *line)
{
    for (uint32_t i = media->inbound_count; i-- > 0;) {
        if (media->inbound[i]->line == line)
            rt_media_end_inbound(media, media->inbound[i]);
    }
}

/* ---- the beginning of a stream ---- */

/* The stream silent longest makes room, if it was silent long enough. `line` NULL: of the whole transport. */
static bool replace_silent(rt_media *media, const rt_media_line *line, rt_time now)
{
    rt_media_inbound *silent = NULL;
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        rt_media_inbound *stream = media->inbound[i];
        if ((!line || stream->line == line) && (!silent || stream->last < silent->last))
            silent = stream;
    }
    if (!silent || now - silent->last < RT_MEDIA_SILENCE)
        return false;
    rt_media_end_inbound(media, silent);
    return true;
}

static bool make_room(rt_media *media, const rt_media_line *line, rt_time now)
{
    bool room = (line->stream_count < RT_MEDIA_LINE_STREAMS || replace_silent(media, line, now)) &&
                (media->inbound_count < RT_MEDIA_STREAMS || replace_silent(media, NULL, now));
    media->stats.streams_refused += !room;
    return room;
}

/* Each stream costs memory for a moment and the application two events: a sender that goes on changing SSRCs, or moving
 * them between sections, is slowed down. */
static bool may_begin(rt_media *media, rt_time now)
{
    rt_time began = rt_time_max(media->began, now - RT_MEDIA_STREAMS * RT_MEDIA_BEGIN_EVERY) + RT_MEDIA_BEGIN_EVERY;
    if (began > now) {
        media->stats.streams_refused++;
        return false;
    }
    media->began = began;
    return true;
}

static int find_rid(const rt_media_line *line, const rt_rtp_text *rid)
{
    for (uint8_t i = 0; i < line->rid_count; i++) {
        if (rt_media_text_equal(&line->rids[i], rid))
            return i;
    }
    return -1;
}

/* Which encoding of a section that has RIDs; -1: this packet does not tell. */
static int find_encoding(const rt_media_line *line, const rt_rtp_values *values, const rt_media_told *told)
{
    if (line->rid_count == 0)
        return 0;
    if (RT_RTP_HAS(values, RT_RTP_RID))
        return find_rid(line, &values->rid);
    if (told && told->place < line->rid_count)
        return told->place;
    return line->rid_count == 1 ? 0 : -1;
}

static rt_media_inbound *find_by_encoding(const rt_media *media, const rt_media_line *line, int encoding)
{
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        rt_media_inbound *stream = media->inbound[i];
        if (stream->line == line && stream->encoding == encoding)
            return stream;
    }
    return NULL;
}

static rt_receiver *make_receiver(const rt_media_line *line, uint32_t ssrc)
{
    rt_receiver_config config;
    rt_receiver_config_default(&config);
    config.ssrc = ssrc;
    config.formats = line->receiver_formats;
    config.format_count = line->format_count;
    config.video = line->video;
    config.min_delay = line->min_delay;
    config.max_delay = line->max_delay;
    config.passthrough = line->passthrough;
    return rt_receiver_new(&config);
}

static rt_media_inbound *add_inbound(rt_media *media, rt_media_line *line, uint32_t ssrc, uint8_t encoding, rt_time now)
{
    rt_media_inbound *stream = calloc(1, sizeof *stream);
    rt_receiver *receiver = make_receiver(line, ssrc);
    if (!stream || !receiver || rt_media_put_route(media, &stream->media, ssrc, RT_MEDIA_IN) != RT_OK) {
        free(stream);
        rt_receiver_free(receiver);
        return NULL;
    }
    stream->line = line;
    stream->receiver = receiver;
    stream->encoding = encoding;
    stream->last = now;
    stream->left = RT_NEVER;
    if (encoding < line->rid_count)
        stream->rid = line->rids[encoding];
    if (media->round_trip)
        rt_receiver_set_round_trip(receiver, media->round_trip);
    line->stream_count++;
    media->inbound[media->inbound_count++] = stream;
    media->unannounced++;
    return stream;
}

static rt_media_inbound *begin_stream(rt_media *media, rt_media_line *line, uint32_t ssrc, const rt_rtp_values *values,
                                      const rt_media_told *told, rt_time now)
{
    int encoding = find_encoding(line, values, told);
    if (encoding < 0) {
        media->stats.unknown_ssrc++;
        return NULL;
    }
    if (!may_begin(media, now))
        return NULL;
    rt_media_inbound *before = line->rid_count ? find_by_encoding(media, line, encoding) : NULL;
    if (before) /* the sender has changed its SSRC */
        rt_media_end_inbound(media, before);
    if (!make_room(media, line, now))
        return NULL;
    rt_media_inbound *stream = add_inbound(media, line, ssrc, (uint8_t)encoding, now);
    if (!stream) {
        media->stats.streams_refused++;
        return NULL;
    }
    stream->signalled = told != NULL;
    if (told && told->source.rtx_ssrc)
        (void)rt_media_put_route(media, &stream->repair, told->source.rtx_ssrc, RT_MEDIA_IN_REPAIR);
    return stream;
}

/* Whose retransmissions: told by a=ssrc-group:FID, by the repaired RID, or there is one stream only. */
static rt_media_inbound *bind_repair(rt_media *media, rt_media_line *line, uint32_t ssrc, const rt_rtp_values *values,
                                     const rt_media_told *told)
{
    rt_media_inbound *stream = NULL;
    if (told) {
        stream = rt_media_find_inbound(media, told->source.ssrc);
    } else if (RT_RTP_HAS(values, RT_RTP_REPAIRED_RID)) {
        int encoding = find_rid(line, &values->repaired_rid);
        stream = encoding < 0 ? NULL : find_by_encoding(media, line, encoding);
    } else if (line->stream_count == 1) {
        stream = find_by_encoding(media, line, 0);
    }
    if (!stream || stream->line != line) {
        media->stats.unknown_ssrc++;
        return NULL;
    }
    rt_media_drop_route(media, &stream->repair);
    if (rt_media_put_route(media, &stream->repair, ssrc, RT_MEDIA_IN_REPAIR) != RT_OK)
        return NULL;
    return stream;
}

/* ---- a packet ---- */

/* A known stream's packet must be of its section's payload types, media or repair as the stream is. */
static rt_media_inbound *check_type(rt_media *media, rt_media_inbound *stream, bool repairs, rt_rtp *packet)
{
    uint8_t place = stream->line->by_type[packet->payload_type];
    if (place == 0 || ((place & RT_MEDIA_REPAIRS) != 0) != repairs) {
        media->stats.unknown_payload_type++;
        return NULL;
    }
    if (stream->left != RT_NEVER) {
        media->stats.unwanted++;
        return NULL;
    }
    if (!repairs) {
        stream->payload_type = packet->payload_type;
        return stream;
    }
    if (packet->payload.size == 0)
        return stream; /* nothing but padding, which probes the path: not even a number in front */
    uint8_t type = stream->line->formats[(place & ~RT_MEDIA_REPAIRS) - 1].payload_type;
    if (rt_rtx_unwrap(packet, stream->media.ssrc, type) != RT_OK) {
        media->stats.malformed++;
        return NULL;
    }
    return stream;
}

static rt_media_line *find_line(rt_media *media, const rt_rtp *packet, rt_media_line *by_mid, const rt_media_told *told)
{
    if (by_mid)
        return by_mid;
    if (told)
        return told->line;
    rt_media_line *learned = line_learned(media, packet->ssrc);
    if (learned)
        return learned;
    int number = media->by_type[packet->payload_type];
    if (number >= 0)
        return media->lines[number];
    if (number == RT_MEDIA_TYPE_UNKNOWN)
        media->stats.unknown_payload_type++;
    else
        media->stats.unknown_ssrc++;
    return NULL;
}

static rt_media_inbound *route_new(rt_media *media, rt_rtp *packet, const rt_rtp_values *values, rt_media_line *by_mid,
                                   bool *repair, rt_time now)
{
    const rt_media_told *told = rt_map_get(&media->sources, packet->ssrc);
    rt_media_line *line = find_line(media, packet, by_mid, told);
    if (!line)
        return NULL;
    if (told && told->line != line)
        told = NULL; /* the packet's own MID knows better */
    if (!line->receive) {
        media->stats.unwanted++;
        return NULL;
    }
    uint8_t place = line->by_type[packet->payload_type];
    if (place == 0) {
        media->stats.unknown_payload_type++;
        return NULL;
    }
    *repair = (place & RT_MEDIA_REPAIRS) != 0;
    rt_media_inbound *stream = *repair ? bind_repair(media, line, packet->ssrc, values, told)
                                       : begin_stream(media, line, packet->ssrc, values, told, now);
    return stream ? check_type(media, stream, *repair, packet) : NULL;
}

rt_media_inbound *rt_media_route_packet(rt_media *media, rt_rtp *packet, const rt_rtp_values *values, bool *repair,
                                        rt_time now)
{
    rt_media_line *by_mid = NULL;
    if (packet->ssrc == 0) { /* stands for none */
        media->stats.unknown_ssrc++;
        return NULL;
    }
    rt_media_route *route = rt_map_get(&media->routes, packet->ssrc);
    if (route && route->role >= RT_MEDIA_OUT) { /* RFC 3550 section 8.2: a loop, or a stranger with our number */
        media->stats.collisions++;
        return NULL;
    }
    rt_media_inbound *stream = route ? rt_media_inbound_of(route) : NULL;
    if (RT_RTP_HAS(values, RT_RTP_MID) && !(stream && rt_media_text_equal(&stream->line->mid, &values->mid))) {
        by_mid = line_of_mid(media, &values->mid);
        if (!by_mid) {
            media->stats.unknown_ssrc++;
            return NULL;
        }
        if (stream) { /* the SSRC has moved to another section */
            if (route->role == RT_MEDIA_IN)
                rt_media_end_inbound(media, stream);
            else
                rt_media_drop_route(media, route);
            stream = NULL;
        }
    }
    if (!stream)
        return route_new(media, packet, values, by_mid, repair, now);
    *repair = route->role == RT_MEDIA_IN_REPAIR;
    return check_type(media, stream, *repair, packet);
}
