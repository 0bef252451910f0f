#include "peer/media_internal.h"

void rt_media_get_stats(const rt_media *media, rt_media_stats *out)
{
    *out = media->stats;
    rt_bandwidth_get_stats(media->bandwidth, &out->bandwidth);
    if (media->round_trip) /* of reports: without the time that feedback waits */
        out->bandwidth.round_trip = media->round_trip;
    out->available_incoming = media->estimate ? rt_estimate_bitrate(media->estimate) : 0;
    out->profile = media->profile;
}

/* Inbound ones first; `*at` counts through both lists. */
bool rt_media_stream_next(rt_media *media, size_t *at, rt_media_stream *out, rt_time now)
{
    size_t place = (*at)++;
    *out = (rt_media_stream){0};
    if (place < media->inbound_count) {
        const rt_media_inbound *stream = media->inbound[place];
        out->inbound = true;
        out->section = stream->line->number;
        out->encoding = stream->encoding;
        out->rid = stream->rid;
        rt_receiver_get_stats(stream->receiver, &out->receiver, now);
        return true;
    }
    place -= media->inbound_count;
    if (place >= media->outbound_count)
        return false;
    const rt_media_outbound *stream = media->outbound[place];
    out->section = stream->line->number;
    out->encoding = stream->encoding;
    out->rid = stream->rid;
    out->target_bitrate = stream->target;
    rt_sender_get_stats(stream->sender, &out->sender);
    return true;
}
