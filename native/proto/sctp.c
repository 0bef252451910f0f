#include "proto/sctp_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS_MAX (1u << 20)

void rt_sctp_config_default(rt_sctp_config *config)
{
    *config = (rt_sctp_config){
        .local_port = 5000,
        .remote_port = 5000,
        .mtu = 1163,
        .max_mtu = 1163,
        .streams = 65535,
        .receive_buffer = 4 << 20,
        .send_buffer = 4 << 20,
        .max_message_size = 1 << 20,
        .zero_checksum = true,
        .interleaving = true,
        .rto_initial = RT_MS(500),
        .rto_min = RT_MS(200),
        .rto_max = RT_SECONDS(60),
        .heartbeat = RT_SECONDS(30),
        .sack_delay = RT_MS(20),
        .cookie_life = RT_SECONDS(60),
        .max_retransmits = 10,
        .max_init_retransmits = 8,
    };
}

static uint32_t random_tag(rt_random *random)
{
    uint32_t tag;
    do
        tag = rt_random32(random);
    while (tag == 0);
    return tag;
}

rt_sctp *rt_sctp_new(const rt_sctp_config *config)
{
    assert(config->random && config->mtu >= RT_SCTP_MTU_MIN && config->streams && config->receive_buffer >= 1500 &&
           config->max_message_size && config->send_buffer);
    rt_sctp *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->config = *config;
    s->config.sack_delay = rt_time_min(config->sack_delay, RT_MS(500));
    if (s->config.mtu > RT_SCTP_MTU_MAX)
        s->config.mtu = RT_SCTP_MTU_MAX;
    if (s->config.max_mtu > RT_SCTP_MTU_MAX)
        s->config.max_mtu = RT_SCTP_MTU_MAX;
    if (s->config.max_mtu < s->config.mtu)
        s->config.max_mtu = s->config.mtu;
    s->state = RT_SCTP_CLOSED;
    s->mtu = s->config.mtu;
    s->rto = config->rto_initial;
    s->probe_extra = RT_MS(40);
    for (int i = 0; i < RT_SCTP_TIMERS; i++)
        s->timers[i] = RT_NEVER;
    s->my_tag = random_tag(config->random);
    s->my_tsn = rt_random32(config->random);
    rt_sctp_queue_init(&s->queue);
    rt_sctp_outstanding_init(&s->outstanding, s->my_tsn);
    rt_sctp_tracker_init(&s->tracker, 0);
    rt_sctp_reassembly_init(&s->reassembly, config->receive_buffer, config->max_message_size,
                            rt_random64(config->random));
    rt_sctp_congestion_init(&s->congestion, s->mtu, 0, UINT32_MAX, s->my_tsn);
    rt_ring_init(&s->events, sizeof(rt_sctp_happening), EVENTS_MAX);
    if (!rt_ring_grow(&s->events)) { /* so that there is always room for CLOSED */
        rt_sctp_free(s);
        return NULL;
    }
    s->advertised = config->receive_buffer;
    return s;
}

static void drop_outgoing(rt_sctp *s)
{
    uint32_t messages;
    rt_sctp_outstanding_clear(&s->outstanding, &messages);
    rt_sctp_queue_free(&s->queue);
    rt_sctp_queue_init(&s->queue);
    s->send_buffered = 0;
}

void rt_sctp_free(rt_sctp *s)
{
    if (!s)
        return;
    drop_outgoing(s);
    rt_sctp_outstanding_free(&s->outstanding);
    rt_sctp_queue_free(&s->queue);
    rt_sctp_tracker_free(&s->tracker);
    rt_sctp_reassembly_free(&s->reassembly);
    for (uint32_t i = 0; i < s->events.count; i++)
        rt_message_free(((rt_sctp_happening *)rt_ring_at(&s->events, i))->message);
    rt_ring_free(&s->events);
    rt_sctp_control_clear(s);
    rt_sctp_reset_free(s);
    rt_hmac_free(s->cookie_key);
    free(s->cookie);
    free(s);
}

/* ---- events ---- */

void rt_sctp_push_event(rt_sctp *s, rt_sctp_event_type type, uint16_t stream, rt_message *message)
{
    rt_sctp_happening *happening = rt_ring_push(&s->events);
    if (!happening && type == RT_SCTP_EVENT_CLOSED) { /* takes the place of the last one */
        happening = rt_ring_last(&s->events);
        rt_message_free(happening->message);
    }
    if (!happening) {
        rt_message_free(message);
        s->event_lost = true;
        return;
    }
    *happening = (rt_sctp_happening){.type = (uint16_t)type, .stream = stream, .message = message};
}

void rt_sctp_settle_events(rt_sctp *s)
{
    if (s->event_lost)
        rt_sctp_abort_with(s, RT_SCTP_CAUSE_OUT_OF_RESOURCE, rt_span_of(NULL, 0), "too many events");
}

void rt_sctp_push_messages(rt_sctp *s)
{
    rt_message *message;
    while ((message = rt_sctp_reassembly_take(&s->reassembly))) {
        s->undelivered += message->size + RT_SCTP_MESSAGE_COST;
        s->undelivered_messages++;
        s->stats.messages_received++;
        s->stats.payload_received += message->size;
        rt_sctp_push_event(s, RT_SCTP_EVENT_MESSAGE, message->stream, message);
    }
}

bool rt_sctp_event_next(rt_sctp *s, rt_sctp_event *out)
{
    const rt_sctp_happening *happening = rt_ring_first(&s->events);
    if (!happening)
        return false;
    out->type = (rt_sctp_event_type)happening->type;
    out->stream = happening->stream;
    out->message = happening->message;
    out->error = 0;
    out->text[0] = 0;
    if (out->message) {
        uint64_t size = out->message->size;
        s->undelivered -= size + RT_SCTP_MESSAGE_COST;
        s->undelivered_messages--;
        s->taken += size;
        s->taken_cost += RT_SCTP_MESSAGE_COST;
    }
    if (out->type == RT_SCTP_EVENT_CLOSED) {
        out->error = s->end_error;
        memcpy(out->text, s->end_text, sizeof out->text);
    }
    rt_ring_pop(&s->events);
    return true;
}

/* ---- the end ---- */

void rt_sctp_end(rt_sctp *s, uint16_t error, const char *text)
{
    if (s->ended)
        return;
    s->ended = true;
    s->state = RT_SCTP_CLOSED;
    s->end_error = error;
    snprintf(s->end_text, sizeof s->end_text, "%s", text);
    for (int i = 0; i < RT_SCTP_TIMERS; i++)
        s->timers[i] = RT_NEVER;
    s->sack_now = false;
    s->probe = false;
    s->forward_due = false;
    drop_outgoing(s);
    rt_sctp_reset_free(s);
    rt_sctp_push_event(s, RT_SCTP_EVENT_CLOSED, 0, NULL);
}

void rt_sctp_abort_with(rt_sctp *s, uint16_t cause, rt_span info, const char *text)
{
    if (s->ended)
        return;
    if (s->peer_tag) {
        uint8_t memory[RT_SCTP_CONTROL_ROOM];
        rt_writer w = rt_writer_of(rt_buffer_of(memory, s->mtu - RT_SCTP_HEADER_SIZE - RT_SCTP_CHUNK_HEADER));
        size_t room = rt_writer_left(&w) - RT_SCTP_CHUNK_HEADER;
        rt_sctp_write_param(&w, cause, rt_span_of(info.data, info.size < room ? info.size : room));
        rt_sctp_control_clear(s);
        rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_ABORT, 0, rt_span_of(memory, rt_writer_size(&w)), false);
    }
    rt_sctp_end(s, cause, text);
}

void rt_sctp_abort(rt_sctp *s, rt_span reason, rt_time now)
{
    (void)now;
    char text[sizeof s->end_text];
    snprintf(text, sizeof text, "aborted: %.*s", (int)(reason.size < 40 ? reason.size : 40), (const char *)reason.data);
    rt_sctp_abort_with(s, RT_SCTP_CAUSE_USER_ABORT, reason, reason.size ? text : "aborted");
}

bool rt_sctp_count_error(rt_sctp *s, const char *text)
{
    if (++s->errors <= s->config.max_retransmits)
        return false;
    rt_sctp_end(s, RT_SCTP_TIMED_OUT, text);
    return true;
}

/* ---- calls of the application ---- */

rt_status rt_sctp_connect(rt_sctp *s, rt_time now)
{
    if (s->ended)
        return RT_CLOSED;
    if (s->state != RT_SCTP_CLOSED)
        return RT_OK; /* the peer was faster */
    s->state = RT_SCTP_COOKIE_WAIT;
    s->attempts = 0;
    rt_sctp_send_init(s, now);
    return RT_OK;
}

rt_status rt_sctp_shutdown(rt_sctp *s, rt_time now)
{
    if (s->ended || s->state == RT_SCTP_CLOSED)
        return RT_CLOSED;
    s->shutdown_wanted = true;
    if (s->state == RT_SCTP_ESTABLISHED) {
        s->state = RT_SCTP_SHUTDOWN_PENDING;
        rt_sctp_shutdown_progress(s, now);
    }
    return RT_OK;
}

static rt_status check_send(const rt_sctp *s, const rt_sctp_send_info *info, rt_span data)
{
    if (s->ended || s->shutdown_wanted || s->state > RT_SCTP_ESTABLISHED)
        return RT_CLOSED;
    if (data.size == 0 || info->stream >= (s->streams_out ? s->streams_out : s->config.streams))
        return RT_INVALID;
    if (data.size > INT32_MAX || (s->remote_max_message_size && data.size > s->remote_max_message_size))
        return RT_TOO_LARGE;
    return RT_OK;
}

rt_status rt_sctp_send(rt_sctp *s, const rt_sctp_send_info *info, rt_span data, rt_time now)
{
    rt_status status = check_send(s, info, data);
    if (status != RT_OK)
        return status;
    uint64_t cost = (uint64_t)data.size + RT_SCTP_MESSAGE_COST;
    if (s->send_buffered && s->send_buffered + cost > s->config.send_buffer) {
        s->room_wanted = true;
        return RT_AGAIN;
    }
    rt_sctp_out_stream *stream = rt_sctp_queue_stream(&s->queue, info->stream);
    if (!stream)
        return RT_NO_MEMORY;
    if (stream->reset != RT_SCTP_RESET_NONE)
        return RT_UNEXPECTED;
    status = rt_sctp_queue_push(&s->queue, stream, info, data, now);
    if (status == RT_OK)
        s->send_buffered += cost;
    return status;
}

void rt_sctp_free_buffer(rt_sctp *s, uint64_t bytes, uint32_t messages)
{
    uint64_t freed = bytes + (uint64_t)messages * RT_SCTP_MESSAGE_COST;
    assert(freed <= s->send_buffered);
    s->send_buffered -= freed;
    if (s->room_wanted && s->send_buffered <= s->config.send_buffer / 2) {
        s->room_wanted = false;
        rt_sctp_push_event(s, RT_SCTP_EVENT_SEND_ROOM, 0, NULL);
    }
}

void rt_sctp_set_priority(rt_sctp *s, uint16_t id, uint16_t priority)
{
    rt_sctp_out_stream *stream = rt_sctp_queue_stream(&s->queue, id);
    if (stream && priority)
        stream->priority = priority;
}

void rt_sctp_set_remote_max_message_size(rt_sctp *s, uint32_t size)
{
    s->remote_max_message_size = size;
}

uint32_t rt_sctp_buffered(const rt_sctp *s, uint16_t id)
{
    const rt_sctp_out_stream *stream = rt_sctp_queue_find(&s->queue, id);
    return stream ? stream->unsent : 0;
}

void rt_sctp_set_buffered_low(rt_sctp *s, uint16_t id, uint32_t threshold)
{
    rt_sctp_out_stream *stream = rt_sctp_queue_stream(&s->queue, id);
    if (stream) {
        stream->low_threshold = threshold;
        stream->low_wanted = true;
    }
}

uint32_t rt_sctp_send_room(const rt_sctp *s)
{
    uint64_t used = s->send_buffered + RT_SCTP_MESSAGE_COST;
    return used < s->config.send_buffer ? (uint32_t)(s->config.send_buffer - used) : 0;
}

/* The bookkeeping of messages that were taken goes in proportion to their bytes: exact when all are gone. */
void rt_sctp_release(rt_sctp *s, size_t bytes, rt_time now)
{
    (void)now;
    if (bytes >= s->taken) {
        s->taken = s->taken_cost = 0;
    } else {
        s->taken_cost -= (uint64_t)((double)s->taken_cost * (double)bytes / (double)s->taken);
        s->taken -= bytes;
    }
    /* The peer may have stopped for want of a window: tell it once a good part is open again, not before
     * (RFC 9260 section 6.2, silly windows). */
    uint32_t window = rt_sctp_window(s), quarter = s->config.receive_buffer / 4;
    if (rt_sctp_is_open(s) && s->advertised < quarter && window >= s->advertised + quarter)
        s->sack_now = true;
}

/* ---- looking inside ---- */

bool rt_sctp_is_open(const rt_sctp *s)
{
    return s->state >= RT_SCTP_ESTABLISHED;
}

uint32_t rt_sctp_window(const rt_sctp *s)
{
    uint64_t used = s->reassembly.buffered + s->undelivered + s->taken + s->taken_cost;
    return used < s->config.receive_buffer ? (uint32_t)(s->config.receive_buffer - used) : 0;
}

rt_sctp_state rt_sctp_get_state(const rt_sctp *s)
{
    return s->state;
}

uint16_t rt_sctp_streams_out(const rt_sctp *s)
{
    return rt_sctp_is_open(s) ? s->streams_out : 0;
}

uint16_t rt_sctp_streams_in(const rt_sctp *s)
{
    return rt_sctp_is_open(s) ? s->streams_in : 0;
}

void rt_sctp_get_stats(const rt_sctp *s, rt_sctp_stats *out)
{
    *out = s->stats;
    out->congestion_window = s->congestion.window;
    out->slow_start_threshold = s->congestion.threshold;
    out->peer_window = s->peer_window;
    out->bytes_in_flight = s->outstanding.bytes;
    out->unsent = (uint32_t)s->queue.unsent;
    out->mtu = s->mtu;
    out->smoothed_round_trip = s->srtt;
    out->rto = s->rto;
    out->receive_buffered = (uint32_t)(s->reassembly.buffered + s->undelivered + s->taken + s->taken_cost);
    out->zero_checksum_in = s->config.zero_checksum;
    out->zero_checksum_out = s->abilities.zero_checksum;
    out->interleaving = s->abilities.interleaving;
    out->partial_reliability = s->abilities.forward_tsn;
    out->stream_reset = s->abilities.reset;
}

/* ---- time ---- */

rt_time rt_sctp_backed_off(const rt_sctp *s, rt_time base, uint32_t doublings)
{
    while (doublings-- && base < s->config.rto_max)
        base *= 2;
    return rt_time_min(base, s->config.rto_max);
}

rt_time rt_sctp_deadline(const rt_sctp *s)
{
    rt_time deadline = RT_NEVER;
    for (int i = 0; i < RT_SCTP_TIMERS; i++)
        deadline = rt_time_min(deadline, s->timers[i]);
    return deadline;
}

void rt_sctp_expire(rt_sctp *s, rt_time now)
{
    for (int i = 0; i < RT_SCTP_TIMERS; i++) {
        if (s->timers[i] > now)
            continue;
        s->timers[i] = RT_NEVER;
        switch ((rt_sctp_timer)i) {
        case RT_SCTP_TIMER_T1: rt_sctp_t1_expired(s, now); break;
        case RT_SCTP_TIMER_T2: rt_sctp_t2_expired(s, now); break;
        case RT_SCTP_TIMER_T3: rt_sctp_t3_expired(s, now); break;
        case RT_SCTP_TIMER_REORDER: rt_sctp_reorder_expired(s, now); break;
        case RT_SCTP_TIMER_PROBE: rt_sctp_probe_expired(s, now); break;
        case RT_SCTP_TIMER_WINDOW: s->window_probe = true; break;
        case RT_SCTP_TIMER_PACE: break; /* transmit goes on */
        case RT_SCTP_TIMER_SACK: s->sack_now = true; break;
        case RT_SCTP_TIMER_HEARTBEAT: rt_sctp_heartbeat_expired(s, now); break;
        case RT_SCTP_TIMER_MTU: rt_sctp_mtu_expired(s, now); break;
        case RT_SCTP_TIMER_RESET: rt_sctp_reset_expired(s, now); break;
        case RT_SCTP_TIMERS: break;
        }
    }
    rt_sctp_settle_events(s);
}
