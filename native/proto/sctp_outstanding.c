#include "proto/sctp_outstanding.h"

#include <assert.h>

void rt_sctp_outstanding_init(rt_sctp_outstanding *o, uint32_t first_tsn)
{
    *o = (rt_sctp_outstanding){
        .acked = first_tsn - 1,
        .next = first_tsn,
        .highest = first_tsn - 1,
        .min_rtt = RT_NEVER,
        .rack_sent_at = INT64_MIN,
        .reorder_scale = 1,
    };
    rt_ring_init(&o->ring, sizeof(rt_sctp_sent), RT_SCTP_OUTSTANDING_MAX);
}

uint64_t rt_sctp_outstanding_clear(rt_sctp_outstanding *o, uint32_t *messages)
{
    uint64_t bytes = 0;
    *messages = 0;
    while (o->ring.count) {
        rt_sctp_sent *sent = rt_ring_first(&o->ring);
        if (sent->state == RT_SCTP_IN_FLIGHT || sent->state == RT_SCTP_LOST)
            bytes += sent->size;
        *messages += rt_sctp_outgoing_unref(sent->message);
        rt_ring_pop(&o->ring);
    }
    o->acked = o->next - 1;
    o->flight = o->lost = (rt_sctp_sent_list){0};
    o->bytes = o->abandoned = 0;
    return bytes;
}

void rt_sctp_outstanding_free(rt_sctp_outstanding *o)
{
    rt_ring_free(&o->ring);
}

static void append(rt_sctp_outstanding *o, rt_sctp_sent_list *list, uint32_t tsn, rt_sctp_sent *sent)
{
    sent->previous = list->last;
    sent->next = tsn;
    if (list->count++)
        rt_sctp_sent_at(o, list->last)->next = tsn;
    else
        list->first = tsn;
    list->last = tsn;
}

static void unlink_sent(rt_sctp_outstanding *o, rt_sctp_sent_list *list, uint32_t tsn, const rt_sctp_sent *sent)
{
    assert(list->count > 0);
    if (--list->count == 0)
        return;
    if (tsn == list->first) {
        list->first = sent->next;
    } else if (tsn == list->last) {
        list->last = sent->previous;
    } else {
        rt_sctp_sent_at(o, sent->previous)->next = sent->next;
        rt_sctp_sent_at(o, sent->next)->previous = sent->previous;
    }
}

/* Out of the list it is in. */
static void detach(rt_sctp_outstanding *o, uint32_t tsn, const rt_sctp_sent *sent)
{
    if (sent->state == RT_SCTP_IN_FLIGHT) {
        unlink_sent(o, &o->flight, tsn, sent);
        o->bytes -= sent->size;
    } else if (sent->state == RT_SCTP_LOST) {
        unlink_sent(o, &o->lost, tsn, sent);
    }
}

rt_sctp_sent *rt_sctp_outstanding_push(rt_sctp_outstanding *o, rt_sctp_outgoing *message, uint16_t size, rt_time now)
{
    rt_sctp_sent *sent = rt_ring_push(&o->ring);
    if (!sent)
        return NULL;
    *sent = (rt_sctp_sent){
        .message = message,
        .sent_at = now,
        .offset = message->sent,
        .fragment = message->fragment,
        .run_end = o->next,
        .size = size,
        .flags = (uint8_t)((message->unordered ? RT_SCTP_FLAG_UNORDERED : 0) |
                           (message->sent == 0 ? RT_SCTP_FLAG_BEGIN : 0) |
                           (message->sent + size == message->size ? RT_SCTP_FLAG_END : 0)),
        .state = size ? RT_SCTP_IN_FLIGHT : RT_SCTP_ABANDONED,
        .transmits = 1,
    };
    uint32_t tsn = o->next++;
    if (message->sent == 0)
        message->first_tsn = tsn;
    message->chunks++;
    message->stream->chunks++;
    if (size) {
        append(o, &o->flight, tsn, sent);
        o->bytes += size;
    } else {
        o->abandoned++;
    }
    return sent;
}

void rt_sctp_outstanding_resend(rt_sctp_outstanding *o, uint32_t tsn, rt_time now)
{
    rt_sctp_sent *sent = rt_sctp_sent_at(o, tsn);
    detach(o, tsn, sent);
    sent->state = RT_SCTP_IN_FLIGHT;
    sent->sent_at = now;
    if (sent->transmits < UINT16_MAX)
        sent->transmits++;
    append(o, &o->flight, tsn, sent);
    o->bytes += sent->size;
}

/* The arrival of one chunk as RACK sees it (RFC 8985 section 6.2, steps 1 to 3). */
static void observe(rt_sctp_outstanding *o, uint32_t tsn, const rt_sctp_sent *sent, rt_time now, rt_sctp_acked *out)
{
    rt_time rtt = now - sent->sent_at;
    if (sent->transmits == 1 && rt_seq32_before(tsn, o->highest))
        o->reordering = true;
    if (sent->state == RT_SCTP_LOST)
        return; /* given up before: the time says how long the path was silent, not how long it is */
    if (sent->transmits == 1) {
        if (!out->rtt || rtt < out->rtt)
            out->rtt = rtt > 0 ? rtt : 1;
        if (rtt < o->min_rtt)
            o->min_rtt = rtt;
    } else if (rtt < o->min_rtt) {
        return; /* too early for the retransmission: this acknowledges the original */
    }
    if (sent->sent_at > o->rack_sent_at || (sent->sent_at == o->rack_sent_at && rt_seq32_before(o->rack_tsn, tsn))) {
        o->rack_sent_at = sent->sent_at;
        o->rack_tsn = tsn;
        o->rack_rtt = rtt;
    }
}

static void acknowledge(rt_sctp_outstanding *o, uint32_t tsn, rt_sctp_sent *sent, rt_time now, rt_sctp_acked *out)
{
    if (sent->state == RT_SCTP_ACKED)
        return;
    out->chunks++;
    if (sent->state == RT_SCTP_ABANDONED) {
        o->abandoned--;
        return;
    }
    observe(o, tsn, sent, now, out);
    detach(o, tsn, sent);
    out->bytes += sent->size;
}

bool rt_sctp_outstanding_ack(rt_sctp_outstanding *o, uint32_t cumulative_tsn, rt_time now, rt_sctp_acked *out)
{
    uint32_t count = cumulative_tsn - o->acked;
    if ((int32_t)count < 0 || count > o->ring.count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tsn = o->acked + 1;
        rt_sctp_sent *sent = rt_ring_first(&o->ring);
        acknowledge(o, tsn, sent, now, out);
        out->messages += rt_sctp_outgoing_unref(sent->message);
        rt_ring_pop(&o->ring);
        o->acked = tsn;
    }
    if (count) {
        out->advanced = true;
        o->behind = 0;
        if (rt_seq32_before(o->highest, cumulative_tsn))
            o->highest = cumulative_tsn;
    }
    return true;
}

/* Not to be sent again, whether it arrived or was given up. */
static bool is_done(const rt_sctp_sent *sent)
{
    return sent->state == RT_SCTP_ACKED || sent->state == RT_SCTP_ABANDONED;
}

static void acknowledge_gap(rt_sctp_outstanding *o, uint32_t start, uint32_t end, rt_time now, rt_sctp_acked *out)
{
    /* Every record on the way learns how far the run goes, so that nobody walks it again, wherever the next
     * block begins. */
    for (uint32_t tsn = start, last; rt_seq32_at_most(tsn, end); tsn = last + 1) {
        rt_sctp_sent *sent = rt_sctp_sent_at(o, tsn);
        last = tsn;
        if (is_done(sent)) {
            last = sent->run_end;
        } else {
            acknowledge(o, tsn, sent, now, out);
            sent->state = RT_SCTP_ACKED;
            sent->run_end = tsn;
            o->behind++;
        }
        if (rt_seq32_before(sent->run_end, end))
            sent->run_end = end;
    }
    if (rt_seq32_before(o->highest, end))
        o->highest = end;
}

/* The first outstanding chunk cannot be acknowledged by a gap: whoever has it has moved the cumulative TSN.
 * If it is, the peer reneged (RFC 9260 section 6.2); what it still has it will report again. */
static uint32_t unacknowledge(rt_sctp_outstanding *o)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < o->ring.count; i++) {
        rt_sctp_sent *sent = rt_ring_at(&o->ring, i);
        sent->run_end = o->acked + 1 + i;
        if (sent->state == RT_SCTP_ACKED) {
            sent->state = RT_SCTP_LOST;
            append(o, &o->lost, o->acked + 1 + i, sent);
            bytes += sent->size;
        }
    }
    return bytes;
}

bool rt_sctp_outstanding_sack(rt_sctp_outstanding *o, const rt_sctp_sack *sack, rt_time now, rt_sctp_acked *out)
{
    *out = (rt_sctp_acked){0};
    uint32_t behind = o->behind;
    if (!rt_sctp_outstanding_ack(o, sack->cumulative_tsn, now, out))
        return false;
    uint32_t limit = o->ring.count;
    for (size_t i = 0; i < sack->gap_count; i++) {
        rt_sctp_gap gap = rt_sctp_sack_gap(sack, i);
        if (gap.start < 2 || gap.start > gap.end || gap.end > limit)
            continue; /* never sent, or nonsense */
        acknowledge_gap(o, o->acked + gap.start, o->acked + gap.end, now, out);
    }
    if (out->advanced && o->behind < behind && sack->gap_count)
        o->behind = behind; /* still in the same hole's shadow */
    rt_sctp_sent *first = rt_ring_first(&o->ring);
    if (first && first->state == RT_SCTP_ACKED)
        out->reneged = unacknowledge(o);
    return true;
}

static rt_time reorder_window(const rt_sctp_outstanding *o, rt_time srtt, bool recovering)
{
    if (!o->reordering && (recovering || o->behind >= 3))
        return 0;
    rt_time window = o->min_rtt == RT_NEVER ? srtt / 4 : o->min_rtt / 4 * o->reorder_scale;
    return rt_time_min(window, srtt);
}

uint32_t rt_sctp_outstanding_detect(rt_sctp_outstanding *o, rt_time srtt, bool recovering, rt_time now, rt_time *again)
{
    uint32_t bytes = 0;
    rt_time late = o->rack_rtt + reorder_window(o, srtt, recovering);
    *again = RT_NEVER;
    while (o->flight.count) {
        uint32_t tsn = o->flight.first;
        rt_sctp_sent *sent = rt_sctp_sent_at(o, tsn);
        if (sent->sent_at > o->rack_sent_at || (sent->sent_at == o->rack_sent_at && rt_seq32_at_most(o->rack_tsn, tsn)))
            break; /* nothing sent after it has arrived */
        if (sent->sent_at + late > now) {
            *again = sent->sent_at + late;
            break;
        }
        detach(o, tsn, sent);
        sent->state = RT_SCTP_LOST;
        append(o, &o->lost, tsn, sent);
        bytes += sent->size;
    }
    return bytes;
}

void rt_sctp_outstanding_lose_all(rt_sctp_outstanding *o)
{
    o->flight = o->lost = (rt_sctp_sent_list){0};
    o->bytes = 0;
    for (uint32_t i = 0; i < o->ring.count; i++) { /* in TSN order: the peer needs the lowest first */
        rt_sctp_sent *sent = rt_ring_at(&o->ring, i);
        if (sent->state == RT_SCTP_IN_FLIGHT || sent->state == RT_SCTP_LOST) {
            sent->state = RT_SCTP_LOST;
            append(o, &o->lost, o->acked + 1 + i, sent);
        }
    }
}

void rt_sctp_outstanding_spurious(rt_sctp_outstanding *o)
{
    o->reordering = true;
    if (o->reorder_scale < 16)
        o->reorder_scale++;
}

/* The chunks of a message have consecutive TSNs without interleaving, and are spread with it: the ring is
 * searched from its first one to its last one. */
void rt_sctp_outstanding_abandon(rt_sctp_outstanding *o, rt_sctp_outgoing *message, uint32_t *bytes)
{
    uint32_t left = message->chunks;
    *bytes = 0;
    uint32_t first = message->first_tsn - o->acked - 1;
    if (rt_seq32_at_most(message->first_tsn, o->acked))
        first = 0;
    for (uint32_t i = first; i < o->ring.count && left; i++) {
        rt_sctp_sent *sent = rt_ring_at(&o->ring, i);
        if (sent->message != message)
            continue;
        left--;
        if (sent->state != RT_SCTP_IN_FLIGHT && sent->state != RT_SCTP_LOST) {
            if (sent->state == RT_SCTP_ACKED) { /* skipped with the rest, so that skips stay contiguous */
                sent->state = RT_SCTP_ABANDONED;
                o->abandoned++;
            }
            continue;
        }
        detach(o, o->acked + 1 + i, sent);
        sent->state = RT_SCTP_ABANDONED;
        o->abandoned++;
        *bytes += sent->size;
    }
}

static bool add_skip(rt_sctp_skip *skips, size_t room, size_t *count, rt_sctp_skip skip)
{
    for (size_t i = 0; i < *count; i++) {
        if (skips[i].stream == skip.stream && skips[i].unordered == skip.unordered) {
            skips[i].mid = skip.mid; /* TSNs rise, so do messages of a stream */
            return true;
        }
    }
    if (*count == room)
        return false;
    skips[(*count)++] = skip;
    return true;
}

uint32_t rt_sctp_outstanding_forward(const rt_sctp_outstanding *o, bool interleaved, rt_sctp_skip *skips, size_t room,
                                     size_t *count)
{
    uint32_t forward = o->acked;
    *count = 0;
    for (uint32_t i = 0; i < o->ring.count; i++) {
        const rt_sctp_sent *sent = rt_ring_at(&o->ring, i);
        if (sent->state != RT_SCTP_ABANDONED)
            break;
        const rt_sctp_outgoing *message = sent->message;
        /* Plain FORWARD-TSN names ordered messages only (RFC 3758 section 3.2). */
        if ((interleaved || !message->unordered) &&
            !add_skip(skips, room, count, (rt_sctp_skip){message->stream->id, message->unordered, message->mid}))
            break;
        forward++;
    }
    return forward;
}
