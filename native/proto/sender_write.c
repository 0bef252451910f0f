/* Packets as they leave: a header made once per frame, copied into the slot with the payload behind it. */
#include <assert.h>

#include "base/prefetch.h"
#include "proto/sender_internal.h"

#define CAPTURE_TIME_EVERY RT_SECONDS(1)
/* Where few packets are sent, few tell a receiver that it misses others: aiortc's asks again no sooner. */
#define FEW 128 /* of video are kept longer */
#define RARE 3  /* times as long, at most */

static bool has(const rt_sender *sender, rt_rtp_extension extension)
{
    return sender->config.extensions->id[extension] != 0;
}

static void add(const rt_sender *sender, rt_rtp_values *values, rt_rtp_extension extension)
{
    if (has(sender, extension))
        values->present |= (uint32_t)1 << extension;
}

static void choose_values(rt_sender *sender, const rt_sender_queued_frame *queued, rt_rtp_values *values, uint64_t ntp,
                          rt_time now)
{
    *values = (rt_rtp_values){0};
    add(sender, values, RT_RTP_TRANSPORT_SEQUENCE);
    add(sender, values, RT_RTP_ABS_SEND_TIME);
    if (!sender->acknowledged && sender->config.mid.size) {
        values->mid = sender->config.mid;
        add(sender, values, RT_RTP_MID);
    }
    if (!sender->acknowledged && sender->config.rid.size) {
        values->rid = sender->config.rid;
        add(sender, values, RT_RTP_RID);
    }
    if (queued->has_level) {
        values->audio_level = queued->audio_level;
        values->voice = queued->voice;
        add(sender, values, RT_RTP_AUDIO_LEVEL);
    }
    if (sender->config.video && (queued->key || queued->rotation)) {
        values->orientation = queued->rotation;
        add(sender, values, RT_RTP_VIDEO_ORIENTATION);
    }
    if (has(sender, RT_RTP_ABS_CAPTURE_TIME) &&
        ((sender->config.video && queued->key) || now - sender->capture_told >= CAPTURE_TIME_EVERY)) {
        rt_time age = now - queued->captured;
        values->capture_time = queued->captured_ntp ? queued->captured_ntp
                               : age > 0            ? ntp - rt_ntp_from_ns((uint64_t)age)
                                                    : ntp;
        add(sender, values, RT_RTP_ABS_CAPTURE_TIME);
        sender->capture_told = now;
    }
}

static uint8_t place_of(const rt_sender *sender, rt_history_frame *frame, rt_rtp_extension extension)
{
    uint8_t size;
    rt_buffer header = rt_buffer_of(frame->header, frame->header_size);
    const uint8_t *at = rt_rtp_find_extension(header, sender->config.extensions, extension, &size);
    return at ? (uint8_t)(at - frame->header) : 0;
}

static void make_header(rt_sender *sender, rt_history_frame *frame)
{
    rt_rtp packet = {.payload_type = frame->payload_type, .timestamp = frame->timestamp, .ssrc = sender->config.ssrc};
    rt_writer writer = rt_writer_of(rt_buffer_of(frame->header, sizeof frame->header));
    rt_status status = rt_rtp_write_header(&writer, &packet, sender->config.extensions, &frame->values);
    assert(status == RT_OK);
    (void)status;
    frame->header_size = (uint8_t)rt_writer_size(&writer);
    if (frame->header_size > sender->header_max)
        sender->header_max = frame->header_size;
    frame->transport_at = place_of(sender, frame, RT_RTP_TRANSPORT_SEQUENCE);
    frame->abs_send_time_at = place_of(sender, frame, RT_RTP_ABS_SEND_TIME);
}

/* Takes the first frame of the queue as the current one; false: there is none. */
static bool begin_frame(rt_sender *sender, uint64_t ntp, rt_time now)
{
    rt_sender_shorten(sender, 0, now);
    const rt_sender_queued_frame *queued = rt_ring_first(&sender->queue);
    if (!queued)
        return false;
    rt_history_frame *frame = &sender->current.frame;
    frame->payloads = queued->payloads;
    frame->timestamp = queued->timestamp;
    frame->payload_type = queued->payload_type;
    frame->rtx_payload_type = queued->rtx_payload_type;
    choose_values(sender, queued, &frame->values, ntp, now);
    make_header(sender, frame);
    sender->current.next = 0;
    sender->current.bytes = queued->bytes;
    sender->current.queued = queued->queued;
    sender->current.marker = queued->marker;
    sender->queued_bytes -= queued->bytes;
    sender->mapped = queued->captured;
    sender->mapped_timestamp = queued->timestamp;
    sender->sent = true;
    rt_ring_pop(&sender->queue);

    rt_time keep = rt_time_max(sender->config.history, 3 * sender->round_trip);
    size_t bytes = sender->config.history_bytes;
    rt_history_trim(&sender->history, now - RARE * keep, 0, bytes);
    rt_history_trim(&sender->history, now - keep, sender->config.video ? FEW : 0, bytes);
    sender->current.kept = rt_history_begin(&sender->history, frame);
    return true;
}

void rt_sender_stamp(uint8_t *packet, const rt_history_frame *frame, uint16_t transport_sequence,
                     uint32_t abs_send_time)
{
    if (frame->transport_at)
        rt_store16(packet + frame->transport_at, transport_sequence);
    if (frame->abs_send_time_at)
        rt_store24(packet + frame->abs_send_time_at, abs_send_time);
}

static void keep(rt_sender *sender, const rt_payload *item, bool marker, uint16_t transport_sequence,
                 uint32_t abs_send_time, rt_time now)
{
    if (!sender->current.kept)
        return;
    rt_history_packet *packet =
        rt_history_add(&sender->history, sender->sequence, sender->current.next, item->size, now);
    if (!packet) {
        sender->current.kept = false;
        return;
    }
    packet->marker = marker;
    packet->transport_sequence = transport_sequence;
    packet->abs_send_time = abs_send_time;
}

static size_t write_media(rt_sender *sender, rt_buffer room, uint16_t transport_sequence, uint64_t ntp, rt_time now)
{
    if (!sender->current.frame.payloads && !begin_frame(sender, ntp, now))
        return 0;
    const rt_history_frame *frame = &sender->current.frame;
    const rt_payload *item = &frame->payloads->items[sender->current.next];
    size_t size = (size_t)frame->header_size + item->size;
    if (room.size < size)
        return 0;
    memcpy(room.data, frame->header, frame->header_size);
    bool marker = sender->current.marker || (item->flags & RT_PAYLOAD_MARKER);
    if (marker)
        room.data[1] |= 0x80;
    rt_store16(room.data + 2, sender->sequence);
    uint32_t abs_send_time = rt_abs_send_time(ntp);
    rt_sender_stamp(room.data, frame, transport_sequence, abs_send_time);
    memcpy(room.data + frame->header_size, frame->payloads->data + item->offset, item->size);

    keep(sender, item, marker, transport_sequence, abs_send_time, now);
    sender->sequence++;
    sender->packets_on_ssrc++;
    sender->bytes_on_ssrc += item->size;
    sender->stats.packets++;
    sender->stats.bytes += item->size;
    sender->stats.header_bytes += frame->header_size;
    sender->stats.total_send_delay += now - sender->current.queued;
    sender->queued_packets--;
    sender->current.bytes -= item->size;
    if (++sender->current.next == frame->payloads->count)
        rt_sender_end_frame(sender);
    return size;
}

size_t rt_sender_write(rt_sender *sender, rt_sender_class which, rt_buffer room, uint16_t transport_sequence,
                       uint64_t ntp, rt_time now)
{
    if (which == RT_SENDER_MEDIA)
        return write_media(sender, room, transport_sequence, ntp, now);
    return rt_sender_write_retransmission(sender, room, transport_sequence, ntp, now);
}

void rt_sender_prefetch(const rt_sender *sender, bool other, int step)
{
    if (other && step == 0) {
        RT_PREFETCH_FROM(sender, rt_sender, queued_bytes, queued_bytes);
        RT_PREFETCH_FROM(sender, rt_sender, current.bytes, current.bytes);
        RT_PREFETCH_FROM(sender, rt_sender, resend_bytes, resend_bytes);
    } else if (!other && step == 0) {
        RT_PREFETCH_FROM(sender, rt_sender, config, header_max);
        RT_PREFETCH_FROM(sender, rt_sender, current.frame.payloads, current.frame.header[RT_HISTORY_HEADER / 4]);
        RT_PREFETCH_FROM(sender, rt_sender, current.frame.values, stats);
    } else if (!other && sender->queue.capacity) {
        rt_prefetch(sender->queue.items, sizeof(rt_sender_queued_frame)); /* mostly it begins and ends empty */
        rt_history_prefetch(&sender->history);
    }
}

/* Room for all that may be there, each element with a header of two bytes, the block rounded up to words. */
size_t rt_sender_header_max(const rt_sender *sender)
{
    static const uint8_t sizes[RT_RTP_EXTENSIONS] = {
        [RT_RTP_AUDIO_LEVEL] = 1,       [RT_RTP_ABS_SEND_TIME] = 3,    [RT_RTP_TRANSPORT_SEQUENCE] = 2,
        [RT_RTP_VIDEO_ORIENTATION] = 1, [RT_RTP_ABS_CAPTURE_TIME] = 8,
    };
    size_t block = 0;
    for (int i = 0; i < RT_RTP_EXTENSIONS; i++)
        if (sizes[i] && has(sender, i))
            block += 2u + sizes[i];
    if (has(sender, RT_RTP_MID) && sender->config.mid.size)
        block += 2u + sender->config.mid.size;
    if ((has(sender, RT_RTP_RID) || has(sender, RT_RTP_REPAIRED_RID)) && sender->config.rid.size)
        block += 2u + sender->config.rid.size;
    size_t header = RT_RTP_HEADER + (block ? 4 + ((block + 3) & ~(size_t)3) : 0);
    return sender->config.rtx_ssrc ? header + 2 : header;
}

size_t rt_sender_packet_max(const rt_sender *sender)
{
    size_t header = rt_sender_header_max(sender);
    return (header > sender->header_max ? header : sender->header_max) + sender->payload_max;
}

bool rt_sender_stamps(const rt_sender *sender, rt_sender_class which)
{
    return has(sender, RT_RTP_TRANSPORT_SEQUENCE) && (which == RT_SENDER_MEDIA || sender->config.rtx_ssrc);
}
