#include "proto/sender.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/sender_internal.h"

#define QUEUE_AGE RT_SECONDS(2)
#define QUEUE_FRAMES 4096
#define ASK_AGAIN RT_SECONDS(1)

void rt_sender_config_default(rt_sender_config *config)
{
    *config = (rt_sender_config){
        .clock_rate = 90000,
        .history = RT_SECONDS(1),
        .history_bytes = (size_t)2 << 20,
        .queue_bytes = (size_t)4 << 20,
    };
}

rt_sender *rt_sender_new(const rt_sender_config *config)
{
    assert(config->random && config->extensions && config->clock_rate);
    rt_sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return NULL;
    sender->config = *config;
    sender->active = true;
    /* Well below the roll-over, so that the first packets may be lost without the other end losing count of it
     * (RFC 3711 section 3.3.1). */
    sender->sequence = (uint16_t)(rt_random32(config->random) & 0x7FFF);
    sender->rtx_sequence = (uint16_t)(rt_random32(config->random) & 0x7FFF);
    sender->timestamp_offset = rt_random32(config->random);
    sender->capture_told = sender->key_asked = -RT_SECONDS(3600);
    rt_ring_init(&sender->queue, sizeof(rt_sender_queued_frame), QUEUE_FRAMES);
    rt_history_init(&sender->history);
    rt_ring_init(&sender->resend, sizeof(rt_sender_resend), RT_SENDER_RESENDS);
    sender->stats.ssrc = config->ssrc;
    sender->stats.rtx_ssrc = config->rtx_ssrc;
    return sender;
}

static void drop_first(rt_sender *sender)
{
    rt_sender_queued_frame *first = rt_ring_first(&sender->queue);
    sender->queued_bytes -= first->bytes;
    sender->queued_packets -= first->payloads->count;
    rt_payloads_unref(first->payloads);
    rt_ring_pop(&sender->queue);
}

void rt_sender_end_frame(rt_sender *sender)
{
    rt_payloads *payloads = sender->current.frame.payloads;
    if (!payloads)
        return;
    sender->queued_packets -= payloads->count - sender->current.next;
    rt_payloads_unref(payloads);
    sender->current.frame.payloads = NULL;
    sender->current.bytes = 0;
}

static void withdraw_resends(rt_sender *sender)
{
    const rt_sender_resend *first;
    while ((first = rt_ring_first(&sender->resend))) {
        rt_history_frame *frame;
        rt_history_packet *packet = rt_history_find(&sender->history, first->sequence, &frame);
        if (packet)
            packet->queued = false;
        rt_ring_pop(&sender->resend);
    }
    sender->resend_bytes = 0;
}

static void drop_queued(rt_sender *sender)
{
    while (sender->queue.count)
        drop_first(sender);
    rt_sender_end_frame(sender);
    withdraw_resends(sender);
}

void rt_sender_free(rt_sender *sender)
{
    if (!sender)
        return;
    drop_queued(sender);
    rt_ring_free(&sender->queue);
    rt_history_free(&sender->history);
    rt_ring_free(&sender->resend);
    free(sender);
}

void rt_sender_set_format(rt_sender *sender, uint8_t payload_type, uint8_t rtx_payload_type, uint32_t clock_rate)
{
    assert(clock_rate);
    sender->config.payload_type = payload_type;
    sender->config.rtx_payload_type = rtx_payload_type;
    sender->config.clock_rate = clock_rate;
}

void rt_sender_set_repair(rt_sender *sender, uint32_t rtx_ssrc)
{
    if (sender->config.rtx_ssrc == rtx_ssrc)
        return;
    sender->config.rtx_ssrc = sender->stats.rtx_ssrc = rtx_ssrc;
    sender->rtx_acknowledged = false;
}

void rt_sender_set_active(rt_sender *sender, bool active)
{
    if (sender->active && !active) {
        /* The end of a frame that was begun will not come: a missing sequence number tells, and the history has no
         * holes. Else it stays: who is held may have lost the last packets, and asks for them when it goes on. */
        bool cut = sender->current.frame.payloads;
        drop_queued(sender);
        if (cut) {
            sender->sequence++;
            rt_history_clear(&sender->history);
        }
        sender->awaits_key = sender->config.video;
        sender->key_needed = false;
    }
    sender->active = active;
}

/* ---- the queue ---- */

static void ask_for_key(rt_sender *sender, rt_time now)
{
    if (now - sender->key_asked < ASK_AGAIN)
        return;
    sender->key_needed = true;
    sender->key_asked = now;
}

bool rt_sender_key_frame_needed(rt_sender *sender)
{
    bool needed = sender->key_needed;
    sender->key_needed = false;
    return needed;
}

void rt_sender_shorten(rt_sender *sender, size_t coming, rt_time now)
{
    bool dropped = false;
    const rt_sender_queued_frame *first;
    while ((first = rt_ring_first(&sender->queue))) {
        bool over = now - first->queued > QUEUE_AGE || sender->queue.count == QUEUE_FRAMES ||
                    sender->queued_bytes + sender->current.bytes + coming > sender->config.queue_bytes;
        /* Video after a gap is of no use before the next key frame. */
        if (!over && !(dropped && sender->config.video && !first->key))
            break;
        drop_first(sender);
        sender->stats.frames_dropped++;
        dropped = true;
    }
    if (dropped && sender->config.video && !sender->queue.count) {
        sender->awaits_key = true;
        ask_for_key(sender, now);
    }
}

rt_status rt_sender_send(rt_sender *sender, rt_payloads *payloads, const rt_frame *frame, rt_time captured, rt_time now)
{
    if (!sender->active)
        return RT_CLOSED;
    if (!payloads->count)
        return RT_OK;
    size_t bytes = 0;
    for (uint32_t i = 0; i < payloads->count; i++) {
        bytes += payloads->items[i].size;
        if (payloads->items[i].size > sender->payload_max)
            sender->payload_max = payloads->items[i].size;
    }
    bool key = frame->flags & RT_FRAME_KEY;
    rt_sender_shorten(sender, bytes, now);
    if (sender->awaits_key && !key) {
        sender->stats.frames_dropped++;
        ask_for_key(sender, now);
        return RT_OK;
    }
    rt_sender_queued_frame *queued = rt_ring_push(&sender->queue);
    if (!queued)
        return RT_NO_MEMORY;
    sender->awaits_key = false;
    *queued = (rt_sender_queued_frame){
        .payloads = rt_payloads_ref(payloads),
        .bytes = bytes,
        .queued = now,
        .captured = captured,
        .captured_ntp = frame->captured,
        .timestamp = (uint32_t)frame->timestamp + sender->timestamp_offset,
        .payload_type = sender->config.payload_type,
        .rtx_payload_type = sender->config.rtx_payload_type,
        .rotation = frame->rotation & 3,
        .has_level = frame->audio_level <= 0,
        .audio_level = frame->audio_level <= 0 ? (uint8_t)-frame->audio_level & 0x7F : 0,
        .voice = frame->flags & RT_FRAME_VOICE,
        .key = key,
        .marker = !sender->config.video && (frame->flags & RT_FRAME_MARKER),
    };
    sender->queued_bytes += bytes;
    sender->queued_packets += payloads->count;
    sender->stats.frames++;
    sender->stats.key_frames += key;
    return RT_OK;
}

size_t rt_sender_queued(const rt_sender *sender, rt_sender_class which)
{
    return which == RT_SENDER_MEDIA ? sender->queued_bytes + sender->current.bytes : sender->resend_bytes;
}

rt_time rt_sender_queued_since(const rt_sender *sender)
{
    if (sender->current.frame.payloads)
        return sender->current.queued;
    const rt_sender_queued_frame *first = rt_ring_first(&sender->queue);
    return first ? first->queued : RT_NEVER;
}

/* ---- reports ---- */

void rt_sender_set_round_trip(rt_sender *sender, rt_time round_trip)
{
    sender->round_trip = round_trip;
}

void rt_sender_reported(rt_sender *sender, const rt_rtcp_block *block, rt_time round_trip, rt_time now)
{
    (void)now;
    if (block->ssrc != sender->config.ssrc) {
        sender->rtx_acknowledged = true;
        return;
    }
    sender->acknowledged = true;
    sender->stats.reports++;
    sender->stats.remote_lost = block->lost;
    sender->stats.remote_jitter = block->jitter;
    sender->stats.remote_fraction_lost = block->fraction_lost;
    if (round_trip > 0) {
        sender->round_trip = round_trip;
        sender->stats.round_trip = round_trip;
        sender->stats.total_round_trip += round_trip;
        sender->stats.round_trip_measurements++;
    }
}

bool rt_sender_report(const rt_sender *sender, rt_rtcp_report *out, uint64_t ntp, rt_time now)
{
    if (!sender->sent)
        return false;
    double ticks = (double)(now - sender->mapped) * 1e-9 * sender->config.clock_rate;
    *out = (rt_rtcp_report){
        .ssrc = sender->config.ssrc,
        .sender = true,
        .ntp = ntp,
        .rtp_time = sender->mapped_timestamp + (uint32_t)(int64_t)ticks,
        .packets = sender->packets_on_ssrc,
        .bytes = sender->bytes_on_ssrc,
    };
    return true;
}

void rt_sender_count_request(rt_sender *sender, bool fir)
{
    if (fir)
        sender->stats.firs++;
    else
        sender->stats.plis++;
}

void rt_sender_get_stats(const rt_sender *sender, rt_sender_stats *out)
{
    *out = sender->stats;
    out->payload_type = sender->config.payload_type;
    out->clock_rate = sender->config.clock_rate;
    out->active = sender->active;
    out->queued_packets = sender->queued_packets;
    out->queued_bytes = sender->queued_bytes + sender->current.bytes;
    out->history_bytes = sender->history.bytes;
}
