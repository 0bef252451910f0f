#include "peer/media_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crypto.h"

void rt_media_config_default(rt_media_config *config)
{
    *config = (rt_media_config){.mtu = 1200, .max_frames = 256};
}

static rt_status make_machines(rt_media *media, rt_time now)
{
    rt_bandwidth_config bandwidth;
    rt_bandwidth_config_default(&bandwidth);
    const rt_media_config *config = &media->config;
    bandwidth.min = config->min_bitrate ? config->min_bitrate : bandwidth.min;
    bandwidth.start = config->start_bitrate ? config->start_bitrate : bandwidth.start;
    bandwidth.max = config->max_bitrate ? config->max_bitrate : bandwidth.max;
    media->bandwidth = rt_bandwidth_new(&bandwidth, now);
    media->twcc = rt_twcc_new();
    if (!media->bandwidth || !media->twcc)
        return RT_NO_MEMORY;
    rt_pacer_init(&media->pacer, rt_bandwidth_pacing_rate(media->bandwidth), now);
    return RT_OK;
}

rt_media *rt_media_new(const rt_media_config *config, rt_time now)
{
    assert(config->random);
    if (!config->srtp || config->mtu < RT_MEDIA_MTU_MIN)
        return NULL;
    rt_media *media = calloc(1, sizeof *media);
    if (!media)
        return NULL;
    media->config = *config;
    media->config.cname[RT_MEDIA_CNAME_MAX - 1] = 0;
    media->ssrc = rt_random32(config->random) | 1; /* 0 stands for none */
    media->transport_sequence = (uint16_t)rt_random32(config->random);
    media->report_at = RT_NEVER;
    media->began = now - RT_MEDIA_STREAMS * RT_MEDIA_BEGIN_EVERY;
    media->ready_end = &media->ready;
    for (size_t i = 0; i < sizeof media->by_type / sizeof *media->by_type; i++)
        media->by_type[i] = RT_MEDIA_TYPE_UNKNOWN;
    rt_map_init(&media->routes, rt_random64(config->random));
    rt_map_init(&media->sources, rt_random64(config->random));
    rt_ring_init(&media->ended, sizeof(rt_media_event), RT_MEDIA_STREAMS);
    if (make_machines(media, now) != RT_OK) {
        rt_media_free(media);
        return NULL;
    }
    return media;
}

void rt_media_free(rt_media *media)
{
    if (!media)
        return;
    rt_media_free_lines(media);
    rt_map_free(&media->routes);
    rt_map_free(&media->sources);
    rt_ring_free(&media->ended);
    rt_bandwidth_free(media->bandwidth);
    rt_twcc_free(media->twcc);
    rt_estimate_free(media->estimate);
    rt_srtp_free(media->protect);
    rt_srtp_free(media->unprotect);
    free(media->outbound);
    free(media);
}

static rt_status make_session(rt_media *media, rt_srtp_profile profile, rt_span material, bool client, bool outbound,
                              rt_srtp **out)
{
    uint8_t keys[RT_SRTP_KEYS_MAX];
    rt_srtp_config config;
    rt_srtp_config_default(&config);
    config.library = media->config.srtp;
    config.profile = profile;
    config.keys = rt_span_of(keys, rt_srtp_split(profile, material, client, keys));
    config.outbound = outbound;
    rt_status status = rt_srtp_new(&config, out);
    rt_wipe(keys, sizeof keys);
    return status;
}

rt_status rt_media_start(rt_media *media, rt_srtp_profile profile, rt_span material, bool client, rt_time now)
{
    if (media->closed)
        return RT_CLOSED;
    if (media->started)
        return RT_EXISTS;
    size_t size = rt_srtp_material_size(profile);
    if (size == 0)
        return RT_UNSUPPORTED;
    if (material.size != size)
        return RT_INVALID;
    rt_status status = make_session(media, profile, material, client, true, &media->protect);
    if (status == RT_OK)
        status = make_session(media, profile, material, !client, false, &media->unprotect);
    if (status != RT_OK) {
        rt_srtp_free(media->protect);
        media->protect = NULL;
        return status;
    }
    media->profile = profile;
    media->started = true;
    for (uint32_t i = 0; i < media->outbound_count; i++)
        rt_media_want_key_frame(media, media->outbound[i]);
    rt_media_distribute(media, now);
    return RT_OK;
}

void rt_media_close(rt_media *media, rt_time now)
{
    (void)now;
    if (media->closed)
        return;
    media->closed = true;
    for (uint32_t i = 0; i < media->outbound_count; i++) {
        if (media->outbound[i]->last_sent != RT_NEVER)
            rt_media_say_bye(media, media->outbound[i]->media.ssrc);
    }
}

size_t rt_media_transmit(rt_media *media, rt_batch *out, rt_time now)
{
    uint32_t before = out->count;
    if (!media->started)
        return 0;
    rt_media_transmit_rtcp(media, out, now);
    if (!media->closed)
        rt_media_transmit_rtp(media, out, now);
    return out->count - before;
}

/* Key frames that are asked for again too soon wait; everything else is told with the next drain. */
static rt_time request_deadline(const rt_media *media)
{
    rt_time deadline = RT_NEVER;
    if (!media->tell)
        return deadline;
    for (uint32_t i = 0; i < media->outbound_count; i++) {
        if (media->outbound[i]->key_wanted)
            deadline = rt_time_min(deadline, media->outbound[i]->key_told + media->outbound[i]->key_pause);
    }
    return deadline;
}

rt_time rt_media_deadline(const rt_media *media)
{
    if (!media->started || media->closed)
        return RT_NEVER;
    rt_time deadline = rt_media_inbound_deadline(media);
    deadline = rt_time_min(deadline, rt_media_report_deadline(media));
    deadline = rt_time_min(deadline, rt_media_pacer_deadline(media));
    deadline = rt_time_min(deadline, rt_bandwidth_deadline(media->bandwidth));
    return rt_time_min(deadline, request_deadline(media));
}

void rt_media_expire(rt_media *media, rt_time now)
{
    if (!media->started || media->closed)
        return;
    rt_media_expire_inbound(media, now);
    if (rt_bandwidth_deadline(media->bandwidth) <= now) {
        rt_bandwidth_expire(media->bandwidth, now);
        rt_media_distribute(media, now);
    }
}

static bool announce(rt_media *media, rt_media_event *out)
{
    for (uint32_t i = 0; i < media->inbound_count; i++) {
        rt_media_inbound *stream = media->inbound[i];
        if (stream->announced)
            continue;
        stream->announced = true;
        media->unannounced--;
        *out = (rt_media_event){.type = RT_MEDIA_EVENT_STREAM,
                                .section = stream->line->number,
                                .encoding = stream->encoding,
                                .ssrc = stream->media.ssrc};
        return true;
    }
    return false;
}

static bool tell_outbound(rt_media_outbound *stream, rt_media_event *out, rt_time now)
{
    *out = (rt_media_event){.section = stream->line->number, .encoding = stream->encoding, .ssrc = stream->media.ssrc};
    if (stream->bitrate_changed) {
        stream->bitrate_changed = false;
        stream->told = stream->target;
        out->type = RT_MEDIA_EVENT_BITRATE;
        out->bitrate = stream->target;
        return true;
    }
    rt_time since = now - stream->key_told;
    if (stream->key_wanted && since >= stream->key_pause) {
        bool calm = since >= RT_MEDIA_KEY_CALM;
        stream->key_pause = calm ? RT_MEDIA_KEY_INTERVAL : rt_time_min(2 * stream->key_pause, RT_MEDIA_KEY_MOST);
        stream->key_wanted = false;
        stream->key_told = now;
        out->type = RT_MEDIA_EVENT_KEY_FRAME;
        return true;
    }
    return false;
}

static bool tell_line(rt_media_line *line, rt_media_event *out)
{
    if (line->dropped == 0)
        return false;
    *out = (rt_media_event){.type = RT_MEDIA_EVENT_DROPPED, .section = line->number, .count = line->dropped};
    line->dropped = 0;
    return true;
}

static bool tell(rt_media *media, rt_media_event *out, rt_time now)
{
    for (uint32_t i = 0; i < media->outbound_count; i++) {
        if (tell_outbound(media->outbound[i], out, now))
            return true;
    }
    for (uint32_t i = 0; i < media->line_count; i++) {
        if (tell_line(media->lines[media->order[i]], out))
            return true;
    }
    media->tell = false;
    for (uint32_t i = 0; i < media->outbound_count && !media->tell; i++)
        media->tell = media->outbound[i]->key_wanted;
    return false;
}

bool rt_media_event_next(rt_media *media, rt_media_event *out, rt_time now)
{
    rt_media_event *ended = rt_ring_first(&media->ended);
    if (ended) {
        *out = *ended;
        rt_ring_pop(&media->ended);
        return true;
    }
    if (media->unannounced && announce(media, out))
        return true;
    if (media->tell && tell(media, out, now))
        return true;
    return rt_media_frame_next(media, out, now);
}
