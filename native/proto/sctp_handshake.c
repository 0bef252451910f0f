#include <assert.h>
#include <stdlib.h>

#include "proto/sctp_internal.h"

/* ---- parameters ---- */

static void write_abilities(rt_writer *w, const rt_sctp *s)
{
    uint8_t chunks[4] = {RT_SCTP_RE_CONFIG, RT_SCTP_FORWARD_TSN, RT_SCTP_I_DATA, RT_SCTP_I_FORWARD_TSN};
    rt_sctp_write_param(w, RT_SCTP_PARAM_FORWARD_TSN, rt_span_of(NULL, 0));
    rt_sctp_write_param(w, RT_SCTP_PARAM_EXTENSIONS, rt_span_of(chunks, s->config.interleaving ? 4 : 2));
    if (s->config.zero_checksum) {
        uint8_t *param = rt_sctp_open_param(w, RT_SCTP_PARAM_ZERO_CHECKSUM);
        rt_write32(w, RT_SCTP_EDMID_DTLS);
        rt_sctp_close_param(w, param);
    }
}

static bool known(uint16_t type)
{
    switch (type) {
    case RT_SCTP_PARAM_IPV4:
    case RT_SCTP_PARAM_IPV6:
    case RT_SCTP_PARAM_STATE_COOKIE:
    case RT_SCTP_PARAM_UNRECOGNIZED:
    case RT_SCTP_PARAM_COOKIE_PRESERVATIVE:
    case RT_SCTP_PARAM_ADDRESS_TYPES:
    case RT_SCTP_PARAM_ECN:
    case RT_SCTP_PARAM_ZERO_CHECKSUM:
    case RT_SCTP_PARAM_EXTENSIONS:
    case RT_SCTP_PARAM_FORWARD_TSN:
    case RT_SCTP_PARAM_ADAPTATION: return true;
    default: return false;
    }
}

typedef struct offer { /* of the peer's INIT or INIT ACK */
    rt_sctp_abilities abilities;
    rt_span cookie;
    rt_time cookie_extension;
    bool host_name;
} offer;

static void read_extensions(offer *o, rt_span chunks)
{
    bool data = false, forward = false;
    for (size_t i = 0; i < chunks.size; i++) {
        o->abilities.reset |= chunks.data[i] == RT_SCTP_RE_CONFIG;
        o->abilities.forward_tsn |= chunks.data[i] == RT_SCTP_FORWARD_TSN;
        data |= chunks.data[i] == RT_SCTP_I_DATA;
        forward |= chunks.data[i] == RT_SCTP_I_FORWARD_TSN;
    }
    /* RFC 8260 section 2.2.1 has I-FORWARD-TSN go with I-DATA wherever messages can be abandoned. */
    o->abilities.interleaving = data && forward;
}

/* Reads the parameters; what is unknown and asks to be reported goes to `report` as error parameters
 * (RFC 9260 section 3.2.1). False: a length does not fit. */
static bool read_params(rt_span params, offer *o, rt_writer *report)
{
    *o = (offer){0};
    rt_reader r = rt_reader_of(params);
    rt_sctp_param p;
    while (rt_sctp_next_param(&r, &p)) {
        if (p.type == RT_SCTP_PARAM_STATE_COOKIE) {
            o->cookie = p.value;
        } else if (p.type == RT_SCTP_PARAM_EXTENSIONS) {
            read_extensions(o, p.value);
        } else if (p.type == RT_SCTP_PARAM_FORWARD_TSN) {
            o->abilities.forward_tsn = true;
        } else if (p.type == RT_SCTP_PARAM_ZERO_CHECKSUM) {
            o->abilities.zero_checksum = p.value.size >= 4 && rt_load32(p.value.data) == RT_SCTP_EDMID_DTLS;
        } else if (p.type == RT_SCTP_PARAM_COOKIE_PRESERVATIVE && p.value.size >= 4) {
            o->cookie_extension = RT_MS(rt_load32(p.value.data));
        } else if (p.type == RT_SCTP_PARAM_HOST_NAME) {
            o->host_name = true;
        } else if (!known(p.type)) {
            size_t size = rt_sctp_padded(p.value.size + 4);
            if (p.type & 0x4000 && rt_writer_left(report) >= size + 4) {
                uint8_t *param = rt_sctp_open_param(report, RT_SCTP_PARAM_UNRECOGNIZED);
                rt_write16(report, p.type);
                rt_write16(report, (uint16_t)(p.value.size + 4));
                rt_write_span(report, p.value);
                rt_sctp_close_param(report, param);
            }
            if (!(p.type & 0x8000))
                break;
        }
    }
    return rt_reader_ok(&r);
}

static rt_sctp_abilities agree(const rt_sctp *s, const offer *o)
{
    rt_sctp_abilities agreed = o->abilities;
    agreed.interleaving &= s->config.interleaving;
    return agreed;
}

static uint16_t smaller(uint16_t a, uint16_t b)
{
    return a < b ? a : b;
}

/* ---- sending INIT and COOKIE ECHO ---- */

void rt_sctp_send_init(rt_sctp *s, rt_time now)
{
    uint8_t memory[64];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_sctp_write_init(&w, &(rt_sctp_init){.tag = s->my_tag,
                                           .window = s->config.receive_buffer,
                                           .streams_out = s->config.streams,
                                           .streams_in = s->config.streams,
                                           .tsn = s->my_tsn});
    if (s->cookie_extension) {
        uint8_t *param = rt_sctp_open_param(&w, RT_SCTP_PARAM_COOKIE_PRESERVATIVE);
        rt_write32(&w, s->cookie_extension);
        rt_sctp_close_param(&w, param);
    }
    write_abilities(&w, s);
    assert(rt_writer_ok(&w));
    rt_sctp_control_chunk(s, 0, RT_SCTP_INIT, 0, rt_span_of(memory, rt_writer_size(&w)), true);
    rt_sctp_set(s, RT_SCTP_TIMER_T1, now + rt_sctp_backed_off(s, s->config.rto_initial, s->attempts));
}

static void send_cookie_echo(rt_sctp *s, rt_time now)
{
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_COOKIE_ECHO, 0, rt_span_of(s->cookie, s->cookie_size), true);
    rt_sctp_set(s, RT_SCTP_TIMER_T1, now + rt_sctp_backed_off(s, s->config.rto_initial, s->attempts));
}

void rt_sctp_t1_expired(rt_sctp *s, rt_time now)
{
    if (++s->attempts > s->config.max_init_retransmits) {
        rt_sctp_end(s, RT_SCTP_TIMED_OUT, "the peer does not answer the handshake");
        return;
    }
    s->stats.timeouts++;
    if (s->state == RT_SCTP_COOKIE_WAIT)
        rt_sctp_send_init(s, now);
    else if (s->state == RT_SCTP_COOKIE_ECHOED)
        send_cookie_echo(s, now);
}

/* ---- INIT: answered without state (RFC 9260 section 5.1, 5.2.1, 5.2.2) ---- */

static void refuse(rt_sctp *s, uint32_t tag, uint16_t cause)
{
    uint8_t memory[4];
    rt_store16(memory, cause);
    rt_store16(memory + 2, 4);
    rt_sctp_control_chunk(s, tag, RT_SCTP_ABORT, 0, rt_span_of(memory, 4), true);
}

void rt_sctp_on_init(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now)
{
    rt_sctp_init init;
    offer o;
    uint8_t unknown[256], memory[512], sealed[RT_SCTP_COOKIE_SIZE];
    rt_writer report = rt_writer_of(rt_buffer_of(unknown, sizeof unknown));
    if (!rt_sctp_parse_init(chunk, &init) || init.tag == 0 || !read_params(init.params, &o, &report)) {
        s->stats.malformed++;
        return;
    }
    if (s->state == RT_SCTP_SHUTDOWN_ACK_SENT) { /* section 9.2 */
        rt_sctp_repeat_shutdown(s, now);
        return;
    }
    if (init.streams_out == 0 || init.streams_in == 0) {
        refuse(s, init.tag, RT_SCTP_CAUSE_INVALID_PARAMETER);
        return;
    }
    if (o.host_name) {
        refuse(s, init.tag, RT_SCTP_CAUSE_UNRESOLVABLE_ADDRESS);
        return;
    }
    rt_sctp_cookie c = {
        .created = now,
        .life = s->config.cookie_life + rt_time_min(o.cookie_extension, s->config.cookie_life),
        .my_tag = s->my_tag,
        .peer_tag = init.tag,
        .my_tsn = s->my_tsn,
        .peer_tsn = init.tsn,
        .peer_window = init.window,
        .streams_out = smaller(s->config.streams, init.streams_in),
        .streams_in = smaller(s->config.streams, init.streams_out),
        .abilities = agree(s, &o),
    };
    if (rt_sctp_is_open(s)) { /* perhaps a restart: new numbers, and proof of knowing the old ones */
        do
            c.my_tag = rt_random32(s->config.random);
        while (c.my_tag == 0 || c.my_tag == s->my_tag);
        c.my_tsn = rt_random32(s->config.random);
    }
    if (rt_sctp_is_open(s) || s->state == RT_SCTP_COOKIE_ECHOED) {
        c.my_tie = s->my_tag;
        c.peer_tie = s->peer_tag;
    }
    if (!rt_sctp_cookie_seal(s, &c, sealed))
        return; /* the library under the MAC failed; the peer will ask again */
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_sctp_write_init(&w, &(rt_sctp_init){.tag = c.my_tag,
                                           .window = rt_sctp_window(s),
                                           .streams_out = s->config.streams,
                                           .streams_in = s->config.streams,
                                           .tsn = c.my_tsn});
    rt_sctp_write_param(&w, RT_SCTP_PARAM_STATE_COOKIE, rt_span_of(sealed, sizeof sealed));
    write_abilities(&w, s);
    rt_write_zeros(&w, rt_sctp_padded(rt_writer_size(&w)) - rt_writer_size(&w));
    rt_write_span(&w, rt_span_of(unknown, rt_writer_size(&report)));
    assert(rt_writer_ok(&w));
    rt_sctp_control_chunk(s, init.tag, RT_SCTP_INIT_ACK, 0, rt_span_of(memory, rt_writer_size(&w)), true);
}

/* ---- the association begins ---- */

/* Takes over what INIT ACK or a cookie says about the peer. */
static void adopt(rt_sctp *s, const rt_sctp_cookie *c)
{
    s->peer_tag = c->peer_tag;
    s->streams_out = c->streams_out;
    s->streams_in = c->streams_in;
    s->abilities = c->abilities;
    s->peer_window = c->peer_window;
    s->queue.interleaving = c->abilities.interleaving;
    s->queue.begun_limit = c->peer_window / 2;
    rt_sctp_tracker_free(&s->tracker);
    rt_sctp_tracker_init(&s->tracker, c->peer_tsn);
    uint64_t ceiling = (uint64_t)s->config.send_buffer * 2;
    rt_sctp_congestion_init(&s->congestion, s->mtu, c->peer_window,
                            ceiling < UINT32_MAX / 2 ? (uint32_t)ceiling : UINT32_MAX / 2, s->my_tsn);
    rt_sctp_reset_init(s, c->peer_tsn);
}

static void forget_cookie(rt_sctp *s)
{
    free(s->cookie);
    s->cookie = NULL;
    s->cookie_size = 0;
}

/* Messages accepted while connecting, for streams that the peer does not have after all. */
static void drop_streams_beyond(rt_sctp *s)
{
    size_t at = 0;
    rt_sctp_out_stream *stream;
    while ((stream = rt_map_next(&s->queue.streams, &at, NULL))) {
        while (stream->id >= s->streams_out && stream->head) {
            rt_sctp_outgoing *message = rt_sctp_queue_remove(&s->queue, stream);
            rt_sctp_free_buffer(s, message->size, 1);
            free(message);
            s->stats.messages_abandoned++;
            rt_sctp_push_event(s, RT_SCTP_EVENT_ABANDONED, stream->id, NULL);
        }
    }
}

static void establish(rt_sctp *s, rt_time now)
{
    s->state = RT_SCTP_ESTABLISHED;
    s->attempts = 0;
    s->errors = 0;
    rt_sctp_set(s, RT_SCTP_TIMER_T1, RT_NEVER);
    forget_cookie(s);
    drop_streams_beyond(s);
    rt_sctp_push_event(s, RT_SCTP_EVENT_CONNECTED, 0, NULL);
    rt_sctp_path_start(s, now);
    if (s->shutdown_wanted) {
        s->state = RT_SCTP_SHUTDOWN_PENDING;
        rt_sctp_shutdown_progress(s, now);
    }
    rt_sctp_reset_progress(s, now);
}

void rt_sctp_on_init_ack(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now)
{
    if (s->state != RT_SCTP_COOKIE_WAIT) {
        s->stats.unexpected++;
        return;
    }
    rt_sctp_init init;
    offer o;
    uint8_t unknown[256];
    rt_writer report = rt_writer_of(rt_buffer_of(unknown, sizeof unknown));
    if (!rt_sctp_parse_init(chunk, &init) || !read_params(init.params, &o, &report)) {
        s->stats.malformed++;
        return;
    }
    if (init.tag == 0 || init.streams_out == 0 || init.streams_in == 0) {
        if (init.tag)
            refuse(s, init.tag, RT_SCTP_CAUSE_INVALID_PARAMETER);
        rt_sctp_end(s, RT_SCTP_CAUSE_INVALID_PARAMETER, "the peer's INIT ACK has no tag or no streams");
        return;
    }
    size_t room = (size_t)s->mtu - RT_SCTP_HEADER_SIZE - RT_SCTP_CHUNK_HEADER;
    uint8_t *echo = o.cookie.size && o.cookie.size <= room ? malloc(o.cookie.size) : NULL;
    if (!echo) {
        refuse(s, init.tag, RT_SCTP_CAUSE_MISSING_PARAMETER);
        rt_sctp_end(s, RT_SCTP_CAUSE_MISSING_PARAMETER, "the peer's INIT ACK has no usable cookie");
        return;
    }
    memcpy(echo, o.cookie.data, o.cookie.size);
    forget_cookie(s);
    s->cookie = echo;
    s->cookie_size = (uint16_t)o.cookie.size;
    adopt(s, &(rt_sctp_cookie){.peer_tag = init.tag,
                               .peer_tsn = init.tsn,
                               .peer_window = init.window,
                               .streams_out = smaller(s->config.streams, init.streams_in),
                               .streams_in = smaller(s->config.streams, init.streams_out),
                               .abilities = agree(s, &o)});
    s->state = RT_SCTP_COOKIE_ECHOED;
    s->attempts = 0;
    send_cookie_echo(s, now);
    /* Behind the cookie, which must come first. Parameter 8 and cause 8 are the same to the byte. */
    if (rt_writer_size(&report))
        rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_ERROR, 0, rt_span_of(unknown, rt_writer_size(&report)), true);
}

/* ---- COOKIE ECHO (RFC 9260 section 5.1.5, 5.2.4) ---- */

static void report_stale(rt_sctp *s, const rt_sctp_cookie *c, rt_time now)
{
    uint8_t memory[8];
    rt_time late = now - c->created - c->life;
    rt_store16(memory, RT_SCTP_CAUSE_STALE_COOKIE);
    rt_store16(memory + 2, 8);
    rt_store32(memory + 4, (uint32_t)rt_time_min(late / 1000, UINT32_MAX));
    rt_sctp_control_chunk(s, c->peer_tag, RT_SCTP_ERROR, 0, rt_span_of(memory, 8), true);
}

static void acknowledge_cookie(rt_sctp *s)
{
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_COOKIE_ACK, 0, rt_span_of(NULL, 0), false);
}

/* Action A: the peer lost its state and began anew. Both directions count from the beginning; what was in
 * flight is lost, what was not begun is sent to the new peer. */
static void restart(rt_sctp *s, const rt_sctp_cookie *c, rt_time now)
{
    if (s->state == RT_SCTP_SHUTDOWN_ACK_SENT) {
        rt_sctp_repeat_shutdown(s, now);
        rt_sctp_report(s, RT_SCTP_CAUSE_COOKIE_WHILE_SHUTTING_DOWN, rt_span_of(NULL, 0));
        return;
    }
    uint32_t messages;
    uint64_t bytes = rt_sctp_outstanding_clear(&s->outstanding, &messages);
    bytes += rt_sctp_queue_restart(&s->queue, &messages);
    rt_sctp_outstanding_free(&s->outstanding);
    s->my_tag = c->my_tag;
    s->my_tsn = c->my_tsn;
    rt_sctp_outstanding_init(&s->outstanding, s->my_tsn);
    rt_sctp_reassembly_reset_all(&s->reassembly);
    for (int i = 0; i < RT_SCTP_TIMERS; i++)
        s->timers[i] = RT_NEVER;
    s->recovering = s->reduced = s->probe = s->probe_out = s->window_probe = s->forward_due = false;
    s->sack_now = false;
    s->sack_packets = s->sack_point_count = 0;
    s->resent_count = s->backoff = s->errors = 0;
    adopt(s, c);
    rt_sctp_free_buffer(s, bytes, messages);
    rt_sctp_push_event(s, RT_SCTP_EVENT_RESTARTED, 0, NULL);
    s->state = s->shutdown_wanted ? RT_SCTP_SHUTDOWN_PENDING : RT_SCTP_ESTABLISHED;
    acknowledge_cookie(s);
    rt_sctp_path_start(s, now);
    rt_sctp_reset_progress(s, now);
    rt_sctp_shutdown_progress(s, now);
}

void rt_sctp_on_cookie_echo(rt_sctp *s, const rt_sctp_chunk *chunk, uint32_t tag, rt_time now)
{
    rt_sctp_cookie c;
    if (!rt_sctp_cookie_open(s, chunk->value, &c)) {
        s->stats.malformed++;
        return;
    }
    if (c.my_tag != tag) {
        s->stats.bad_tag++;
        return;
    }
    bool same_mine = c.my_tag == s->my_tag, same_peer = c.peer_tag == s->peer_tag;
    bool exists = s->state != RT_SCTP_CLOSED;
    if (now - c.created > c.life && !(exists && same_mine && same_peer)) {
        report_stale(s, &c, now);
        return;
    }
    if (!exists || (same_mine && !same_peer && !rt_sctp_is_open(s))) { /* first of all, or action B */
        assert(same_mine);
        adopt(s, &c);
        acknowledge_cookie(s);
        establish(s, now);
    } else if (same_mine && same_peer) { /* action D */
        acknowledge_cookie(s);
        if (s->state == RT_SCTP_COOKIE_ECHOED)
            establish(s, now);
    } else if (!same_mine && !same_peer && c.my_tie == s->my_tag && c.peer_tie == s->peer_tag && rt_sctp_is_open(s)) {
        restart(s, &c, now);
    } else { /* action C, and everything that the table does not know */
        s->stats.unexpected++;
    }
}

void rt_sctp_on_cookie_ack(rt_sctp *s, rt_time now)
{
    if (s->state == RT_SCTP_COOKIE_ECHOED)
        establish(s, now);
}

/* RFC 9260 section 5.2.6: ask again, for a cookie that lives as much longer as this one was late. */
void rt_sctp_on_stale_cookie(rt_sctp *s, rt_span cause, rt_time now)
{
    if (s->state != RT_SCTP_COOKIE_ECHOED)
        return;
    if (++s->attempts > s->config.max_init_retransmits) {
        rt_sctp_end(s, RT_SCTP_CAUSE_STALE_COOKIE, "the peer's cookies are stale when they return");
        return;
    }
    uint32_t late = cause.size >= 4 ? rt_load32(cause.data) : 0;
    s->cookie_extension = late / 1000 + 1000;
    s->peer_tag = 0;
    forget_cookie(s);
    s->state = RT_SCTP_COOKIE_WAIT;
    rt_sctp_send_init(s, now);
}
