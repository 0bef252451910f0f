/* Packets once more: what a NACK asks for, and what probes are made of. */
#include "proto/sender_internal.h"

#define RESENDS_MAX 10            /* of one packet */
#define RESEND_INTERVAL RT_MS(10) /* at least, however short the round trip is */
#define PADDING_MAX 255           /* RFC 3550 section 5.1: its last byte counts it */
#define PADDING_LOOKS 16          /* among how many packets the largest is looked for */

void rt_sender_nack(rt_sender *sender, const uint16_t *sequences, size_t count, rt_time now)
{
    sender->stats.nacks++;
    sender->stats.nacked_packets += count;
    bool rtx = sender->config.rtx_ssrc;
    rt_time interval = rt_time_max(sender->round_trip, RESEND_INTERVAL);
    for (size_t i = 0; i < count; i++) {
        rt_history_frame *frame;
        rt_history_packet *packet = rt_history_find(&sender->history, sequences[i], &frame);
        bool refused = !packet || !sender->active || (rtx && frame->rtx_payload_type > 127) || packet->queued ||
                       packet->resends >= RESENDS_MAX || (packet->resends && now - packet->resent < interval) ||
                       sender->resend.count == RT_SENDER_RESENDS;
        rt_sender_resend *resend = refused ? NULL : rt_ring_push(&sender->resend);
        if (!resend) {
            sender->stats.nacks_unanswered++;
            continue;
        }
        *resend = (rt_sender_resend){.sequence = sequences[i], .size = packet->size};
        packet->queued = true;
        packet->resent = now;
        packet->resends++;
        sender->resend_bytes += packet->size;
    }
}

/* The packet as it was. */
static size_t write_in_place(rt_buffer room, const rt_history_frame *frame, const rt_history_packet *packet,
                             uint16_t sequence)
{
    const rt_payload *item = &frame->payloads->items[packet->index];
    size_t size = (size_t)frame->header_size + item->size;
    if (room.size < size)
        return 0;
    memcpy(room.data, frame->header, frame->header_size);
    if (packet->marker)
        room.data[1] |= 0x80;
    rt_store16(room.data + 2, sequence);
    rt_sender_stamp(room.data, frame, packet->transport_sequence, packet->abs_send_time);
    memcpy(room.data + frame->header_size, frame->payloads->data + item->offset, item->size);
    return size;
}

/* RFC 4588 section 4: own SSRC, payload type and sequence numbers; the original number, then the payload. */
static size_t write_rtx(rt_sender *sender, rt_buffer room, const rt_history_frame *frame,
                        const rt_history_packet *packet, uint16_t sequence, uint8_t padding,
                        uint16_t transport_sequence, uint64_t ntp)
{
    const rt_rtp_extension_map *map = sender->config.extensions;
    rt_rtp_values values = frame->values;
    values.present &= ~((uint32_t)1 << RT_RTP_MID | (uint32_t)1 << RT_RTP_RID);
    if (!sender->rtx_acknowledged) {
        if (sender->config.mid.size && map->id[RT_RTP_MID]) {
            values.mid = sender->config.mid;
            values.present |= (uint32_t)1 << RT_RTP_MID;
        }
        if (sender->config.rid.size && map->id[RT_RTP_REPAIRED_RID]) {
            values.repaired_rid = sender->config.rid;
            values.present |= (uint32_t)1 << RT_RTP_REPAIRED_RID;
        }
    }
    values.transport_sequence = transport_sequence;
    values.abs_send_time = rt_abs_send_time(ntp);
    rt_rtp header = {
        .marker = packet->marker,
        .payload_type = frame->rtx_payload_type,
        .padding = padding,
        .sequence = sender->rtx_sequence,
        .timestamp = frame->timestamp,
        .ssrc = sender->config.rtx_ssrc,
    };
    rt_writer writer = rt_writer_of(room);
    rt_status status = rt_rtp_write_header(&writer, &header, map, &values);
    if (status != RT_OK)
        return 0;
    size_t header_size = rt_writer_size(&writer);
    rt_write16(&writer, sequence);
    rt_write_span(&writer, rt_payload_span(frame->payloads, packet->index));
    if (padding) {
        rt_write_zeros(&writer, padding - 1u);
        rt_write8(&writer, padding);
    }
    if (!rt_writer_ok(&writer))
        return 0;
    sender->rtx_sequence++;
    sender->stats.packets++;
    sender->stats.header_bytes += header_size + padding;
    return rt_writer_size(&writer);
}

size_t rt_sender_write_retransmission(rt_sender *sender, rt_buffer room, uint16_t transport_sequence, uint64_t ntp,
                                      rt_time now)
{
    const rt_sender_resend *first;
    while ((first = rt_ring_first(&sender->resend))) {
        uint16_t sequence = first->sequence;
        rt_history_frame *frame;
        rt_history_packet *packet = rt_history_find(&sender->history, sequence, &frame);
        size_t size = 0;
        bool repaired = sender->config.rtx_ssrc;
        if (packet && packet->queued && !(repaired && frame->rtx_payload_type > 127)) {
            size = repaired ? write_rtx(sender, room, frame, packet, sequence, 0, transport_sequence, ntp)
                            : write_in_place(room, frame, packet, sequence);
            if (!size)
                return 0;
            packet->queued = false;
        }
        sender->resend_bytes -= first->size;
        rt_ring_pop(&sender->resend);
        if (!size) {
            sender->stats.nacks_unanswered++; /* too old by now */
            continue;
        }
        if (!sender->config.rtx_ssrc) {
            sender->packets_on_ssrc++;
            sender->bytes_on_ssrc += packet->size;
            sender->stats.packets++;
            sender->stats.header_bytes += frame->header_size;
        }
        sender->stats.bytes += packet->size;
        sender->stats.retransmitted_packets++;
        sender->stats.retransmitted_bytes += packet->size;
        packet->resent = now;
        return size;
    }
    return 0;
}

size_t rt_sender_write_padding(rt_sender *sender, rt_buffer room, size_t size, uint16_t transport_sequence,
                               uint64_t ntp, rt_time now)
{
    (void)now;
    uint32_t count = sender->history.packets.count;
    if (!sender->config.rtx_ssrc || sender->config.rtx_payload_type > 127 || !count)
        return 0;
    /* The largest of the latest packets that is not larger than what is wanted; else the smallest of them. */
    const rt_history_packet *best = NULL;
    uint32_t place = 0;
    for (uint32_t i = 0; i < PADDING_LOOKS && i < count; i++) {
        const rt_history_packet *packet = rt_ring_at(&sender->history.packets, count - 1 - i);
        const rt_history_frame *frame =
            rt_ring_at(&sender->history.frames, packet->frame - sender->history.first_frame);
        if (frame->rtx_payload_type > 127) /* from before there was RTX */
            continue;
        bool fits = packet->size <= size, best_fits = best && best->size <= size;
        if (!best || (fits && (!best_fits || packet->size > best->size)) ||
            (!fits && !best_fits && packet->size < best->size)) {
            best = packet;
            place = count - 1 - i;
        }
    }
    if (!best)
        return 0;
    const rt_history_frame *frame = rt_ring_at(&sender->history.frames, best->frame - sender->history.first_frame);
    size_t missing = size > best->size ? size - best->size : 0;
    uint8_t padding = missing > PADDING_MAX ? PADDING_MAX : (uint8_t)missing;
    uint16_t sequence = (uint16_t)(sender->history.first_sequence + place);
    size_t written = write_rtx(sender, room, frame, best, sequence, padding, transport_sequence, ntp);
    sender->stats.padding_bytes += written;
    return written;
}
