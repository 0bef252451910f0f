#include "io/fanout.h"

#include <stdlib.h>

#include "io/worker_internal.h"

#define FRAMES_AT_ONCE 512 /* of a source, between two turns */
#define PAYLOAD_START 1000 /* while there are no consumers */

/* ---- life ---- */

void rt_fanouts_init(rt_fanouts *fanouts)
{
    *fanouts = (rt_fanouts){.pending_end = &fanouts->pending};
}

void rt_fanouts_free(rt_fanouts *fanouts)
{
    while (fanouts->all)
        rt_fanout_free(fanouts->all);
}

rt_status rt_fanout_new(rt_worker *worker, const rt_payload_format *format, uint64_t tag, rt_fanout **out)
{
    if (!rt_payload_can_send(format))
        return RT_UNSUPPORTED;
    rt_fanout *fanout = calloc(1, sizeof *fanout);
    if (!fanout)
        return RT_NO_MEMORY;
    fanout->packetizer = rt_packetizer_new(format, &worker->random);
    if (!fanout->packetizer) {
        free(fanout);
        return RT_NO_MEMORY;
    }
    fanout->worker = worker;
    fanout->format = *format;
    fanout->tag = tag;
    fanout->payload_max = PAYLOAD_START;
    fanout->requested = -RT_FANOUT_REQUEST_EVERY;
    rt_ring_init(&fanout->frames, sizeof(rt_frame *), FRAMES_AT_ONCE);
    fanout->next = worker->fanouts.all;
    fanout->link = &worker->fanouts.all;
    if (fanout->next)
        fanout->next->link = &fanout->next;
    worker->fanouts.all = fanout;
    *out = fanout;
    return RT_OK;
}

static void remove_consumer(rt_fanout_consumer *consumer)
{
    rt_fanout *fanout = consumer->fanout;
    *consumer->link = consumer->next;
    if (consumer->next)
        consumer->next->link = consumer->link;
    *consumer->peer_link = consumer->next_of_peer;
    if (consumer->next_of_peer)
        consumer->next_of_peer->peer_link = consumer->peer_link;
    free(consumer);
    fanout->consumer_count--;
    fanout->resized = fanout->rates_moved = true;
    rt_fanout_pend(fanout);
    rt_loop_wake(fanout->worker->loop);
}

static void leave_source(rt_fanout *fanout)
{
    if (!fanout->source.peer)
        return;
    fanout->replaced = true;
    *fanout->source.link = fanout->source.next;
    if (fanout->source.next)
        fanout->source.next->source.link = fanout->source.link;
    fanout->source.peer = NULL;
}

void rt_fanout_free(rt_fanout *fanout)
{
    if (!fanout)
        return;
    while (fanout->consumers)
        remove_consumer(fanout->consumers);
    leave_source(fanout);
    rt_fanout_unpend(fanout);
    while (fanout->frames.count) {
        rt_frame_unref(*(rt_frame **)rt_ring_first(&fanout->frames));
        rt_ring_pop(&fanout->frames);
    }
    rt_ring_free(&fanout->frames);
    rt_packetizer_free(fanout->packetizer);
    *fanout->link = fanout->next;
    if (fanout->next)
        fanout->next->link = fanout->link;
    free(fanout);
}

void rt_fanouts_forget(rt_worker_peer *peer)
{
    while (peer->fanout.consumers)
        remove_consumer(peer->fanout.consumers);
    while (peer->fanout.sourced)
        leave_source(peer->fanout.sourced);
}

/* ---- who gives and who gets ---- */

rt_fanout_consumer *rt_fanout_find_consumer(const rt_worker_peer *peer, uint8_t section, uint8_t encoding)
{
    rt_fanout_consumer *consumer = peer->fanout.consumers;
    while (consumer && (consumer->section != section || consumer->encoding != encoding))
        consumer = consumer->next_of_peer;
    return consumer;
}

rt_status rt_fanout_add(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding)
{
    if (peer->worker != fanout->worker)
        return RT_INVALID;
    if (!peer->mailbox)
        return RT_UNEXPECTED;
    if (rt_fanout_find_consumer(peer, section, encoding))
        return RT_EXISTS;
    rt_fanout_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return RT_NO_MEMORY;
    *consumer = (rt_fanout_consumer){.fanout = fanout, .peer = peer, .section = section, .encoding = encoding};
    consumer->awaits_key = rt_codec_is_video(fanout->format.codec);
    consumer->bitrate = rt_media_bitrate(rt_peer_media(peer->machine), section, encoding);
    consumer->next = fanout->consumers;
    consumer->link = &fanout->consumers;
    if (consumer->next)
        consumer->next->link = &consumer->next;
    fanout->consumers = consumer;
    consumer->next_of_peer = peer->fanout.consumers;
    consumer->peer_link = &peer->fanout.consumers;
    if (consumer->next_of_peer)
        consumer->next_of_peer->peer_link = &consumer->next_of_peer;
    peer->fanout.consumers = consumer;
    rt_mailbox_set_tap(peer->mailbox, rt_fanout_tap, peer);
    fanout->consumer_count++;
    fanout->resized = fanout->rates_moved = true;
    rt_fanout_pend(fanout);
    if (consumer->awaits_key && rt_media_can_send(rt_peer_media(peer->machine), section, encoding))
        fanout->key_wanted = true;
    rt_loop_wake(fanout->worker->loop);
    return RT_OK;
}

rt_status rt_fanout_remove(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding)
{
    rt_fanout_consumer *consumer = rt_fanout_find_consumer(peer, section, encoding);
    if (!consumer || consumer->fanout != fanout)
        return RT_NOT_FOUND;
    remove_consumer(consumer);
    return RT_OK;
}

uint32_t rt_fanout_count(const rt_fanout *fanout)
{
    return fanout->consumer_count;
}

rt_status rt_fanout_from(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding, bool also_events)
{
    if (peer && peer->worker != fanout->worker)
        return RT_INVALID;
    if (peer && !peer->mailbox)
        return RT_UNEXPECTED;
    leave_source(fanout);
    if (!peer)
        return RT_OK;
    fanout->source.peer = peer;
    fanout->source.section = section;
    fanout->source.encoding = encoding;
    fanout->source.chosen = encoding == RT_MEDIA_ALL ? -1 : encoding;
    fanout->source.also_events = also_events;
    fanout->source.next = peer->fanout.sourced;
    fanout->source.link = &peer->fanout.sourced;
    if (fanout->source.next)
        fanout->source.next->source.link = &fanout->source.next;
    peer->fanout.sourced = fanout;
    rt_mailbox_set_tap(peer->mailbox, rt_fanout_tap, peer);
    /* Its first frames need those before them, which nobody has got. */
    for (rt_fanout_consumer *c = fanout->consumers; c; c = c->next)
        c->awaits_key = rt_codec_is_video(fanout->format.codec);
    fanout->key_wanted = fanout->consumers && rt_codec_is_video(fanout->format.codec);
    rt_fanout_pend(fanout);
    rt_loop_wake(fanout->worker->loop);
    return RT_OK;
}

/* ---- questions ---- */

uint64_t rt_fanout_lowest_bitrate(const rt_fanout *fanout)
{
    uint64_t lowest = 0;
    for (const rt_fanout_consumer *c = fanout->consumers; c; c = c->next) {
        if (c->bitrate && (!lowest || c->bitrate < lowest))
            lowest = c->bitrate;
    }
    return lowest;
}

bool rt_fanout_key_frame_needed(rt_fanout *fanout)
{
    bool needed = fanout->key_needed;
    fanout->key_needed = fanout->announced = false;
    return needed;
}

uint64_t rt_fanout_bitrate(rt_fanout *fanout)
{
    fanout->announced = false;
    return rt_fanout_lowest_bitrate(fanout);
}

void rt_fanout_get_stats(const rt_fanout *fanout, rt_fanout_stats *out)
{
    *out = fanout->stats;
}
