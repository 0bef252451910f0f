#include "sctp_model.h"

#include <stdarg.h>
#include <stdio.h>

model_kind model_kind_of(uint16_t stream)
{
    static const model_kind kinds[MODEL_STREAMS] = {MODEL_ORDERED, MODEL_ORDERED, MODEL_UNORDERED, MODEL_PARTIAL,
                                                    MODEL_PARTIAL_UNORDERED};
    return kinds[stream];
}

static bool reliable(uint16_t stream)
{
    return model_kind_of(stream) == MODEL_ORDERED || model_kind_of(stream) == MODEL_UNORDERED;
}

static bool in_order(uint16_t stream)
{
    return model_kind_of(stream) == MODEL_ORDERED || model_kind_of(stream) == MODEL_PARTIAL;
}

/* Keeps the first. */
__attribute__((format(printf, 2, 3))) static void fail(model *m, const char *format, ...)
{
    va_list arguments;
    if (m->error[0])
        return;
    int size = snprintf(m->error, sizeof m->error, "at %.6f s: ", (double)m->pair->now / 1e9);
    va_start(arguments, format);
    vsnprintf(m->error + size, sizeof m->error - (size_t)size, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void tell(const model *m, const char *format, ...)
{
    va_list arguments;
    if (!m->verbose)
        return;
    printf("%10.6f ", (double)m->pair->now / 1e9);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void model_init(model *m, sctp_net *pair)
{
    *m = (model){.pair = pair};
}

void model_send(model *m, int end, uint16_t stream, size_t size, int32_t max_retransmits, rt_time lifetime)
{
    model_out *out = &m->out[end][stream];
    model_kind kind = model_kind_of(stream);
    sctp_sim_header header = {.stream = stream, .epoch = out->epoch, .number = out->sent};
    rt_sctp_send_info info = {
        .protocol = 53u + stream,
        .stream = stream,
        .unordered = !in_order(stream),
        .max_retransmits = reliable(stream) ? -1 : max_retransmits,
        .lifetime = reliable(stream) ? RT_NEVER : lifetime,
    };
    if (out->sent == MODEL_MESSAGES)
        return;
    rt_status status = rt_sctp_send(m->pair->end[end], &info, sctp_sim_make(&header, size), m->pair->now);
    tell(m, "end %d: send %zu bytes on stream %u, epoch %u number %u: %s", end, size, stream, out->epoch, out->sent,
         rt_status_text(status));
    switch (status) {
    case RT_OK:
        if (out->resetting)
            fail(m, "end %d: send was accepted on stream %u while it is being reset", end, stream);
        out->sent++;
        m->accepted += kind == MODEL_ORDERED || kind == MODEL_UNORDERED;
        break;
    case RT_AGAIN: break;
    case RT_UNEXPECTED:
        if (!out->resetting && !m->ending)
            fail(m, "end %d: send on stream %u is unexpected, although it is not being reset", end, stream);
        break;
    case RT_CLOSED:
        if (!m->ending && !m->closed[end])
            fail(m, "end %d: send says closed, but nobody closed", end);
        break;
    default: fail(m, "end %d: send on stream %u: %s", end, stream, rt_status_text(status));
    }
}

void model_reset(model *m, int end, uint16_t stream)
{
    model_out *out = &m->out[end][stream];
    if (out->resetting)
        return;
    tell(m, "end %d: reset stream %u", end, stream);
    if (rt_sctp_reset_stream(m->pair->end[end], stream, m->pair->now) == RT_OK)
        out->resetting = true;
    else if (m->connected[end] && !m->ending && !m->closed[end] && !m->restarting)
        fail(m, "end %d: reset of stream %u was refused", end, stream);
}

static void begin_epoch(model_in *in, uint16_t epoch)
{
    *in = (model_in){.epoch = epoch};
}

void model_restart(model *m, int end)
{
    tell(m, "end %d: restart", end);
    sctp_net_replace(m->pair, end);
    m->restarting = true;
    m->connected[end] = false;
    m->unreleased[end] = 0;
    m->loose[end] = true; /* until what the other end sends after it has noticed */
    for (uint16_t s = 0; s < MODEL_STREAMS; s++) {
        model_out *out = &m->out[end][s];
        *out = (model_out){.epoch = (uint16_t)(out->epoch + 1)};
        begin_epoch(&m->in[end][s], m->in[end][s].epoch); /* what the other end still has may be that old */
    }
    if (rt_sctp_connect(m->pair->end[end], m->pair->now) != RT_OK)
        fail(m, "end %d: cannot connect anew", end);
}

void model_shutdown(model *m, int end)
{
    tell(m, "end %d: shutdown", end);
    if (rt_sctp_shutdown(m->pair->end[end], m->pair->now) == RT_OK)
        m->ending = true;
}

void model_abort(model *m, int end)
{
    tell(m, "end %d: abort", end);
    m->ending = true;
    m->aborted = true;
    rt_sctp_abort(m->pair->end[end], rt_span_text("schedule"), m->pair->now);
}

static void take_message(model *m, int end, const rt_message *message)
{
    sctp_sim_header h;
    if (!sctp_sim_check(rt_span_of(message->data, message->size), &h)) {
        fail(m, "end %d: a message of %zu bytes on stream %u has wrong content", end, message->size, message->stream);
        return;
    }
    if (h.stream != message->stream || h.stream >= MODEL_STREAMS) {
        fail(m, "end %d: message of stream %u came on stream %u", end, h.stream, message->stream);
        return;
    }
    tell(m, "end %d: message on stream %u, epoch %u number %u", end, h.stream, h.epoch, (unsigned)h.number);
    model_in *in = &m->in[end][h.stream];
    const model_out *out = &m->out[!end][h.stream];
    bool unordered = message->flags & RT_MESSAGE_UNORDERED;
    if (message->protocol != 53u + h.stream || unordered != !in_order(h.stream))
        fail(m, "end %d: stream %u: protocol %u or order is wrong", end, h.stream, message->protocol);
    if (m->loose[end] && h.epoch > in->epoch && h.epoch <= out->epoch)
        begin_epoch(in, h.epoch); /* the first one from after the restart was noticed */
    if (m->loose[end] && h.epoch < in->epoch && unordered)
        return; /* one from before, overtaken */
    if (h.epoch != in->epoch || h.number >= MODEL_MESSAGES) {
        fail(m, "end %d: stream %u: message %u of epoch %u came in epoch %u", end, h.stream, (unsigned)h.number,
             h.epoch, in->epoch);
        return;
    }
    uint32_t number = (uint32_t)h.number;
    if (in->seen[number / 8] & 1u << number % 8)
        fail(m, "end %d: stream %u: message %u came twice", end, h.stream, number);
    bool gaps = !reliable(h.stream) || (m->loose[end] && h.epoch != out->epoch);
    if (in_order(h.stream) && (gaps ? number < in->next : number != in->next))
        fail(m, "end %d: stream %u: message %u came, expected %u", end, h.stream, number, in->next);
    in->seen[number / 8] |= (uint8_t)(1u << number % 8);
    in->next = number + 1;
    in->received++;
    m->delivered += reliable(h.stream);
}

static void take_reset(model *m, int end, uint16_t stream)
{
    model_in *in = &m->in[end][stream];
    const model_out *out = &m->out[!end][stream];
    if (stream >= MODEL_STREAMS)
        fail(m, "end %d: stream %u was reset, which was never used", end, stream);
    else if (!out->resetting && !m->loose[end] && !m->restarting) /* perhaps the end that is gone had asked */
        fail(m, "end %d: stream %u was reset, but nobody asked", end, stream);
    else {
        if (reliable(stream) && in->received != out->sent && !m->loose[end] && !m->restarting)
            fail(m, "end %d: stream %u was reset after %u of %u messages", end, stream, in->received, out->sent);
        begin_epoch(in, (uint16_t)(in->epoch + 1));
    }
}

/* The end that stayed learns that the other began anew: what it sends from now on is a new epoch too. */
static void take_restart(model *m, int end)
{
    if (!m->restarting)
        fail(m, "end %d: a restart that did not happen", end);
    m->restarting = false;
    for (uint16_t s = 0; s < MODEL_STREAMS; s++) {
        model_out *out = &m->out[end][s];
        /* A reset that was asked for is still to be done. */
        *out = (model_out){.epoch = (uint16_t)(out->epoch + 1), .resetting = out->resetting};
        begin_epoch(&m->in[end][s], m->out[!end][s].epoch);
    }
}

static const char *event_name(rt_sctp_event_type type)
{
    switch (type) {
    case RT_SCTP_EVENT_CONNECTED: return "connected";
    case RT_SCTP_EVENT_MESSAGE: return "message";
    case RT_SCTP_EVENT_BUFFERED_LOW: return "buffered low";
    case RT_SCTP_EVENT_SEND_ROOM: return "send room";
    case RT_SCTP_EVENT_RESET_IN: return "reset in";
    case RT_SCTP_EVENT_RESET_OUT: return "reset out";
    case RT_SCTP_EVENT_RESET_FAILED: return "reset failed";
    case RT_SCTP_EVENT_RESTARTED: return "restarted";
    case RT_SCTP_EVENT_ABANDONED: return "abandoned";
    case RT_SCTP_EVENT_CLOSED: return "closed";
    }
    return "?";
}

static void take_event(model *m, int end, const rt_sctp_event *event)
{
    uint16_t stream = event->stream;
    if (m->closed[end]) {
        fail(m, "end %d: event %d after the end", end, event->type);
        return;
    }
    if (event->type != RT_SCTP_EVENT_MESSAGE)
        tell(m, "end %d: %s, stream %u", end, event_name(event->type), stream);
    switch (event->type) {
    case RT_SCTP_EVENT_CONNECTED:
        if (m->connected[end])
            fail(m, "end %d: connected twice", end);
        m->connected[end] = true;
        break;
    case RT_SCTP_EVENT_MESSAGE:
        m->unreleased[end] += event->message->size;
        take_message(m, end, event->message);
        break;
    case RT_SCTP_EVENT_RESET_IN: take_reset(m, end, stream); break;
    case RT_SCTP_EVENT_RESET_OUT:
        if (stream >= MODEL_STREAMS || !m->out[end][stream].resetting)
            fail(m, "end %d: the reset of stream %u is done, but nobody asked", end, stream);
        else
            m->out[end][stream] = (model_out){.epoch = (uint16_t)(m->out[end][stream].epoch + 1)};
        break;
    case RT_SCTP_EVENT_RESET_FAILED:
        if (!m->closed[!end])
            fail(m, "end %d: the reset of stream %u failed", end, stream);
        break;
    case RT_SCTP_EVENT_RESTARTED: take_restart(m, end); break;
    case RT_SCTP_EVENT_CLOSED:
        m->closed[end] = true;
        m->close_error[end] = event->error;
        if (!m->ending)
            fail(m, "end %d: closed without a reason: %u %s", end, event->error, event->text);
        if (rt_sctp_get_state(m->pair->end[end]) != RT_SCTP_CLOSED)
            fail(m, "end %d: closed in state %d", end, rt_sctp_get_state(m->pair->end[end]));
        break;
    case RT_SCTP_EVENT_ABANDONED:
        if (stream >= MODEL_STREAMS || reliable(stream))
            fail(m, "end %d: a message of reliable stream %u was abandoned", end, stream);
        break;
    case RT_SCTP_EVENT_BUFFERED_LOW:
    case RT_SCTP_EVENT_SEND_ROOM: break;
    }
}

void model_take(model *m)
{
    for (int end = 0; end < 2; end++) {
        rt_sctp_event event;
        while (rt_sctp_event_next(m->pair->end[end], &event)) {
            take_event(m, end, &event);
            if (event.type == RT_SCTP_EVENT_MESSAGE)
                rt_message_free(event.message);
        }
        rt_sctp_stats stats = sctp_net_stats(m->pair, end);
        /* Twice the window of payload at the very most, and as much again for each of it in bookkeeping. */
        uint64_t bound = 6ull * m->pair->config[end].receive_buffer;
        if (stats.receive_buffered > bound)
            fail(m, "end %d: %u bytes in a receive buffer of %u", end, stats.receive_buffered,
                 m->pair->config[end].receive_buffer);
    }
}

void model_release(model *m, int end)
{
    if (m->unreleased[end] > 0)
        rt_sctp_release(m->pair->end[end], m->unreleased[end], m->pair->now);
    m->unreleased[end] = 0;
}

bool model_complete(const model *m)
{
    if (!m->connected[0] || !m->connected[1] || m->restarting)
        return false;
    for (int end = 0; end < 2; end++) {
        for (uint16_t s = 0; s < MODEL_STREAMS; s++) {
            const model_out *out = &m->out[!end][s];
            const model_in *in = &m->in[end][s];
            if (out->resetting)
                return false;
            if (!reliable(s))
                continue;
            if (m->loose[end] && out->epoch != in->epoch && out->sent == 0)
                continue; /* nothing was sent since the restart was noticed */
            if (in->epoch != out->epoch || in->received != out->sent)
                return false;
        }
    }
    return true;
}

bool model_both_closed(const model *m)
{
    return m->closed[0] && m->closed[1];
}
