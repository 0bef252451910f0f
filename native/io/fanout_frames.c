/* What flows through fan-outs: events of the peers, frames, requests; and their turn in the worker's iteration. */
#include "io/worker_internal.h"

#define SILENCE RT_SECONDS(1)
#define TOGETHER 16 /* peers whose memory is asked for at once: well within the cache next to the processor's first */
#define BITRATE_STEP 20 /* changes of a twentieth are told */

void rt_fanout_pend(rt_fanout *fanout)
{
    if (fanout->pending)
        return;
    rt_fanouts *fanouts = &fanout->worker->fanouts;
    fanout->pending = true;
    fanout->next_pending = NULL;
    *fanouts->pending_end = fanout;
    fanouts->pending_end = &fanout->next_pending;
}

void rt_fanout_unpend(rt_fanout *fanout)
{
    rt_fanouts *fanouts = &fanout->worker->fanouts;
    rt_fanout **at = &fanouts->pending;
    if (!fanout->pending)
        return;
    while (*at != fanout)
        at = &(*at)->next_pending;
    *at = fanout->next_pending;
    if (fanouts->pending_end == &fanout->next_pending)
        fanouts->pending_end = at;
    fanout->pending = false;
}

/* ---- events of the peers ---- */

static bool is_followed(rt_fanout *fanout, const rt_frame *frame)
{
    if (fanout->source.chosen != frame->encoding && fanout->source.encoding == RT_MEDIA_ALL) {
        bool silent = fanout->source.chosen < 0 || frame->arrived - fanout->last_frame > SILENCE;
        if (silent && ((frame->flags & RT_FRAME_KEY) || !rt_codec_is_video((rt_codec)frame->codec)))
            fanout->source.chosen = frame->encoding;
    }
    return fanout->source.chosen == frame->encoding;
}

static void take_frame(rt_fanout *fanout, rt_frame *frame)
{
    if (frame->size == 0 || !is_followed(fanout, frame))
        return;
    fanout->last_frame = frame->arrived;
    rt_frame **place = rt_ring_push(&fanout->frames);
    if (!place) {
        fanout->stats.refused++;
        fanout->key_wanted = rt_codec_is_video(fanout->format.codec);
    } else {
        *place = rt_frame_ref(frame);
    }
    rt_fanout_pend(fanout);
}

static bool take_frames(rt_worker_peer *peer, const rt_media_event *event)
{
    bool taken = false, shown = false;
    for (rt_fanout *fanout = peer->fanout.sourced; fanout; fanout = fanout->source.next) {
        if (fanout->source.section != event->section)
            continue;
        take_frame(fanout, event->frame);
        taken = true;
        shown = shown || fanout->source.also_events;
    }
    if (taken && !shown)
        rt_frame_unref(event->frame);
    return taken && !shown;
}

/* The mailbox's tap. */
bool rt_fanout_tap(void *context, const rt_media_event *event)
{
    rt_worker_peer *peer = context;
    if (event->type == RT_MEDIA_EVENT_FRAME)
        return take_frames(peer, event);
    if (event->type != RT_MEDIA_EVENT_KEY_FRAME && event->type != RT_MEDIA_EVENT_BITRATE)
        return false;
    rt_fanout_consumer *consumer = rt_fanout_find_consumer(peer, event->section, event->encoding);
    if (!consumer)
        return false;
    rt_fanout *fanout = consumer->fanout;
    if (event->type == RT_MEDIA_EVENT_BITRATE) {
        consumer->bitrate = event->bitrate;
        fanout->rates_moved = true;
    } else {
        fanout->key_wanted = true;
    }
    rt_fanout_pend(fanout);
    return true;
}

/* ---- frames ---- */

static void fit(rt_fanout *fanout)
{
    size_t least = SIZE_MAX;
    for (const rt_fanout_consumer *c = fanout->consumers; c; c = c->next) {
        size_t room = rt_media_max_payload(rt_peer_media(c->peer->machine), c->section);
        least = room < least ? room : least;
    }
    if (least != SIZE_MAX)
        fanout->payload_max = least;
    fanout->resized = false;
}

static void offer(rt_fanout_consumer *consumer, rt_payloads *payloads, const rt_frame *frame, rt_time captured,
                  rt_time now)
{
    rt_media *media = rt_peer_media(consumer->peer->machine);
    bool key = frame->flags & RT_FRAME_KEY;
    if (consumer->awaits_key && !key) {
        if (rt_media_can_send(media, consumer->section, consumer->encoding))
            consumer->fanout->key_wanted = true;
        return;
    }
    rt_status status =
        rt_media_send_payloads(media, consumer->section, consumer->encoding, payloads, frame, captured, now);
    /* One that does not send now begins with a key frame later. */
    consumer->awaits_key = status != RT_OK && rt_codec_is_video((rt_codec)frame->codec);
    if (status == RT_OK)
        rt_worker_activate(consumer->peer);
}

/* The memory of the next consumers' peers, all at once; returns the one behind them. A visit takes about a hundred
 * lines of cache in chains of six pointers, so without it a fan-out waits for memory more than it computes. */
static rt_fanout_consumer *fetch(rt_fanout_consumer *first)
{
    rt_fanout_consumer *end = NULL;
    for (int step = 0; step < RT_PEER_FETCH; step++) {
        end = first;
        for (int i = 0; i < TOGETHER && end; i++, end = end->next)
            rt_peer_prefetch(end->peer->machine, end->section, step);
    }
    return end;
}

/* The frame's header with a timestamp that follows on what went before. */
static rt_frame follow(rt_fanout *fanout, const rt_frame *frame, rt_time captured)
{
    if (fanout->began && (fanout->replaced || frame->ssrc != fanout->ssrc)) {
        double elapsed = (double)(captured - fanout->last_captured) * 1e-9 * fanout->format.clock_rate;
        fanout->offset = fanout->last_timestamp + (elapsed > 1 ? (int64_t)elapsed : 1) - frame->timestamp;
    }
    rt_frame header = {
        .codec = frame->codec,
        .flags = frame->flags,
        .spatial = frame->spatial,
        .temporal = frame->temporal,
        .audio_level = frame->audio_level,
        .rotation = frame->rotation,
        .timestamp = frame->timestamp + fanout->offset,
        .duration = frame->duration,
        .captured = frame->captured,
    };
    fanout->began = true;
    fanout->replaced = false;
    fanout->ssrc = frame->ssrc;
    fanout->last_timestamp = header.timestamp;
    fanout->last_captured = captured;
    return header;
}

static rt_status give(rt_fanout *fanout, const rt_frame *frame, rt_span data, rt_time captured, rt_time now)
{
    if (frame->codec != fanout->format.codec)
        return RT_INVALID;
    if (fanout->resized || (frame->flags & RT_FRAME_KEY))
        fit(fanout);
    rt_payloads *payloads;
    rt_frame header = follow(fanout, frame, captured);
    rt_status status = rt_packetizer_frame(fanout->packetizer, &header, data, fanout->payload_max, &payloads);
    if (status != RT_OK)
        return status;
    for (rt_fanout_consumer *c = fanout->consumers, *next; c;) {
        for (next = fetch(c); c != next; c = c->next)
            offer(c, payloads, &header, captured, now);
        rt_worker_drain_queue(fanout->worker, now); /* as long as the cache has them */
    }
    rt_payloads_unref(payloads);
    fanout->stats.frames++;
    if (fanout->key_wanted)
        rt_fanout_pend(fanout);
    return RT_OK;
}

rt_status rt_fanout_send(rt_fanout *fanout, const rt_frame *frame, rt_span data, rt_time captured)
{
    rt_status status = give(fanout, frame, data, captured, rt_clock());
    if (status == RT_OK)
        rt_worker_flush_active(fanout->worker);
    else
        fanout->stats.refused++;
    return status;
}

/* ---- its turn ---- */

static void announce(rt_fanout *fanout)
{
    if (fanout->announced)
        return;
    rt_peer_event event = {.type = RT_WORKER_EVENT_FANOUT};
    fanout->announced = rt_outbox_put(&fanout->worker->outbox, &event, fanout->tag);
}

static void request(rt_fanout *fanout, rt_time now)
{
    fanout->key_wanted = false;
    if (now - fanout->requested < RT_FANOUT_REQUEST_EVERY)
        return;
    fanout->requested = now;
    fanout->stats.key_frame_requests++;
    rt_worker_peer *peer = fanout->source.peer;
    if (!peer) {
        fanout->key_needed = true;
        announce(fanout);
        return;
    }
    uint8_t encoding = fanout->source.chosen < 0 ? RT_MEDIA_ALL : (uint8_t)fanout->source.chosen;
    /* Refused where the section does not receive: then there is nothing to forward either. */
    if (rt_media_request_key_frame(rt_peer_media(peer->machine), fanout->source.section, encoding, now) == RT_OK)
        rt_worker_activate(peer);
}

static void tell_bitrate(rt_fanout *fanout)
{
    uint64_t lowest = rt_fanout_lowest_bitrate(fanout), told = fanout->told_bitrate, step = told / BITRATE_STEP;
    fanout->rates_moved = false;
    if (lowest > told + step || lowest + step < told) {
        fanout->told_bitrate = lowest;
        announce(fanout);
    }
}

static void run(rt_fanout *fanout, rt_time now)
{
    while (fanout->frames.count) {
        rt_frame *frame = *(rt_frame **)rt_ring_first(&fanout->frames);
        rt_ring_pop(&fanout->frames);
        if (give(fanout, frame, rt_span_of(frame->data, frame->size), frame->arrived, now) != RT_OK)
            fanout->stats.refused++;
        rt_frame_unref(frame);
    }
    rt_fanout_unpend(fanout); /* giving may have pended it again */
    if (fanout->key_wanted)
        request(fanout, now);
    if (fanout->rates_moved)
        tell_bitrate(fanout);
}

bool rt_fanouts_run(rt_worker *worker, rt_time now)
{
    bool any = false;
    rt_fanout *fanout;
    while ((fanout = worker->fanouts.pending)) {
        rt_fanout_unpend(fanout);
        run(fanout, now);
        any = true;
    }
    return any;
}
