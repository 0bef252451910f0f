#include <assert.h>
#include <stdlib.h>

#include "proto/sctp_internal.h"

/* Stream reset, RFC 6525. One request of ours is out at a time; it names every stream that was to be reset and
 * has drained by then, and the rest waits for the next one. Nothing is sent on a stream between its request and
 * the answer, so SSNs and MIDs can begin at zero. The peer's request is performed when every TSN up to the one
 * that it names has arrived, and until then answered with "in progress". */

void rt_sctp_reset_free(rt_sctp *s)
{
    rt_sctp_resets *resets = &s->resets;
    free(resets->streams);
    free(resets->queue);
    free(resets->deferred_streams);
    *resets = (rt_sctp_resets){.next_request = resets->next_request, .expected = resets->expected};
}

/* At the beginning of an association, or again: streams that wait for their reset go on waiting. */
void rt_sctp_reset_init(rt_sctp *s, uint32_t peer_tsn)
{
    rt_sctp_resets *resets = &s->resets;
    free(resets->deferred_streams);
    resets->deferred_streams = NULL;
    resets->deferred = false;
    resets->next_request = s->my_tsn;
    resets->expected = peer_tsn;
    resets->last_result = RT_SCTP_RESULT_NOTHING_TO_DO;
    if (resets->pending) { /* a restart: the peer counts from zero as well, which is what was asked for */
        resets->pending = false;
        rt_sctp_reset_answered(s, RT_SCTP_RESULT_PERFORMED);
    }
}

static rt_status enqueue(rt_sctp_resets *resets, uint16_t stream)
{
    if (resets->queue_count == resets->queue_capacity) {
        size_t capacity = resets->queue_capacity ? resets->queue_capacity * 2 : 16;
        uint16_t *queue = realloc(resets->queue, capacity * sizeof *queue);
        if (!queue)
            return RT_NO_MEMORY;
        resets->queue = queue;
        resets->queue_capacity = capacity;
    }
    resets->queue[resets->queue_count++] = stream;
    return RT_OK;
}

static rt_status want(rt_sctp *s, uint16_t id)
{
    rt_sctp_out_stream *stream = rt_sctp_queue_stream(&s->queue, id);
    if (!stream)
        return RT_NO_MEMORY;
    if (stream->reset != RT_SCTP_RESET_NONE)
        return RT_OK; /* on its way already */
    rt_status status = enqueue(&s->resets, id);
    if (status == RT_OK) {
        stream->reset = RT_SCTP_RESET_WANTED;
        s->resets.wanted++;
    }
    return status;
}

rt_status rt_sctp_reset_stream(rt_sctp *s, uint16_t id, rt_time now)
{
    if (s->ended)
        return RT_CLOSED;
    if (id >= (s->streams_out ? s->streams_out : s->config.streams))
        return RT_INVALID;
    rt_status status = want(s, id);
    if (status == RT_OK)
        rt_sctp_reset_progress(s, now);
    return status;
}

/* ---- our requests ---- */

static void send_request(rt_sctp *s, rt_time now)
{
    rt_sctp_resets *resets = &s->resets;
    uint8_t memory[RT_SCTP_CONTROL_ROOM];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    uint8_t *param = rt_sctp_open_param(&w, RT_SCTP_PARAM_RESET_OUT);
    rt_write32(&w, resets->request);
    rt_write32(&w, resets->expected - 1);
    rt_write32(&w, resets->request_tsn);
    for (size_t i = 0; i < resets->stream_count; i++)
        rt_write16(&w, resets->streams[i]);
    rt_sctp_close_param(&w, param);
    assert(rt_writer_ok(&w));
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_RE_CONFIG, 0, rt_span_of(memory, rt_writer_size(&w)), false);
    rt_sctp_set(s, RT_SCTP_TIMER_RESET, now + rt_sctp_backed_off(s, s->rto, resets->attempts));
}

static bool drained(const rt_sctp_out_stream *stream)
{
    return !stream->head && !stream->chunks;
}

/* Peers without RFC 6525 cannot be asked. */
static void fail_all(rt_sctp *s)
{
    rt_sctp_resets *resets = &s->resets;
    for (size_t i = 0; i < resets->queue_count; i++) {
        rt_sctp_out_stream *stream = rt_sctp_queue_find(&s->queue, resets->queue[i]);
        stream->reset = RT_SCTP_RESET_NONE;
        rt_sctp_push_event(s, RT_SCTP_EVENT_RESET_FAILED, stream->id, NULL);
    }
    resets->queue_count = 0;
    resets->wanted = 0;
}

void rt_sctp_reset_progress(rt_sctp *s, rt_time now)
{
    rt_sctp_resets *resets = &s->resets;
    if (!rt_sctp_is_open(s) || !resets->queue_count || resets->pending)
        return;
    if (!s->abilities.reset) {
        fail_all(s);
        return;
    }
    size_t room = ((size_t)s->mtu - RT_SCTP_HEADER_SIZE - RT_SCTP_CHUNK_HEADER - RT_SCTP_RESET_OUT_SIZE) / 2;
    if (!resets->streams) {
        resets->streams = malloc(room * sizeof *resets->streams);
        if (!resets->streams)
            return; /* tried again with the next acknowledgement */
        resets->room = room;
    }
    room = resets->room;
    size_t kept = 0;
    resets->stream_count = 0;
    for (size_t i = 0; i < resets->queue_count; i++) {
        rt_sctp_out_stream *stream = rt_sctp_queue_find(&s->queue, resets->queue[i]);
        if (resets->stream_count == room || !drained(stream)) {
            resets->queue[kept++] = resets->queue[i];
            continue;
        }
        stream->reset = RT_SCTP_RESET_SENT;
        resets->streams[resets->stream_count++] = stream->id;
    }
    resets->queue_count = kept;
    resets->wanted = (uint32_t)kept;
    if (!resets->stream_count)
        return;
    resets->pending = true;
    resets->request = resets->next_request++;
    resets->request_tsn = s->outstanding.next - 1;
    resets->attempts = 0;
    send_request(s, now);
}

void rt_sctp_reset_expired(rt_sctp *s, rt_time now)
{
    rt_sctp_resets *resets = &s->resets;
    if (!resets->pending)
        return;
    if (!resets->in_progress) {
        resets->attempts++;
        s->stats.timeouts++;
        /* One silence counts once: while data is outstanding, T3 counts. A peer that answers everything else
         * is asked for ever, at intervals of rto_max. */
        if (!rt_sctp_outstanding_count(&s->outstanding) &&
            rt_sctp_count_error(s, "the peer does not answer a stream reset"))
            return;
    }
    resets->in_progress = false;
    send_request(s, now);
}

/* The request that was out has this result. */
void rt_sctp_reset_answered(rt_sctp *s, uint32_t result)
{
    rt_sctp_resets *resets = &s->resets;
    bool done = result == RT_SCTP_RESULT_PERFORMED || result == RT_SCTP_RESULT_NOTHING_TO_DO;
    for (size_t i = 0; i < resets->stream_count; i++) {
        rt_sctp_out_stream *stream = rt_sctp_queue_find(&s->queue, resets->streams[i]);
        assert(stream && stream->reset == RT_SCTP_RESET_SENT && drained(stream));
        stream->reset = RT_SCTP_RESET_NONE;
        rt_sctp_push_event(s, done ? RT_SCTP_EVENT_RESET_OUT : RT_SCTP_EVENT_RESET_FAILED, stream->id, NULL);
        if (done)
            rt_sctp_queue_forget(&s->queue, stream);
    }
    resets->stream_count = 0;
}

static void on_response(rt_sctp *s, uint32_t response, uint32_t result, rt_time now)
{
    rt_sctp_resets *resets = &s->resets;
    if (!resets->pending || response != resets->request)
        return; /* of an older request */
    s->errors = 0;
    if (result == RT_SCTP_RESULT_IN_PROGRESS || result == RT_SCTP_RESULT_BUSY) {
        resets->in_progress = true; /* asked again after an RTO (RFC 6525 section 5.2.7) */
        rt_sctp_set(s, RT_SCTP_TIMER_RESET, now + rt_sctp_backed_off(s, s->rto, resets->attempts));
        return;
    }
    resets->pending = false;
    rt_sctp_set(s, RT_SCTP_TIMER_RESET, RT_NEVER);
    rt_sctp_reset_answered(s, result);
    rt_sctp_reset_progress(s, now);
}

/* ---- the peer's requests ---- */

static void respond(rt_sctp *s, uint32_t request, uint32_t result)
{
    uint8_t memory[16];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_sctp_write_response(&w, request, result);
    rt_sctp_control_chunk(s, s->peer_tag, RT_SCTP_RE_CONFIG, 0, rt_span_of(memory, rt_writer_size(&w)), false);
}

static void perform_one(rt_sctp *s, uint16_t stream)
{
    rt_sctp_reassembly_reset(&s->reassembly, stream);
    rt_sctp_push_event(s, RT_SCTP_EVENT_RESET_IN, stream, NULL);
}

/* No streams named: all that are in use. */
static void perform_all(rt_sctp *s)
{
    size_t at = 0;
    const rt_sctp_in_stream *stream;
    while ((stream = rt_map_next(&s->reassembly.streams, &at, NULL)))
        rt_sctp_push_event(s, RT_SCTP_EVENT_RESET_IN, stream->id, NULL);
    rt_sctp_reassembly_reset_all(&s->reassembly);
}

static uint32_t reset_out(rt_sctp *s, const rt_sctp_reset *reset)
{
    size_t count = reset->streams.size / 2;
    rt_sctp_resets *resets = &s->resets;
    for (size_t i = 0; i < count; i++) {
        if (rt_load16(reset->streams.data + 2 * i) >= s->streams_in)
            return RT_SCTP_RESULT_WRONG_SSN;
    }
    if (rt_seq32_before(s->tracker.cumulative, reset->last_tsn)) {
        uint16_t *streams = count ? malloc(count * sizeof *streams) : NULL;
        if (count && !streams)
            return RT_SCTP_RESULT_DENIED;
        for (size_t i = 0; i < count; i++)
            streams[i] = rt_load16(reset->streams.data + 2 * i);
        free(resets->deferred_streams);
        resets->deferred_streams = streams;
        resets->deferred_count = count;
        resets->deferred_tsn = reset->last_tsn;
        resets->deferred = true;
        return RT_SCTP_RESULT_IN_PROGRESS;
    }
    for (size_t i = 0; i < count; i++)
        perform_one(s, rt_load16(reset->streams.data + 2 * i));
    if (!count)
        perform_all(s);
    return RT_SCTP_RESULT_PERFORMED;
}

/* The cumulative TSN moved: perhaps far enough for the reset that waits. The peer hears of it when it asks
 * again, or, sooner, by this answer. */
void rt_sctp_reset_deferred(rt_sctp *s, rt_time now)
{
    (void)now;
    rt_sctp_resets *resets = &s->resets;
    if (rt_seq32_before(s->tracker.cumulative, resets->deferred_tsn))
        return;
    resets->deferred = false;
    for (size_t i = 0; i < resets->deferred_count; i++)
        perform_one(s, resets->deferred_streams[i]);
    if (!resets->deferred_count)
        perform_all(s);
    free(resets->deferred_streams);
    resets->deferred_streams = NULL;
    resets->last_result = RT_SCTP_RESULT_PERFORMED;
    respond(s, resets->expected - 1, resets->last_result);
}

/* The peer wants us to reset our streams: our own request, once they have drained, is the answer. */
static uint32_t reset_in(rt_sctp *s, const rt_sctp_reset *reset, rt_time now)
{
    for (size_t i = 0; i < reset->streams.size / 2; i++) {
        uint16_t id = rt_load16(reset->streams.data + 2 * i);
        if (id >= s->streams_out)
            return RT_SCTP_RESULT_WRONG_SSN;
        if (rt_sctp_queue_find(&s->queue, id) && want(s, id) != RT_OK)
            return RT_SCTP_RESULT_DENIED;
    }
    rt_sctp_reset_progress(s, now);
    return RT_SCTP_RESULT_PERFORMED;
}

/* Firefox begins with few streams and asks for more as channels open. */
static uint32_t add_out(rt_sctp *s, const rt_sctp_reset *reset)
{
    uint32_t more = reset->more;
    if (more == 0 || s->streams_in + more > s->config.streams)
        return RT_SCTP_RESULT_DENIED;
    s->streams_in = (uint16_t)(s->streams_in + more);
    return RT_SCTP_RESULT_PERFORMED;
}

static void on_request(rt_sctp *s, const rt_sctp_param *param, rt_time now)
{
    rt_sctp_resets *resets = &s->resets;
    rt_sctp_reset reset;
    if (!rt_sctp_parse_reset(param, &reset)) {
        s->stats.malformed++;
        return;
    }
    if (reset.request == resets->expected - 1) { /* once more: our answer was lost, or was "in progress" */
        respond(s, reset.request, resets->last_result);
        return;
    }
    if (reset.request != resets->expected) {
        respond(s, reset.request, RT_SCTP_RESULT_BAD_SEQUENCE);
        return;
    }
    uint32_t result;
    switch (param->type) {
    case RT_SCTP_PARAM_RESET_OUT: result = reset_out(s, &reset); break;
    case RT_SCTP_PARAM_RESET_IN: result = reset_in(s, &reset, now); break;
    case RT_SCTP_PARAM_ADD_OUT: result = add_out(s, &reset); break;
    default: result = RT_SCTP_RESULT_DENIED; break; /* all sequence numbers at once; streams of ours */
    }
    resets->expected++;
    resets->last_result = result;
    respond(s, reset.request, result);
}

void rt_sctp_on_reconfig(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now)
{
    if (!rt_sctp_is_open(s)) {
        s->stats.unexpected++;
        return;
    }
    rt_reader r = rt_reader_of(chunk->value);
    rt_sctp_param param;
    while (rt_sctp_next_param(&r, &param)) {
        uint32_t response, result;
        switch (param.type) {
        case RT_SCTP_PARAM_RESPONSE:
            if (rt_sctp_parse_response(&param, &response, &result))
                on_response(s, response, result, now);
            else
                s->stats.malformed++;
            break;
        case RT_SCTP_PARAM_RESET_OUT:
        case RT_SCTP_PARAM_RESET_IN:
        case RT_SCTP_PARAM_RESET_TSN:
        case RT_SCTP_PARAM_ADD_OUT:
        case RT_SCTP_PARAM_ADD_IN: on_request(s, &param, now); break;
        default: s->stats.unexpected++; break;
        }
    }
    if (!rt_reader_ok(&r))
        s->stats.malformed++;
}
