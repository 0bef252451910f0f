#include <assert.h>

#include "proto/sctp_internal.h"

void rt_sctp_report(rt_sctp *s, uint16_t cause, rt_span info)
{
    uint8_t memory[256];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    size_t room = sizeof memory - RT_SCTP_CHUNK_HEADER;
    rt_sctp_write_param(&w, cause, rt_span_of(info.data, info.size < room ? info.size : room));
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_ERROR, 0, rt_span_of(memory, rt_writer_size(&w)), false);
}

static void violation(rt_sctp *s, const char *text)
{
    rt_sctp_abort_with(s, RT_SCTP_CAUSE_PROTOCOL_VIOLATION, rt_span_text(text), text);
}

/* ---- DATA and I-DATA ---- */

/* Whether there is room for a new chunk. Payload is held to the window that was announced; bookkeeping, which
 * was not announced byte by byte, to twice as much. A chunk that moves the cumulative TSN is taken beyond the
 * window as long as it may complete something that waits: refusing it would leave both ends waiting for each
 * other. */
static bool has_room(const rt_sctp *s, const rt_sctp_data *data, rt_sctp_arrival arrival)
{
    uint64_t window = s->config.receive_buffer;
    uint64_t costs = (s->reassembly.nodes + s->undelivered_messages) * RT_SCTP_MESSAGE_COST + s->taken_cost;
    uint64_t payload = s->reassembly.buffered + s->undelivered + s->taken + s->taken_cost - costs;
    if (arrival == RT_SCTP_ARRIVAL_NEXT && (s->tracker.count || rt_sctp_reassembly_waiting(&s->reassembly)))
        window *= 2;
    return payload + data->payload.size <= window && costs <= 2 * window;
}

/* True if the chunk was taken, or need not come again. */
static bool take_data(rt_sctp *s, const rt_sctp_data *data)
{
    rt_sctp_arrival arrival = rt_sctp_tracker_look(&s->tracker, data->tsn);
    if (arrival == RT_SCTP_ARRIVAL_DUPLICATE) {
        s->stats.duplicate_chunks++;
        s->sack_now = true;
        return false;
    }
    if (arrival == RT_SCTP_ARRIVAL_OUTSIDE || !has_room(s, data, arrival)) {
        s->stats.out_of_window++;
        s->sack_now = true;
        return false;
    }
    if (data->stream >= s->streams_in) { /* RFC 9260 section 6.5: reported, and never asked for again */
        uint8_t info[4];
        rt_store16(info, data->stream);
        rt_store16(info + 2, 0);
        rt_sctp_report(s, RT_SCTP_CAUSE_INVALID_STREAM, rt_span_of(info, 4));
        rt_sctp_tracker_add(&s->tracker, data->tsn);
        return false;
    }
    switch (rt_sctp_reassembly_add(&s->reassembly, data)) {
    case RT_OK: break;
    case RT_UNEXPECTED: s->stats.unexpected++; break;
    case RT_AGAIN:
        s->stats.out_of_window++;
        s->sack_now = true;
        return false;
    case RT_TOO_LARGE: violation(s, "message larger than allowed"); return false;
    case RT_NO_MEMORY:
        rt_sctp_abort_with(s, RT_SCTP_CAUSE_OUT_OF_RESOURCE, rt_span_of(NULL, 0), "out of memory");
        return false;
    default: violation(s, "fragments contradict each other"); return false;
    }
    rt_sctp_tracker_add(&s->tracker, data->tsn);
    return true;
}

static void on_data(rt_sctp *s, const rt_sctp_chunk *chunk, bool *arrived)
{
    rt_sctp_data data;
    if (s->state < RT_SCTP_ESTABLISHED || s->state == RT_SCTP_SHUTDOWN_RECEIVED ||
        s->state == RT_SCTP_SHUTDOWN_ACK_SENT) {
        s->stats.unexpected++;
        return;
    }
    if ((chunk->type == RT_SCTP_I_DATA) != s->abilities.interleaving) {
        s->stats.unexpected++; /* RFC 8260 section 2.2.3 */
        return;
    }
    if (!rt_sctp_parse_data(chunk, &data)) {
        size_t fixed = chunk->type == RT_SCTP_I_DATA ? RT_SCTP_I_DATA_HEADER : RT_SCTP_DATA_HEADER;
        if (chunk->value.size + RT_SCTP_CHUNK_HEADER == fixed) /* RFC 9260 section 6.2 */
            rt_sctp_abort_with(s, RT_SCTP_CAUSE_NO_USER_DATA, rt_span_of(chunk->value.data, 4), "DATA without data");
        else
            s->stats.malformed++;
        return;
    }
    *arrived = true;
    if (data.flags & RT_SCTP_FLAG_IMMEDIATE)
        s->sack_now = true;
    if (take_data(s, &data) && s->reassembly.ready)
        rt_sctp_push_messages(s);
}

static void on_forward(rt_sctp *s, const rt_sctp_chunk *chunk)
{
    rt_sctp_forward forward;
    if (!rt_sctp_is_open(s) || !s->abilities.forward_tsn ||
        (chunk->type == RT_SCTP_I_FORWARD_TSN) != s->abilities.interleaving) {
        s->stats.unexpected++;
        return;
    }
    if (!rt_sctp_parse_forward(chunk, &forward)) {
        s->stats.malformed++;
        return;
    }
    s->sack_now = true;
    if (!rt_sctp_tracker_forward(&s->tracker, forward.cumulative_tsn))
        return;
    if (rt_sctp_reassembly_forward(&s->reassembly, &forward) == RT_OK)
        rt_sctp_push_messages(s);
    else
        rt_sctp_abort_with(s, RT_SCTP_CAUSE_OUT_OF_RESOURCE, rt_span_of(NULL, 0), "out of memory");
}

/* RFC 9260 section 6.2: at once when something is missing, came twice or every second packet, else soon. At
 * once means with the next transmit, after the burst; it then also says what was so in between. */
static void schedule_sack(rt_sctp *s, rt_time now)
{
    bool missing = s->tracker.count || s->state == RT_SCTP_SHUTDOWN_SENT;
    if (++s->sack_packets % 2 == 0 || missing) {
        s->sack_now = true;
        if (s->sack_point_count < RT_SCTP_SMALL_BURST / 2)
            s->sack_points[s->sack_point_count++] =
                (rt_sctp_sack_point){s->tracker.cumulative, rt_sctp_tracker_highest(&s->tracker)};
    } else if (!s->sack_now && s->timers[RT_SCTP_TIMER_SACK] == RT_NEVER) {
        rt_sctp_set(s, RT_SCTP_TIMER_SACK, now + s->config.sack_delay);
    }
}

/* ---- the rest ---- */

static void on_sack(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now)
{
    rt_sctp_sack sack;
    if (!rt_sctp_parse_sack(chunk, &sack))
        s->stats.malformed++;
    else if (!rt_sctp_is_open(s))
        s->stats.unexpected++;
    else
        rt_sctp_on_sack(s, &sack, now);
}

static void on_heartbeat(rt_sctp *s, const rt_sctp_chunk *chunk)
{
    if (!rt_sctp_is_open(s) && s->state != RT_SCTP_COOKIE_ECHOED)
        s->stats.unexpected++;
    else if (chunk->value.size + 64 > RT_SCTP_CONTROL_ROOM)
        s->stats.malformed++;
    else
        rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_HEARTBEAT_ACK, 0, chunk->value, false);
}

/* The first cause, with the words that come with some of them (RFC 9260 sections 3.3.10.12 and 13): the
 * peer's, so only what can be printed. */
static void on_abort(rt_sctp *s, const rt_sctp_chunk *chunk)
{
    char text[sizeof s->end_text] = "aborted by the peer";
    rt_reader r = rt_reader_of(chunk->value);
    rt_sctp_param cause = {.type = RT_SCTP_CAUSE_USER_ABORT};
    if (rt_sctp_next_param(&r, &cause) && cause.value.size > 0 &&
        (cause.type == RT_SCTP_CAUSE_USER_ABORT || cause.type == RT_SCTP_CAUSE_PROTOCOL_VIOLATION)) {
        size_t at = strlen(text);
        text[at++] = ':';
        text[at++] = ' ';
        for (size_t i = 0; i < cause.value.size && at < sizeof text - 1; i++, at++)
            text[at] = cause.value.data[i] >= 0x20 && cause.value.data[i] < 0x7f ? (char)cause.value.data[i] : '?';
        text[at] = 0;
    }
    rt_sctp_end(s, cause.type, text);
}

static void on_error(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now)
{
    rt_reader r = rt_reader_of(chunk->value);
    rt_sctp_param cause;
    while (!s->ended && rt_sctp_next_param(&r, &cause)) {
        if (cause.type == RT_SCTP_CAUSE_STALE_COOKIE)
            rt_sctp_on_stale_cookie(s, cause.value, now);
    }
    if (!rt_reader_ok(&r))
        s->stats.malformed++;
}

/* RFC 9260 section 3.2: the two high bits of an unknown type say what to do. False: stop with this packet. */
static bool on_unknown(rt_sctp *s, const rt_sctp_chunk *chunk)
{
    s->stats.unexpected++;
    if (chunk->type & 0x40 && rt_sctp_is_open(s)) {
        uint8_t head[4] = {chunk->type, chunk->flags};
        rt_store16(head + 2, (uint16_t)(chunk->value.size + RT_SCTP_CHUNK_HEADER));
        rt_sctp_report(s, RT_SCTP_CAUSE_UNRECOGNIZED_CHUNK, rt_span_of(head, 4));
    }
    return chunk->type & 0x80;
}

/* False: the rest of the packet is not looked at. */
static bool on_chunk(rt_sctp *s, const rt_sctp_chunk *chunk, uint32_t tag, bool *arrived, rt_time now)
{
    switch (chunk->type) {
    case RT_SCTP_DATA:
    case RT_SCTP_I_DATA: on_data(s, chunk, arrived); return true;
    case RT_SCTP_SACK: on_sack(s, chunk, now); return true;
    case RT_SCTP_FORWARD_TSN:
    case RT_SCTP_I_FORWARD_TSN: on_forward(s, chunk); return true;
    case RT_SCTP_HEARTBEAT: on_heartbeat(s, chunk); return true;
    case RT_SCTP_HEARTBEAT_ACK: rt_sctp_on_heartbeat_ack(s, chunk, now); return true;
    case RT_SCTP_RE_CONFIG: rt_sctp_on_reconfig(s, chunk, now); return true;
    case RT_SCTP_INIT_ACK: rt_sctp_on_init_ack(s, chunk, now); return true;
    case RT_SCTP_COOKIE_ECHO: rt_sctp_on_cookie_echo(s, chunk, tag, now); return s->peer_tag && s->my_tag == tag;
    case RT_SCTP_COOKIE_ACK: rt_sctp_on_cookie_ack(s, now); return true;
    case RT_SCTP_SHUTDOWN: rt_sctp_on_shutdown(s, chunk, now); return true;
    case RT_SCTP_SHUTDOWN_ACK: rt_sctp_on_shutdown_ack(s, now); return true;
    case RT_SCTP_SHUTDOWN_COMPLETE: rt_sctp_on_shutdown_complete(s); return true;
    case RT_SCTP_ABORT: on_abort(s, chunk); return false;
    case RT_SCTP_ERROR: on_error(s, chunk, now); return true;
    case RT_SCTP_PAD: return true;
    case RT_SCTP_INIT: s->stats.malformed++; return false; /* not alone in its packet, or with a tag */
    default: return on_unknown(s, chunk);
    }
}

/* RFC 9260 section 8.5. COOKIE ECHO brings its own proof. */
static bool tag_ok(const rt_sctp *s, const rt_sctp_header *header, const rt_sctp_chunk *first)
{
    if (first->type == RT_SCTP_COOKIE_ECHO)
        return true;
    if ((first->type == RT_SCTP_ABORT || first->type == RT_SCTP_SHUTDOWN_COMPLETE) &&
        first->flags & RT_SCTP_FLAG_REFLECTED)
        return s->peer_tag && header->tag == s->peer_tag;
    return s->state != RT_SCTP_CLOSED && header->tag == s->my_tag;
}

static bool checksum_ok(const rt_sctp *s, rt_span packet, const rt_sctp_header *header)
{
    return (header->checksum == 0 && s->config.zero_checksum) || rt_sctp_checksum_ok(packet);
}

/* A SHUTDOWN ACK for an association that is over, or that the peer still has while we begin anew: our
 * SHUTDOWN COMPLETE was lost (RFC 9260 section 8.4, 5 and 8.5.1, E). */
static bool is_late_shutdown_ack(const rt_sctp *s, const rt_sctp_chunk *first)
{
    return first->type == RT_SCTP_SHUTDOWN_ACK &&
           (s->ended ? s->end_error == 0 : s->state == RT_SCTP_COOKIE_WAIT || s->state == RT_SCTP_COOKIE_ECHOED);
}

/* A peer that still talks to an association which ended in failure has not seen our ABORT, or was thought dead:
 * it is told instead of left to its timers (RFC 9260 section 8.4, 8). */
static bool is_owed_abort(const rt_sctp *s, const rt_sctp_chunk *first)
{
    switch (first->type) {
    case RT_SCTP_ABORT:
    case RT_SCTP_INIT:
    case RT_SCTP_COOKIE_ACK:
    case RT_SCTP_ERROR:
    case RT_SCTP_SHUTDOWN_COMPLETE: return false;
    default: return s->end_error != 0;
    }
}

rt_status rt_sctp_receive(rt_sctp *s, rt_span packet, rt_time now)
{
    rt_reader r = rt_reader_of(packet);
    rt_sctp_header header;
    rt_sctp_chunk chunk;
    if (!rt_sctp_read_header(&r, &header)) {
        s->stats.malformed++;
        return RT_MALFORMED;
    }
    if (!checksum_ok(s, packet, &header)) {
        s->stats.bad_checksum++;
        return RT_UNAUTHENTICATED;
    }
    if (header.source_port != s->config.remote_port || header.destination_port != s->config.local_port) {
        s->stats.unexpected++;
        return RT_UNEXPECTED;
    }
    if (!rt_sctp_next_chunk(&r, &chunk)) {
        s->stats.malformed++;
        return RT_MALFORMED;
    }
    if (is_late_shutdown_ack(s, &chunk))
        rt_sctp_control_chunk(s, header.tag, RT_SCTP_SHUTDOWN_COMPLETE, RT_SCTP_FLAG_REFLECTED, rt_span_of(NULL, 0),
                              true);
    if (s->ended) {
        if (is_owed_abort(s, &chunk))
            rt_sctp_control_chunk(s, header.tag, RT_SCTP_ABORT, RT_SCTP_FLAG_REFLECTED, rt_span_of(NULL, 0), true);
        return RT_CLOSED;
    }
    bool alone = rt_reader_left(&r) == 0;
    if (chunk.type == RT_SCTP_INIT && header.tag == 0 && alone) {
        s->stats.packets_received++;
        s->stats.bytes_received += packet.size;
        rt_sctp_on_init(s, &chunk, now);
        return RT_OK;
    }
    if (!tag_ok(s, &header, &chunk)) {
        s->stats.bad_tag++;
        return RT_UNAUTHENTICATED;
    }
    s->stats.packets_received++;
    s->stats.bytes_received += packet.size;

    bool arrived = false, go_on = true;
    uint32_t cumulative = s->tracker.cumulative;
    do
        go_on = on_chunk(s, &chunk, header.tag, &arrived, now) && !s->ended;
    while (go_on && rt_sctp_next_chunk(&r, &chunk));
    if (s->ended)
        return RT_OK;
    if (arrived)
        schedule_sack(s, now);
    if (s->resets.deferred && s->tracker.cumulative != cumulative)
        rt_sctp_reset_deferred(s, now);
    if (s->state == RT_SCTP_SHUTDOWN_SENT && arrived)
        rt_sctp_repeat_shutdown(s, now); /* section 9.2: with the SACK, and T2 begins again */
    rt_sctp_settle_events(s);
    if (!rt_reader_ok(&r)) {
        s->stats.malformed++;
        return RT_MALFORMED;
    }
    return RT_OK;
}
