#include <assert.h>
#include <stdlib.h>

#include "proto/sctp_internal.h"

#define CONTROLS_MAX 16
#define SKIPS_MAX 128
#define GAPS_MAX 256

/* ---- control packets ---- */

void rt_sctp_control_packet(rt_sctp *s, rt_span packet, bool sealed)
{
    rt_sctp_control *control = s->control_count < CONTROLS_MAX ? malloc(sizeof *control + packet.size) : NULL;
    if (!control)
        return;
    *control = (rt_sctp_control){.size = (uint16_t)packet.size, .sealed = sealed};
    memcpy(control->data, packet.data, packet.size);
    if (s->controls)
        s->controls_last->next = control;
    else
        s->controls = control;
    s->controls_last = control;
    s->control_count++;
}

void rt_sctp_control_chunk(rt_sctp *s, uint32_t tag, uint8_t type, uint8_t flags, rt_span value, bool sealed)
{
    uint8_t memory[RT_SCTP_CONTROL_ROOM];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_sctp_write_header(&w, s->config.local_port, s->config.remote_port, tag);
    rt_sctp_write_chunk(&w, type, flags, value);
    assert(rt_writer_ok(&w));
    rt_sctp_control_packet(s, rt_span_of(memory, rt_writer_size(&w)), sealed);
}

static void pop_control(rt_sctp *s)
{
    rt_sctp_control *control = s->controls;
    s->controls = control->next;
    s->control_count--;
    free(control);
}

void rt_sctp_control_clear(rt_sctp *s)
{
    while (s->controls)
        pop_control(s);
}

static void count_sent(rt_sctp *s, size_t size)
{
    s->stats.packets_sent++;
    s->stats.bytes_sent += size;
}

static bool send_controls(rt_sctp *s, rt_batch *out)
{
    while (s->controls) {
        rt_sctp_control *control = s->controls;
        uint8_t *room = rt_batch_reserve(out, control->size);
        if (!room)
            return false;
        memcpy(room, control->data, control->size);
        if (control->sealed || !s->abilities.zero_checksum)
            rt_sctp_seal(rt_buffer_of(room, control->size));
        rt_batch_commit(out, control->size);
        count_sent(s, control->size);
        pop_control(s);
    }
    return true;
}

static void finish_packet(rt_sctp *s, rt_batch *out, uint8_t *packet, size_t size)
{
    if (!s->abilities.zero_checksum)
        rt_sctp_seal(rt_buffer_of(packet, size));
    rt_batch_commit(out, size);
    count_sent(s, size);
}

/* ---- SACK and FORWARD-TSN ---- */

/* Gap-ack blocks up to `highest`, as many as the packet has room for beside `duplicates`. */
static size_t fitting_gaps(const rt_sctp *s, const rt_writer *w, uint32_t highest, size_t duplicates,
                           rt_sctp_gap gaps[GAPS_MAX])
{
    size_t fit = (rt_writer_left(w) - RT_SCTP_SACK_SIZE) / 4 - duplicates;
    return rt_sctp_tracker_gaps(&s->tracker, highest, gaps, fit < GAPS_MAX ? fit : GAPS_MAX);
}

static void write_sack(rt_sctp *s, rt_writer *w)
{
    rt_sctp_gap gaps[GAPS_MAX];
    size_t duplicates = s->tracker.duplicate_count;
    size_t count = fitting_gaps(s, w, rt_sctp_tracker_highest(&s->tracker), duplicates, gaps);
    s->advertised = rt_sctp_window(s);
    rt_sctp_write_sack(w, s->tracker.cumulative, s->advertised, gaps, count, s->tracker.duplicates, duplicates);
    s->tracker.duplicate_count = 0;
    s->sack_now = false;
    s->sack_packets = 0;
    s->sack_point_count = 0;
    rt_sctp_set(s, RT_SCTP_TIMER_SACK, RT_NEVER);
}

/* The SACKs that a small burst deserved before its last one. What was missing at a point can still be told
 * as long as the cumulative TSN has not moved since; each one says more than the one before. */
static void send_sack_points(rt_sctp *s, rt_batch *out)
{
    const rt_sctp_tracker *t = &s->tracker;
    uint32_t count = s->sack_packets <= RT_SCTP_SMALL_BURST ? s->sack_point_count : 0;
    uint32_t cumulative = t->cumulative, highest = rt_sctp_tracker_highest(t);
    s->sack_point_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        rt_sctp_sack_point point = s->sack_points[i];
        if (point.cumulative == cumulative && point.highest == highest)
            return; /* nothing new after it: the last SACK says so */
        bool missing = point.cumulative != point.highest;
        if (missing && point.cumulative != cumulative)
            continue;
        uint8_t *packet = rt_batch_reserve(out, s->mtu);
        if (!packet)
            return;
        rt_writer w = rt_writer_of(rt_buffer_of(packet, s->mtu));
        rt_sctp_write_header(&w, s->config.local_port, s->config.remote_port, s->peer_tag);
        rt_sctp_gap gaps[GAPS_MAX];
        size_t gap_count = missing ? fitting_gaps(s, &w, point.highest, 0, gaps) : 0;
        rt_sctp_write_sack(&w, point.cumulative, rt_sctp_window(s), gaps, gap_count, NULL, 0);
        assert(rt_writer_ok(&w));
        finish_packet(s, out, packet, rt_writer_size(&w));
    }
}

static void write_forward(rt_sctp *s, rt_writer *w)
{
    rt_sctp_skip skips[SKIPS_MAX];
    size_t each = s->abilities.interleaving ? 8 : 4;
    if (rt_writer_left(w) < 8 + each)
        return;
    size_t room = (rt_writer_left(w) - 8) / each, count;
    s->forward_due = false;
    uint32_t forward = rt_sctp_outstanding_forward(&s->outstanding, s->abilities.interleaving, skips,
                                                   room < SKIPS_MAX ? room : SKIPS_MAX, &count);
    if (forward == s->outstanding.acked)
        return;
    rt_sctp_write_forward(w, s->abilities.interleaving, forward, skips, count);
    s->forward_tsn = forward;
}

/* ---- data ---- */

static size_t data_header(const rt_sctp *s)
{
    return s->abilities.interleaving ? RT_SCTP_I_DATA_HEADER : RT_SCTP_DATA_HEADER;
}

static void write_data(const rt_sctp *s, rt_writer *w, uint32_t tsn, const rt_sctp_sent *sent, uint8_t flags)
{
    const rt_sctp_outgoing *message = sent->message;
    rt_sctp_write_data(w, &(rt_sctp_data){
                              .tsn = tsn,
                              .stream = message->stream->id,
                              .flags = sent->flags | flags,
                              .interleaved = s->abilities.interleaving,
                              .mid = message->mid,
                              .fsn = sent->fragment,
                              .protocol = message->protocol,
                              .payload = rt_span_of(message->data + sent->offset, sent->size),
                          });
}

/* Whether `size` more bytes may go against the peer's window (RFC 9260 section 6.1, A). */
static bool window_open(const rt_sctp *s, size_t size)
{
    return s->outstanding.bytes + size <= s->peer_window || (s->window_probe && s->outstanding.bytes == 0);
}

/* RFC 3758, 7496: whether a message is to be given up instead of being sent (again). */
static bool is_over(const rt_sctp *s, const rt_sctp_outgoing *message, uint32_t retransmits, rt_time now)
{
    return s->abilities.forward_tsn &&
           ((message->max_retransmits >= 0 && retransmits > (uint32_t)message->max_retransmits) ||
            message->expires <= now);
}

static void note_resent(rt_sctp *s, uint32_t tsn)
{
    s->resent[s->resent_count++ % 64] = tsn;
    s->undo_left++;
    s->stats.chunks_retransmitted++;
}

typedef enum fill {
    FILL_DONE,    /* there is no more */
    FILL_FULL,    /* the rest needs another packet */
    FILL_BLOCKED, /* by a window */
} fill;

/* Lost chunks as far as the packet has room. */
static fill write_lost(rt_sctp *s, rt_writer *w, bool fresh, rt_time now)
{
    rt_sctp_outstanding *o = &s->outstanding;
    while (o->lost.count) {
        uint32_t tsn = o->lost.first;
        rt_sctp_sent *sent = rt_sctp_sent_at(o, tsn);
        rt_sctp_outgoing *message = sent->message;
        if (is_over(s, message, sent->transmits, now)) {
            rt_sctp_abandon(s, message);
            if (message->abandoned)
                continue;
            sent = rt_sctp_sent_at(o, tsn);
        }
        size_t need = rt_sctp_padded(data_header(s) + sent->size);
        /* The first outstanding chunk is what a full receiver waits for. */
        if (!(window_open(s, sent->size) || tsn == o->acked + 1))
            return FILL_BLOCKED;
        if (!fresh && o->bytes + sent->size > s->congestion.window) {
            s->congestion.limited = true;
            return FILL_BLOCKED;
        }
        if (need > rt_writer_left(w))
            return FILL_FULL;
        write_data(s, w, tsn, sent, 0);
        rt_sctp_outstanding_resend(o, tsn, now);
        note_resent(s, tsn);
        s->window_probe = false;
        s->congestion.tokens -= sent->size;
        fresh = false;
    }
    return FILL_DONE;
}

static void give_up_expired(rt_sctp *s)
{
    while (s->queue.expired) {
        rt_sctp_outgoing *message = s->queue.expired;
        s->queue.expired = message->next;
        uint16_t stream = message->stream->id;
        s->stats.messages_abandoned++;
        rt_sctp_push_event(s, RT_SCTP_EVENT_ABANDONED, stream, NULL);
        if (message->fell_low)
            rt_sctp_push_event(s, RT_SCTP_EVENT_BUFFERED_LOW, stream, NULL);
        rt_sctp_free_buffer(s, message->size, 1);
        free(message);
    }
}

/* The message to go on with, after giving up those whose time is over. */
static rt_sctp_outgoing *next_message(rt_sctp *s, rt_time now)
{
    for (;;) {
        rt_sctp_outgoing *message = rt_sctp_queue_next(&s->queue, now);
        if (s->queue.expired)
            give_up_expired(s);
        if (!message || !message->sent || !is_over(s, message, 0, now))
            return message;
        rt_sctp_abandon(s, message);
        if (!message->abandoned)
            return NULL; /* no record for it: the ring is full */
    }
}

static void number_message(rt_sctp *s, rt_sctp_outgoing *message)
{
    rt_sctp_out_stream *stream = message->stream;
    if (s->abilities.interleaving)
        message->mid = stream->mid[message->unordered]++;
    else
        message->mid = message->unordered ? stream->ssn : stream->ssn++;
}

/* New chunks as far as the packet has room. A message that fits into a packet is not cut; a longer one fills
 * the packets to the last byte, so that a run of equal packets leaves (GSO). */
static fill write_new(rt_sctp *s, rt_writer *w, bool fresh, uint8_t flags, rt_time now)
{
    rt_sctp_outstanding *o = &s->outstanding;
    size_t header = data_header(s);
    size_t whole = ((size_t)s->mtu - RT_SCTP_HEADER_SIZE - header) & ~(size_t)3;
    for (;;) {
        rt_sctp_outgoing *message = next_message(s, now);
        if (!message)
            return FILL_DONE;
        if (rt_writer_left(w) < header + 4)
            return FILL_FULL;
        size_t room = (rt_writer_left(w) - header) & ~(size_t)3;
        size_t size = message->size - message->sent;
        if (size > room) {
            if (message->size <= whole)
                return FILL_FULL; /* it goes whole into the next packet */
            size = room;
        }
        if (!fresh && o->bytes >= s->congestion.window) {
            s->congestion.limited = true;
            return FILL_BLOCKED;
        }
        if (!window_open(s, size))
            return FILL_BLOCKED;
        uint32_t tsn = o->next;
        rt_sctp_sent *sent = rt_sctp_outstanding_push(o, message, (uint16_t)size, now);
        if (!sent)
            return FILL_BLOCKED; /* as many as gap-ack blocks can tell: what is outstanding comes first */
        if (message->sent == 0) {
            number_message(s, message);
            s->stats.messages_sent++;
        }
        write_data(s, w, tsn, sent, flags);
        s->stats.payload_sent += size;
        s->congestion.tokens -= (int64_t)size;
        s->window_probe = false;
        fresh = false;
        uint16_t stream = message->stream->id;
        if (rt_sctp_queue_take(&s->queue, message, (uint32_t)size))
            rt_sctp_push_event(s, RT_SCTP_EVENT_BUFFERED_LOW, stream, NULL);
    }
}

/* A tail loss probe: something new beyond the window, else the last chunk once more. */
static void write_probe(rt_sctp *s, rt_writer *w, rt_time now)
{
    rt_sctp_outstanding *o = &s->outstanding;
    s->probe = false;
    if (!o->flight.count)
        return;
    s->probe_out = true;
    s->probe_resent = false;
    s->stats.tail_probes++;
    uint32_t before = o->next;
    write_new(s, w, true, RT_SCTP_FLAG_IMMEDIATE, now);
    s->probe_tsn = o->next - 1;
    if (o->next != before)
        return;
    uint32_t tsn = o->flight.last;
    rt_sctp_sent *sent = rt_sctp_sent_at(o, tsn);
    if (rt_sctp_padded(data_header(s) + sent->size) > rt_writer_left(w))
        return;
    write_data(s, w, tsn, sent, RT_SCTP_FLAG_IMMEDIATE);
    rt_sctp_outstanding_resend(o, tsn, now);
    note_resent(s, tsn);
    s->probe_tsn = tsn;
    s->probe_resent = true;
}

static bool may_send_data(const rt_sctp *s)
{
    return s->state == RT_SCTP_ESTABLISHED || s->state == RT_SCTP_SHUTDOWN_PENDING ||
           s->state == RT_SCTP_SHUTDOWN_RECEIVED;
}

static bool data_waits(const rt_sctp *s)
{
    return s->outstanding.lost.count || !rt_sctp_queue_empty(&s->queue);
}

/* Data for one packet. `*more` if another packet could follow. */
static void write_chunks(rt_sctp *s, rt_writer *w, bool *more, rt_time now)
{
    rt_sctp_outstanding *o = &s->outstanding;
    uint8_t *before = w->at;
    if (s->probe) {
        write_probe(s, w, now);
        if (w->at != before)
            return;
    }
    if (!data_waits(s))
        return;
    /* After a silence or a timeout one packet may always go: it is the clock of everything that follows. */
    bool fresh = o->bytes == 0;
    if (!fresh && (o->bytes >= s->congestion.window || s->congestion.tokens <= 0)) {
        s->congestion.limited = true;
        return;
    }
    fill filled = write_lost(s, w, fresh, now);
    if (filled == FILL_DONE)
        filled = write_new(s, w, fresh && w->at == before, 0, now);
    *more = filled == FILL_FULL;
}

/* The size of the next packet: chunks that were cut for a larger path MTU cannot be cut again. */
static size_t packet_room(const rt_sctp *s)
{
    size_t need = 0;
    if (s->outstanding.lost.count)
        need = rt_sctp_sent_at(&s->outstanding, s->outstanding.lost.first)->size;
    else if (s->probe && s->outstanding.flight.count)
        need = rt_sctp_sent_at(&s->outstanding, s->outstanding.flight.last)->size;
    need = RT_SCTP_HEADER_SIZE + rt_sctp_padded(data_header(s) + need);
    return need > s->mtu ? need : s->mtu;
}

/* Everything that waits for something other than an acknowledgement gets a timer. */
static void arm_waiting(rt_sctp *s, rt_time now)
{
    rt_sctp_set(s, RT_SCTP_TIMER_PACE, RT_NEVER);
    if (!data_waits(s))
        return;
    const rt_sctp_outstanding *o = &s->outstanding;
    if (o->bytes && o->bytes < s->congestion.window && s->congestion.tokens <= 0)
        rt_sctp_set(s, RT_SCTP_TIMER_PACE, rt_sctp_congestion_ready(&s->congestion, s->srtt, now));
    if (o->bytes == 0 && !s->window_probe && s->timers[RT_SCTP_TIMER_WINDOW] == RT_NEVER)
        rt_sctp_set(s, RT_SCTP_TIMER_WINDOW, now + rt_sctp_backed_off(s, s->rto, s->backoff));
}

size_t rt_sctp_transmit(rt_sctp *s, rt_batch *out, rt_time now)
{
    uint32_t first = out->count;
    if (!send_controls(s, out) || !rt_sctp_is_open(s))
        return out->count - first;
    bool data = may_send_data(s);
    bool more = data;
    bool sent_data = false;
    uint64_t abandoned = s->stats.messages_abandoned;
    if (data && data_waits(s)) {
        rt_sctp_congestion_tokens(&s->congestion, s->srtt, now);
        s->congestion.limited = false;
    }
    if (s->sack_now)
        send_sack_points(s, out);
    while (s->sack_now || more || (s->forward_due && data)) {
        size_t room = packet_room(s);
        uint8_t *packet = rt_batch_reserve(out, room);
        if (!packet)
            break;
        rt_writer w = rt_writer_of(rt_buffer_of(packet, room));
        rt_sctp_write_header(&w, s->config.local_port, s->config.remote_port, s->peer_tag);
        if (s->sack_now || (s->sack_packets && data && data_waits(s)))
            write_sack(s, &w);
        uint8_t *before = w.at;
        if (s->forward_due && data)
            write_forward(s, &w);
        more = false;
        if (data)
            write_chunks(s, &w, &more, now);
        sent_data |= w.at != before;
        assert(rt_writer_ok(&w));
        size_t size = rt_writer_size(&w);
        if (size == RT_SCTP_HEADER_SIZE && !s->forward_due)
            break;
        if (size == RT_SCTP_HEADER_SIZE)
            continue; /* something was given up just now: tell */
        finish_packet(s, out, packet, size);
    }
    if (sent_data) {
        rt_sctp_guard_flight(s, now);
        rt_sctp_path_alive(s, now);
    }
    if (data)
        arm_waiting(s, now);
    if (s->stats.messages_abandoned != abandoned) { /* a reset or the shutdown may wait for no more */
        if (s->resets.wanted)
            rt_sctp_reset_progress(s, now);
        rt_sctp_shutdown_progress(s, now);
    }
    rt_sctp_settle_events(s);
    send_controls(s, out);
    return out->count - first;
}
