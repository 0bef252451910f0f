#include "peer/media_internal.h"

#include <assert.h>
#include <stdlib.h>

/* ---- routes ---- */

rt_status rt_media_put_route(rt_media *media, rt_media_route *route, uint32_t ssrc, rt_media_role role)
{
    if (rt_map_get(&media->routes, ssrc))
        return RT_EXISTS;
    rt_status status = rt_map_put(&media->routes, ssrc, route);
    if (status == RT_OK)
        *route = (rt_media_route){.ssrc = ssrc, .role = role};
    return status;
}

void rt_media_drop_route(rt_media *media, rt_media_route *route)
{
    if (route->ssrc == 0)
        return;
    (void)rt_map_remove(&media->routes, route->ssrc);
    route->ssrc = 0;
}

/* ---- what is allowed ---- */

/* RFC 5761 section 4: what would look like RTCP is no payload type of RTP. */
static bool is_payload_type(uint8_t type)
{
    return type < 128 && (type < 64 || type > 95);
}

static bool is_format(const rt_media_format *format, bool video)
{
    return is_payload_type(format->payload_type) && format->payload.clock_rate > 0 &&
           (format->rtx_payload_type == RT_MEDIA_NO_FORMAT || is_payload_type(format->rtx_payload_type)) &&
           format->payload.codec > RT_CODEC_NONE && format->payload.codec < RT_CODECS &&
           rt_codec_is_video(format->payload.codec) == video;
}

static rt_status check_formats(const rt_media_section *config)
{
    bool taken[128] = {false};
    if (config->format_count > RT_MEDIA_FORMATS)
        return RT_INVALID;
    for (size_t i = 0; i < config->format_count; i++) {
        const rt_media_format *format = &config->formats[i];
        if (!is_format(format, config->video) || taken[format->payload_type])
            return RT_INVALID;
        taken[format->payload_type] = true;
    }
    for (size_t i = 0; i < config->format_count; i++) {
        uint8_t type = config->formats[i].rtx_payload_type;
        if (type != RT_MEDIA_NO_FORMAT && taken[type])
            return RT_INVALID;
    }
    if (config->send_format.payload.codec != RT_CODEC_NONE &&
        (!is_format(&config->send_format, config->video) || !rt_payload_can_send(&config->send_format.payload)))
        return RT_INVALID;
    return RT_OK;
}

static rt_status check_numbers(const rt_media_section *config)
{
    if (config->mid.size > RT_RTP_TEXT_MAX || config->source_count > RT_MEDIA_SOURCES ||
        config->rid_count > RT_MEDIA_ENCODINGS || config->encoding_count > RT_MEDIA_ENCODINGS ||
        config->min_delay < 0 || config->max_delay < config->min_delay)
        return RT_INVALID;
    for (size_t i = 0; i < config->rid_count; i++) {
        if (config->rids[i].size == 0 || config->rids[i].size > RT_RTP_TEXT_MAX)
            return RT_INVALID;
    }
    for (size_t i = 0; i < config->encoding_count; i++) {
        const rt_media_encoding *encoding = &config->encodings[i];
        if (encoding->ssrc == 0 || encoding->ssrc == encoding->rtx_ssrc || encoding->rid.size > RT_RTP_TEXT_MAX)
            return RT_INVALID;
        for (size_t k = 0; k < i; k++) {
            const rt_media_encoding *other = &config->encodings[k];
            if (other->ssrc == encoding->ssrc || other->rtx_ssrc == encoding->ssrc ||
                (encoding->rtx_ssrc && (other->ssrc == encoding->rtx_ssrc || other->rtx_ssrc == encoding->rtx_ssrc)))
                return RT_EXISTS;
        }
    }
    return RT_OK;
}

static const rt_media_line *line_of_route(rt_media_route *route)
{
    return route->role <= RT_MEDIA_IN_REPAIR ? rt_media_inbound_of(route)->line : rt_media_outbound_of(route)->line;
}

/* Ours must not be anybody else's. One that the other end happens to send with is its business to change: RFC 3550
 * section 8.2 has the collision resolved by who learns of it. */
static bool is_free(const rt_media *media, const rt_media_line *line, uint32_t ssrc)
{
    rt_media_route *route = rt_map_get(&media->routes, ssrc);
    rt_media_told *told = rt_map_get(&media->sources, ssrc);
    return ssrc == 0 ||
           ((!route || (line_of_route(route) == line && route->role >= RT_MEDIA_OUT)) && (!told || told->line == line));
}

static rt_status check_others(const rt_media *media, uint8_t section, const rt_media_section *config)
{
    const rt_media_line *line = media->lines[section];
    for (uint32_t i = 0; i < media->line_count; i++) {
        const rt_media_line *other = media->lines[media->order[i]];
        if (other != line && config->mid.size && rt_media_text_equal(&other->mid, &config->mid))
            return RT_EXISTS;
    }
    for (size_t i = 0; i < config->encoding_count; i++) {
        if (!is_free(media, line, config->encodings[i].ssrc) || !is_free(media, line, config->encodings[i].rtx_ssrc))
            return RT_EXISTS;
    }
    for (size_t i = 0; i < config->source_count; i++) {
        const rt_media_told *told = rt_map_get(&media->sources, config->sources[i].ssrc);
        const rt_media_told *repair = rt_map_get(&media->sources, config->sources[i].rtx_ssrc);
        if ((told && told->line != line) || (repair && config->sources[i].rtx_ssrc && repair->line != line))
            return RT_EXISTS;
    }
    return RT_OK;
}

/* ---- receiving ---- */

static bool same_formats(const rt_media_line *line, const rt_media_section *config)
{
    if (line->format_count != config->format_count)
        return false;
    for (size_t i = 0; i < config->format_count; i++) {
        const rt_media_format *a = &line->formats[i], *b = &config->formats[i];
        if (a->payload_type != b->payload_type || a->rtx_payload_type != b->rtx_payload_type || a->nack != b->nack ||
            a->pli != b->pli || a->fir != b->fir || a->twcc != b->twcc || a->remb != b->remb ||
            a->payload.codec != b->payload.codec || a->payload.clock_rate != b->payload.clock_rate ||
            a->payload.channels != b->payload.channels || a->payload.h264_mode != b->payload.h264_mode)
            return false;
    }
    return true;
}

static void index_formats(rt_media_line *line)
{
    memset(line->by_type, 0, sizeof line->by_type);
    for (size_t i = 0; i < line->format_count; i++) {
        const rt_media_format *format = &line->formats[i];
        line->by_type[format->payload_type] = (uint8_t)(i + 1);
        if (format->rtx_payload_type != RT_MEDIA_NO_FORMAT)
            line->by_type[format->rtx_payload_type] = (uint8_t)((i + 1) | RT_MEDIA_REPAIRS);
    }
}

static rt_status set_formats(rt_media *media, rt_media_line *line, const rt_media_section *config)
{
    if (same_formats(line, config))
        return RT_OK;
    rt_media_format *formats = calloc(config->format_count + 1, sizeof *formats);
    rt_receiver_format *receiver_formats = calloc(config->format_count + 1, sizeof *receiver_formats);
    if (!formats || !receiver_formats) {
        free(formats);
        free(receiver_formats);
        return RT_NO_MEMORY;
    }
    for (size_t i = 0; i < config->format_count; i++) {
        const rt_media_format *format = &config->formats[i];
        formats[i] = *format;
        receiver_formats[i] = (rt_receiver_format){.payload_type = format->payload_type,
                                                   .nack = format->nack,
                                                   .pli = format->pli,
                                                   .fir = format->fir,
                                                   .payload = format->payload};
    }
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        rt_media_inbound *stream = media->inbound[i];
        if (stream->line == line)
            rt_receiver_set_formats(stream->receiver, receiver_formats, config->format_count);
    }
    free(line->formats);
    free(line->receiver_formats);
    line->formats = formats;
    line->receiver_formats = receiver_formats;
    line->format_count = config->format_count;
    index_formats(line);
    return RT_OK;
}

static void drop_sources(rt_media *media, rt_media_line *line)
{
    for (size_t i = 0; i < line->source_count; i++) {
        (void)rt_map_remove(&media->sources, line->sources[i].source.ssrc);
        if (line->sources[i].source.rtx_ssrc)
            (void)rt_map_remove(&media->sources, line->sources[i].source.rtx_ssrc);
    }
    line->source_count = 0;
}

/* Streams of a source that is told no more have ended; those found by MID and RID do not depend on sources. */
static void end_untold(rt_media *media, const rt_media_line *line)
{
    for (uint32_t i = media->inbound_count; i-- > 0;) {
        rt_media_inbound *stream = media->inbound[i];
        if (stream->line == line && stream->signalled && !rt_map_get(&media->sources, stream->media.ssrc))
            rt_media_end_inbound(media, stream);
    }
}

static rt_status set_sources(rt_media *media, rt_media_line *line, const rt_media_section *config)
{
    rt_media_told *sources = calloc(config->source_count + 1, sizeof *sources);
    if (!sources || rt_map_reserve(&media->sources, media->sources.count + 2 * config->source_count) != RT_OK) {
        free(sources);
        return RT_NO_MEMORY;
    }
    drop_sources(media, line);
    free(line->sources);
    line->sources = sources;
    line->source_count = config->source_count;
    for (size_t i = 0; i < config->source_count; i++) {
        sources[i] = (rt_media_told){.line = line, .source = config->sources[i], .place = (uint8_t)i};
        (void)rt_map_put(&media->sources, sources[i].source.ssrc, &sources[i]);
        if (sources[i].source.rtx_ssrc)
            (void)rt_map_put(&media->sources, sources[i].source.rtx_ssrc, &sources[i]);
    }
    end_untold(media, line);
    return RT_OK;
}

static bool same_rids(const rt_media_line *line, const rt_media_section *config)
{
    if (line->rid_count != config->rid_count)
        return false;
    for (size_t i = 0; i < config->rid_count; i++) {
        if (!rt_media_text_equal(&line->rids[i], &config->rids[i]))
            return false;
    }
    return true;
}

static void set_rids(rt_media *media, rt_media_line *line, const rt_media_section *config)
{
    if (same_rids(line, config))
        return;
    rt_media_end_inbounds(media, line); /* their places in the list mean something else now */
    for (size_t i = 0; i < config->rid_count; i++)
        line->rids[i] = config->rids[i];
    line->rid_count = (uint8_t)config->rid_count;
}

static rt_status set_receiving(rt_media *media, rt_media_line *line, const rt_media_section *config)
{
    rt_status status = set_formats(media, line, config);
    if (status == RT_OK)
        status = set_sources(media, line, config);
    if (status != RT_OK)
        return status;
    set_rids(media, line, config);
    line->receive = config->receive;
    line->passthrough = config->passthrough;
    if (!line->receive)
        rt_media_end_inbounds(media, line);
    return rt_media_set_delay(media, line->number, config->min_delay, config->max_delay);
}

rt_status rt_media_set_delay(rt_media *media, uint8_t section, rt_time min_delay, rt_time max_delay)
{
    rt_media_line *line = media->lines[section];
    if (!line)
        return RT_NOT_FOUND;
    if (min_delay < 0 || max_delay < min_delay)
        return RT_INVALID;
    line->min_delay = min_delay;
    line->max_delay = max_delay;
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        if (media->inbound[i]->line == line)
            rt_receiver_set_delay(media->inbound[i]->receiver, min_delay, max_delay);
    }
    return RT_OK;
}

/* ---- sending ---- */

static void free_outbound(rt_media *media, rt_media_outbound *stream)
{
    rt_media_drop_route(media, &stream->media);
    rt_media_drop_route(media, &stream->repair);
    rt_sender_free(stream->sender);
    rt_packetizer_free(stream->packetizer);
    free(stream);
}

static void remove_outbound(rt_media *media, rt_media_line *line, uint8_t place)
{
    rt_media_outbound *stream = line->outbound[place];
    if (stream->last_sent != RT_NEVER)
        rt_media_say_bye(media, stream->media.ssrc);
    for (uint32_t i = 0; i < media->outbound_count; i++) {
        if (media->outbound[i] != stream)
            continue;
        media->outbound_count--;
        memmove(&media->outbound[i], &media->outbound[i + 1], (media->outbound_count - i) * sizeof media->outbound[0]);
        break;
    }
    line->outbound_count--;
    memmove(&line->outbound[place], &line->outbound[place + 1],
            (size_t)(line->outbound_count - place) * sizeof line->outbound[0]);
    free_outbound(media, stream);
}

/* Audio stands first: it is sent first. */
static rt_status list_outbound(rt_media *media, rt_media_outbound *stream)
{
    if (media->outbound_count == media->outbound_capacity) {
        uint32_t capacity = media->outbound_capacity ? 2 * media->outbound_capacity : 4;
        rt_media_outbound **grown = realloc(media->outbound, capacity * sizeof *grown);
        if (!grown)
            return RT_NO_MEMORY;
        media->outbound = grown;
        media->outbound_capacity = capacity;
    }
    uint32_t place = stream->line->video ? media->outbound_count : 0;
    memmove(&media->outbound[place + 1], &media->outbound[place],
            (media->outbound_count - place) * sizeof media->outbound[0]);
    media->outbound[place] = stream;
    media->outbound_count++;
    return RT_OK;
}

/* RTX comes and goes with what is negotiated; the stream goes on, for its numbers must not begin anew under its keys. */
static uint32_t repair_of(const rt_media_line *line, const rt_media_encoding *encoding)
{
    return line->send_format.rtx_payload_type == RT_MEDIA_NO_FORMAT ? 0 : encoding->rtx_ssrc;
}

static rt_sender *make_sender(rt_media *media, const rt_media_line *line, const rt_media_encoding *encoding)
{
    const rt_media_format *format = &line->send_format;
    rt_sender_config config;
    rt_sender_config_default(&config);
    config.random = media->config.random;
    config.ssrc = encoding->ssrc;
    config.rtx_ssrc = repair_of(line, encoding);
    config.payload_type = format->payload_type;
    config.rtx_payload_type = format->rtx_payload_type;
    config.clock_rate = format->payload.clock_rate;
    config.video = line->video;
    config.extensions = &line->extensions;
    config.mid = line->mid;
    config.rid = encoding->rid;
    return rt_sender_new(&config);
}

static rt_status add_outbound(rt_media *media, rt_media_line *line, const rt_media_encoding *encoding)
{
    rt_media_outbound *stream = calloc(1, sizeof *stream);
    if (!stream)
        return RT_NO_MEMORY;
    stream->line = line;
    stream->rid = encoding->rid;
    stream->last_sent = RT_NEVER;
    stream->key_told = -RT_MEDIA_KEY_CALM;
    stream->key_pause = RT_MEDIA_KEY_INTERVAL;
    stream->fir_sequence = -1;
    stream->told = RT_MEDIA_UNTOLD;
    stream->sender = make_sender(media, line, encoding);
    stream->packetizer = rt_packetizer_new(&line->send_format.payload, media->config.random);
    rt_status status = stream->sender && stream->packetizer ? RT_OK : RT_NO_MEMORY;
    if (status == RT_OK)
        status = rt_media_put_route(media, &stream->media, encoding->ssrc, RT_MEDIA_OUT);
    if (status == RT_OK && encoding->rtx_ssrc)
        status = rt_media_put_route(media, &stream->repair, encoding->rtx_ssrc, RT_MEDIA_OUT_REPAIR);
    if (status == RT_OK)
        status = list_outbound(media, stream);
    if (status != RT_OK) {
        free_outbound(media, stream);
        return status;
    }
    line->outbound[line->outbound_count++] = stream;
    return RT_OK;
}

static const rt_media_encoding *find_wanted(const rt_media_outbound *stream, const rt_media_section *config)
{
    for (size_t i = 0; i < config->encoding_count; i++) {
        if (config->encodings[i].ssrc == stream->media.ssrc)
            return &config->encodings[i];
    }
    return NULL;
}

static rt_status set_repair(rt_media *media, const rt_media_line *line, rt_media_outbound *stream,
                            const rt_media_encoding *encoding)
{
    rt_status status = RT_OK;
    if (stream->repair.ssrc != encoding->rtx_ssrc)
        status = rt_media_put_route(media, &stream->repair, encoding->rtx_ssrc, RT_MEDIA_OUT_REPAIR);
    if (status == RT_OK)
        rt_sender_set_repair(stream->sender, repair_of(line, encoding));
    return status;
}

static bool same_payload(const rt_payload_format *a, const rt_payload_format *b)
{
    return a->codec == b->codec && a->clock_rate == b->clock_rate && a->channels == b->channels &&
           a->h264_mode == b->h264_mode && a->ptime == b->ptime;
}

static rt_status set_send_format(rt_media *media, rt_media_line *line, const rt_media_format *format)
{
    rt_media_format before = line->send_format;
    if (format->payload.codec == RT_CODEC_NONE) {
        line->send_format = *format;
        return RT_OK;
    }
    for (uint8_t i = 0; i < line->outbound_count; i++) {
        rt_media_outbound *stream = line->outbound[i];
        if (!same_payload(&before.payload, &format->payload)) {
            rt_packetizer *packetizer = rt_packetizer_new(&format->payload, media->config.random);
            if (!packetizer)
                return RT_NO_MEMORY;
            rt_packetizer_free(stream->packetizer);
            stream->packetizer = packetizer;
        }
        rt_sender_set_format(stream->sender, format->payload_type, format->rtx_payload_type,
                             format->payload.clock_rate);
    }
    line->send_format = *format;
    return RT_OK;
}

/* The streams in the order of the section's encodings, those that go on with their state. */
static rt_status set_encodings(rt_media *media, rt_media_line *line, const rt_media_section *config)
{
    /* What there is stays, silent, and there is nothing to make streams of. A stream that was made anew for its SSRC
     * would number its packets anew: nonces used twice, and a roll-over count that the other end does not guess. */
    if (line->send_format.payload.codec == RT_CODEC_NONE)
        return RT_OK;
    for (uint8_t i = line->outbound_count; i-- > 0;) {
        const rt_media_encoding *wanted = find_wanted(line->outbound[i], config);
        if (!wanted)
            remove_outbound(media, line, i);
        else if (wanted->rtx_ssrc != line->outbound[i]->repair.ssrc)
            rt_media_drop_route(media, &line->outbound[i]->repair);
    }
    for (size_t i = 0; i < config->encoding_count; i++) {
        uint8_t place = 0;
        while (place < line->outbound_count && line->outbound[place]->media.ssrc != config->encodings[i].ssrc)
            place++;
        if (place == line->outbound_count) {
            rt_status status = add_outbound(media, line, &config->encodings[i]);
            if (status != RT_OK)
                return status;
        }
        rt_media_outbound *stream = line->outbound[place];
        rt_status status = set_repair(media, line, stream, &config->encodings[i]);
        if (status != RT_OK)
            return status;
        line->outbound[place] = line->outbound[i];
        line->outbound[i] = stream;
        stream->encoding = (uint8_t)i;
        stream->active = config->encodings[i].active;
        stream->max_bitrate = config->encodings[i].max_bitrate;
    }
    return RT_OK;
}

static rt_status set_sending(rt_media *media, rt_media_line *line, const rt_media_section *config)
{
    rt_status status = set_send_format(media, line, &config->send_format);
    if (status == RT_OK)
        status = set_encodings(media, line, config);
    if (status != RT_OK)
        return status;
    bool began = config->send && !line->send;
    line->send = config->send;
    for (uint8_t i = 0; i < line->outbound_count; i++) {
        rt_sender_set_active(line->outbound[i]->sender, rt_media_sends(line->outbound[i]));
        if (began)
            rt_media_want_key_frame(media, line->outbound[i]);
    }
    return RT_OK;
}

rt_status rt_media_set_encoding(rt_media *media, uint8_t section, uint8_t encoding, bool active, uint64_t max_bitrate,
                                rt_time now)
{
    rt_media_line *line = media->lines[section];
    if (!line || encoding >= line->outbound_count)
        return RT_NOT_FOUND;
    rt_media_outbound *stream = line->outbound[encoding];
    bool began = active && !stream->active;
    stream->active = active;
    stream->max_bitrate = max_bitrate;
    rt_sender_set_active(stream->sender, rt_media_sends(stream));
    if (began)
        rt_media_want_key_frame(media, stream);
    rt_media_distribute(media, now);
    return RT_OK;
}

/* ---- lines ---- */

static void free_line(rt_media *media, rt_media_line *line)
{
    rt_media_drop_frames(line);
    drop_sources(media, line);
    free(line->formats);
    free(line->receiver_formats);
    free(line->sources);
    free(line);
}

static rt_media_line *add_line(rt_media *media, uint8_t section, const rt_media_section *config)
{
    rt_media_line *line = calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->number = section;
    line->mid = config->mid;
    line->video = config->video;
    line->held_end = &line->held;
    media->lines[section] = line;
    media->order[media->line_count++] = section;
    return line;
}

/* What holds for the transport as a whole, from all its lines. A payload type routes a packet where only one section
 * knows it (RFC 9143 section 9.2). */
static void summarize(rt_media *media)
{
    while (rt_map_get(&media->routes, media->ssrc))
        media->ssrc = rt_random32(media->config.random) | 1;
    media->video = false;
    media->reduced_size = media->line_count > 0;
    media->wants_twcc = media->wants_remb = false;
    media->extensions = (rt_rtp_extension_map){0};
    for (size_t type = 0; type < 128; type++)
        media->by_type[type] = RT_MEDIA_TYPE_UNKNOWN;
    for (uint32_t i = 0; i < media->line_count; i++) {
        const rt_media_line *line = media->lines[media->order[i]];
        media->video = media->video || (line->video && (line->send || line->receive));
        media->reduced_size = media->reduced_size && line->reduced_size;
        for (int kind = 0; kind < RT_RTP_EXTENSIONS; kind++) {
            uint8_t id = line->extensions.id[kind];
            if (id && !media->extensions.id[kind]) /* where sections differ, the first has its way */
                (void)rt_rtp_extension_map_set(&media->extensions, (rt_rtp_extension)kind, id);
        }
        for (size_t k = 0; line->receive && k < line->format_count; k++) {
            media->wants_twcc = media->wants_twcc || line->formats[k].twcc;
            media->wants_remb = media->wants_remb || line->formats[k].remb;
        }
        for (size_t type = 0; line->receive && type < 128; type++) {
            if (line->by_type[type])
                media->by_type[type] =
                    media->by_type[type] == RT_MEDIA_TYPE_UNKNOWN ? line->number : RT_MEDIA_TYPE_SHARED;
        }
    }
}

rt_status rt_media_set_section(rt_media *media, uint8_t section, const rt_media_section *config, rt_time now)
{
    if (media->closed)
        return RT_CLOSED;
    rt_status status = check_formats(config);
    if (status == RT_OK)
        status = check_numbers(config);
    if (status == RT_OK)
        status = check_others(media, section, config);
    if (status != RT_OK)
        return status;
    rt_media_line *line = media->lines[section];
    if (line && (line->video != config->video || !rt_media_text_equal(&line->mid, &config->mid))) {
        rt_media_remove_section(media, section, now); /* recycled: nothing of it goes on */
        line = NULL;
    }
    if (!line)
        line = add_line(media, section, config);
    if (!line)
        return RT_NO_MEMORY;
    line->extensions = config->extensions;
    line->reduced_size = config->reduced_size;
    status = set_receiving(media, line, config);
    if (status == RT_OK)
        status = set_sending(media, line, config);
    summarize(media);
    rt_media_distribute(media, now);
    return status;
}

void rt_media_remove_section(rt_media *media, uint8_t section, rt_time now)
{
    rt_media_line *line = media->lines[section];
    if (!line)
        return;
    rt_media_end_inbounds(media, line);
    while (line->outbound_count)
        remove_outbound(media, line, (uint8_t)(line->outbound_count - 1));
    uint32_t place = 0;
    while (media->order[place] != section)
        place++;
    media->line_count--;
    memmove(&media->order[place], &media->order[place + 1], media->line_count - place);
    media->lines[section] = NULL;
    free_line(media, line);
    summarize(media);
    rt_media_distribute(media, now);
}

void rt_media_free_lines(rt_media *media)
{
    while (media->inbound_count) {
        rt_media_end_inbound(media, media->inbound[media->inbound_count - 1]);
        rt_ring_clear(&media->ended);
    }
    for (uint32_t i = 0; i < media->outbound_count; i++)
        free_outbound(media, media->outbound[i]);
    for (uint32_t i = 0; i < media->line_count; i++)
        free_line(media, media->lines[media->order[i]]);
}
