#include "proto/sctp_queue.h"

#include <assert.h>
#include <stdlib.h>

void rt_sctp_queue_init(rt_sctp_queue *queue)
{
    *queue = (rt_sctp_queue){0};
    rt_map_init(&queue->streams, 0); /* the keys are the application's */
    rt_heap_init(&queue->schedule);
}

static void free_list(rt_sctp_outgoing *message)
{
    while (message) {
        rt_sctp_outgoing *next = message->next;
        free(message);
        message = next;
    }
}

void rt_sctp_queue_free(rt_sctp_queue *queue)
{
    size_t at = 0;
    rt_sctp_out_stream *stream;
    rt_heap_free(&queue->schedule); /* before the streams, whose timers it takes out */
    while ((stream = rt_map_next(&queue->streams, &at, NULL))) {
        free_list(stream->head);
        free(stream);
    }
    free_list(queue->expired);
    rt_map_free(&queue->streams);
}

rt_sctp_out_stream *rt_sctp_queue_find(const rt_sctp_queue *queue, uint16_t stream)
{
    if (queue->recent && queue->recent->id == stream)
        return queue->recent;
    return rt_map_get(&queue->streams, stream);
}

rt_sctp_out_stream *rt_sctp_queue_stream(rt_sctp_queue *queue, uint16_t stream)
{
    rt_sctp_out_stream *found = rt_sctp_queue_find(queue, stream);
    if (!found) {
        found = calloc(1, sizeof *found);
        if (!found)
            return NULL;
        found->id = stream;
        found->priority = 256;
        /* One place in the schedule per stream, so that sending never fails for want of memory. */
        if (rt_heap_reserve(&queue->schedule, (uint32_t)queue->streams.count + 1) != RT_OK ||
            rt_map_put(&queue->streams, stream, found) != RT_OK) {
            free(found);
            return NULL;
        }
    }
    queue->recent = found;
    return found;
}

void rt_sctp_queue_forget(rt_sctp_queue *queue, rt_sctp_out_stream *stream)
{
    assert(!stream->head && !stream->chunks);
    rt_map_remove(&queue->streams, stream->id);
    if (queue->recent == stream)
        queue->recent = NULL;
    free(stream);
}

static void schedule(rt_sctp_queue *queue, rt_sctp_out_stream *stream)
{
    rt_status status = rt_heap_set(&queue->schedule, &stream->turn, stream->virtual_time);
    assert(status == RT_OK);
    (void)status;
}

rt_status rt_sctp_queue_push(rt_sctp_queue *queue, rt_sctp_out_stream *stream, const rt_sctp_send_info *info,
                             rt_span data, rt_time now)
{
    rt_sctp_outgoing *message = malloc(sizeof *message + data.size);
    if (!message)
        return RT_NO_MEMORY;
    *message = (rt_sctp_outgoing){
        .stream = stream,
        .size = (uint32_t)data.size,
        .protocol = info->protocol,
        .max_retransmits = info->max_retransmits,
        .expires = rt_time_after(now, info->lifetime),
        .unordered = info->unordered,
    };
    memcpy(message->data, data.data, data.size);
    if (stream->tail)
        stream->tail->next = message;
    else
        stream->head = message;
    stream->tail = message;
    stream->unsent += message->size;
    queue->unsent += message->size;
    if (!rt_timer_is_set(&stream->turn)) {
        /* A stream that was silent does not collect credit. */
        stream->virtual_time = rt_time_max(stream->virtual_time, queue->virtual_time);
        schedule(queue, stream);
    }
    return RT_OK;
}

static rt_sctp_outgoing *unlink_head(rt_sctp_queue *queue, rt_sctp_out_stream *stream)
{
    rt_sctp_outgoing *message = stream->head;
    stream->head = message->next;
    message->next = NULL;
    if (!stream->head) {
        stream->tail = NULL;
        rt_heap_remove(&queue->schedule, &stream->turn);
    }
    if (queue->current == stream)
        queue->current = NULL;
    return message;
}

static void charge(rt_sctp_queue *queue, rt_sctp_out_stream *stream, uint32_t bytes)
{
    stream->unsent -= bytes;
    queue->unsent -= bytes;
}

/* Taking `bytes` away brought the stream down to its threshold. */
static bool fell_low(const rt_sctp_out_stream *stream, uint32_t bytes)
{
    return stream->low_wanted && stream->unsent <= stream->low_threshold &&
           stream->unsent + bytes > stream->low_threshold;
}

rt_sctp_outgoing *rt_sctp_queue_next(rt_sctp_queue *queue, rt_time now)
{
    if (queue->current)
        return queue->current->head;
    while (queue->schedule.count) {
        rt_sctp_out_stream *stream = RT_TIMER_OWNER(queue->schedule.entries[0].timer, rt_sctp_out_stream, turn);
        rt_sctp_outgoing *message = stream->head;
        if (message->sent || message->expires > now) {
            queue->virtual_time = stream->virtual_time;
            return message;
        }
        unlink_head(queue, stream);
        charge(queue, stream, message->size);
        message->fell_low = fell_low(stream, message->size);
        message->next = queue->expired;
        queue->expired = message;
    }
    return NULL;
}

bool rt_sctp_queue_take(rt_sctp_queue *queue, rt_sctp_outgoing *message, uint32_t bytes)
{
    rt_sctp_out_stream *stream = message->stream;
    assert(message == stream->head && bytes <= message->size - message->sent);
    if (message->sent == 0 && bytes < message->size)
        queue->begun += message->size;
    bool was_begun = message->sent != 0;
    message->sent += bytes;
    message->fragment++;
    charge(queue, stream, bytes);
    stream->virtual_time += (rt_time)(((uint64_t)bytes << 16) / stream->priority);
    if (message->sent == message->size) {
        if (was_begun)
            queue->begun -= message->size;
        unlink_head(queue, stream);
    } else {
        queue->current = queue->interleaving && queue->begun <= queue->begun_limit ? NULL : stream;
    }
    if (stream->head && !queue->current && queue->schedule.count > 1)
        schedule(queue, stream);
    return fell_low(stream, bytes);
}

uint32_t rt_sctp_queue_drop_rest(rt_sctp_queue *queue, rt_sctp_outgoing *message, bool *low)
{
    rt_sctp_out_stream *stream = message->stream;
    uint32_t rest = message->size - message->sent;
    *low = false;
    if (rest) {
        assert(message == stream->head);
        queue->begun -= message->size;
        message->sent = message->size;
        unlink_head(queue, stream);
        charge(queue, stream, rest);
        *low = fell_low(stream, rest);
    }
    return rest;
}

bool rt_sctp_outgoing_unref(rt_sctp_outgoing *message)
{
    assert(message->chunks > 0);
    message->stream->chunks--;
    if (--message->chunks || message->sent < message->size)
        return false;
    free(message);
    return true;
}

rt_sctp_outgoing *rt_sctp_queue_remove(rt_sctp_queue *queue, rt_sctp_out_stream *stream)
{
    rt_sctp_outgoing *message = unlink_head(queue, stream);
    charge(queue, stream, message->size - message->sent);
    return message;
}

uint64_t rt_sctp_queue_restart(rt_sctp_queue *queue, uint32_t *messages)
{
    uint64_t dropped = 0;
    size_t at = 0;
    rt_sctp_out_stream *stream;
    while ((stream = rt_map_next(&queue->streams, &at, NULL))) {
        if (stream->head && stream->head->sent) {
            rt_sctp_outgoing *message = rt_sctp_queue_remove(queue, stream);
            dropped += message->size - message->sent;
            ++*messages;
            free(message);
        }
        stream->ssn = 0;
        stream->mid[0] = stream->mid[1] = 0;
    }
    queue->begun = 0;
    return dropped;
}
