#include "proto/sctp_reassembly.h"

#include <assert.h>
#include <stdlib.h>

#include "base/seq.h"
#include "proto/sctp_queue.h"

#define ONE_TURN ((uint64_t)1 << 32) /* widened numbers start here: none can fall below zero */
#define WALK 64                      /* places in the map of streams that a FORWARD-TSN may cost */

void rt_sctp_reassembly_init(rt_sctp_reassembly *r, uint64_t reserve_limit, uint32_t max_message_size, uint64_t seed)
{
    *r = (rt_sctp_reassembly){
        .reserve_limit = reserve_limit, .max_message_size = max_message_size, .tsn = ONE_TURN, .seed = seed};
    rt_map_init(&r->streams, seed);
}

static void insert_node(rt_sctp_reassembly *r, rt_sctp_nodes *list, rt_sctp_node *node)
{
    r->nodes++;
    rt_sctp_nodes_insert(list, node, (uint32_t)rt_hash_number(r->seed, r->weights++));
}

static void remove_node(rt_sctp_reassembly *r, rt_sctp_nodes *list, rt_sctp_node *node)
{
    r->nodes--;
    rt_sctp_nodes_remove(list, node);
}

static void discard_partial(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, bool unordered, rt_sctp_node *node)
{
    remove_node(r, &stream->partial[unordered], node);
    r->buffered -= node->message->size + RT_SCTP_MESSAGE_COST;
    r->reserved -= node->message->capacity;
    r->unordered -= unordered;
    rt_message_free(node->message);
    free(node);
}

static void discard_parked(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, bool unordered, rt_sctp_node *node)
{
    remove_node(r, &stream->parked[unordered], node);
    r->buffered -= (uint64_t)node->size + RT_SCTP_MESSAGE_COST;
    r->unordered -= unordered;
    r->parked--;
    free(node);
}

static void clear_stream(rt_sctp_reassembly *r, rt_sctp_in_stream *stream)
{
    for (int unordered = 0; unordered < 2; unordered++) {
        while (stream->partial[unordered].first)
            discard_partial(r, stream, unordered, stream->partial[unordered].first);
        while (stream->parked[unordered].first)
            discard_parked(r, stream, unordered, stream->parked[unordered].first);
    }
}

void rt_sctp_reassembly_reset_all(rt_sctp_reassembly *r)
{
    size_t at = 0;
    rt_sctp_in_stream *stream;
    while ((stream = rt_map_next(&r->streams, &at, NULL))) {
        clear_stream(r, stream);
        free(stream);
    }
    rt_map_free(&r->streams);
    r->recent = NULL;
}

void rt_sctp_reassembly_free(rt_sctp_reassembly *r)
{
    rt_sctp_reassembly_reset_all(r);
    rt_map_free(&r->streams);
    rt_message *message;
    while ((message = rt_sctp_reassembly_take(r)))
        rt_message_free(message);
}

void rt_sctp_reassembly_reset(rt_sctp_reassembly *r, uint16_t id)
{
    rt_sctp_in_stream *stream = rt_map_remove(&r->streams, id);
    if (!stream)
        return;
    if (r->recent == stream)
        r->recent = NULL;
    clear_stream(r, stream);
    free(stream);
}

rt_message *rt_sctp_reassembly_take(rt_sctp_reassembly *r)
{
    rt_message *message = r->ready;
    if (message) {
        r->ready = message->next;
        message->next = NULL;
    }
    return message;
}

static rt_sctp_in_stream *get_stream(rt_sctp_reassembly *r, uint16_t id)
{
    if (r->recent && r->recent->id == id)
        return r->recent;
    rt_sctp_in_stream *stream = rt_map_get(&r->streams, id);
    if (!stream) {
        stream = calloc(1, sizeof *stream);
        if (!stream)
            return NULL;
        stream->id = id;
        stream->next_mid = stream->unordered_mid = ONE_TURN;
        if (rt_map_put(&r->streams, id, stream) != RT_OK) {
            free(stream);
            return NULL;
        }
    }
    r->recent = stream;
    return stream;
}

static void make_ready(rt_sctp_reassembly *r, rt_message *message)
{
    message->next = NULL;
    if (r->ready)
        r->ready_last->next = message;
    else
        r->ready = message;
    r->ready_last = message;
}

/* Takes a partial message that is complete out of its list, to be delivered. */
static void release_partial(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, bool unordered, rt_sctp_node *node)
{
    rt_message *message = node->message;
    remove_node(r, &stream->partial[unordered], node);
    r->buffered -= message->size + RT_SCTP_MESSAGE_COST;
    r->reserved -= message->capacity;
    r->unordered -= unordered;
    free(node);
    make_ready(r, message);
}

/* Delivers what has its turn now. */
static void flush(rt_sctp_reassembly *r, rt_sctp_in_stream *stream)
{
    rt_sctp_node *node;
    while ((node = stream->partial[0].first) && node->complete && node->mid == stream->next_mid) {
        release_partial(r, stream, false, node);
        stream->next_mid++;
    }
}

static rt_message *new_message(const rt_sctp_data *data, size_t capacity)
{
    rt_message *message = rt_message_new(capacity);
    if (message) {
        message->protocol = data->protocol;
        message->stream = data->stream;
        message->flags = data->flags & RT_SCTP_FLAG_UNORDERED ? RT_MESSAGE_UNORDERED : 0;
        message->size = data->payload.size;
        memcpy(message->data, data->payload.data, data->payload.size);
    }
    return message;
}

/* Adds the bytes of the next fragment. */
static rt_status extend(rt_sctp_reassembly *r, rt_sctp_node *partial, rt_span payload)
{
    rt_message *message = partial->message;
    size_t size = message->size + payload.size;
    if (size > r->max_message_size)
        return RT_TOO_LARGE;
    if (size > message->capacity) {
        size_t capacity = message->capacity * 2 > size ? message->capacity * 2 : size;
        if (capacity > r->max_message_size)
            capacity = r->max_message_size;
        size_t before = message->capacity;
        message = rt_message_grow(message, capacity);
        if (!message)
            return RT_NO_MEMORY;
        r->reserved += message->capacity - before;
        partial->message = message;
    }
    memcpy(message->data + message->size, payload.data, payload.size);
    message->size = size;
    r->buffered += payload.size;
    partial->key++;
    return RT_OK;
}

static void complete(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, bool unordered, rt_sctp_node *partial)
{
    if (partial->message->size > stream->expected_size / 2)
        stream->expected_size = (uint32_t)partial->message->size;
    else
        stream->expected_size /= 2;
    partial->complete = true;
    if (unordered)
        release_partial(r, stream, true, partial);
    else
        flush(r, stream);
}

/* Appends parked fragments as long as they continue the partial message. */
static rt_status absorb(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, bool unordered, rt_sctp_node *partial)
{
    rt_sctp_nodes *parked = &stream->parked[unordered];
    rt_sctp_node *node = rt_sctp_nodes_from(parked, partial->mid, partial->key);
    while (node && node->mid == partial->mid && node->key == partial->key) {
        rt_sctp_node *next = node->next;
        rt_status status = extend(r, partial, rt_span_of(node->data, node->size));
        if (status != RT_OK)
            return status;
        bool end = node->flags & RT_SCTP_FLAG_END;
        discard_parked(r, stream, unordered, node);
        if (end) {
            complete(r, stream, unordered, partial);
            return RT_OK;
        }
        node = next;
    }
    return RT_OK;
}

static rt_status park(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, const rt_sctp_data *data, uint64_t mid,
                      uint64_t key)
{
    if (r->parked >= RT_SCTP_PARKED_MAX)
        return RT_AGAIN;
    bool unordered = data->flags & RT_SCTP_FLAG_UNORDERED;
    const rt_sctp_node *same = rt_sctp_nodes_from(&stream->parked[unordered], mid, key);
    if (same && same->mid == mid && same->key == key)
        return RT_MALFORMED; /* two TSNs for the same fragment */
    rt_sctp_node *node = malloc(sizeof *node + data->payload.size);
    if (!node)
        return RT_NO_MEMORY;
    *node = (rt_sctp_node){.mid = mid, .key = key, .flags = data->flags, .size = (uint16_t)data->payload.size};
    memcpy(node->data, data->payload.data, data->payload.size);
    insert_node(r, &stream->parked[unordered], node);
    r->buffered += data->payload.size + RT_SCTP_MESSAGE_COST;
    r->unordered += unordered;
    r->parked++;
    return RT_OK;
}

/* The first fragment, or a whole message that must wait for its turn. */
static rt_status begin(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, const rt_sctp_data *data, uint64_t mid,
                       uint64_t key)
{
    bool unordered = data->flags & RT_SCTP_FLAG_UNORDERED;
    bool end = data->flags & RT_SCTP_FLAG_END;
    rt_sctp_nodes *list = &stream->partial[unordered];
    const rt_sctp_node *before = rt_sctp_nodes_before(list, mid, key + 1);
    const rt_sctp_node *behind = before ? before->next : list->first;
    bool numbered = !unordered || data->interleaved;
    if (numbered && ((before && before->mid == mid) || (behind && behind->mid == mid)))
        return RT_MALFORMED; /* the message has a beginning already */
    size_t capacity = data->payload.size;
    if (!end) {
        size_t expected = stream->expected_size > 4 * capacity ? stream->expected_size : 4 * capacity;
        if (expected <= r->max_message_size && r->reserved + expected <= r->reserve_limit)
            capacity = expected;
    }
    rt_sctp_node *node = malloc(sizeof *node);
    rt_message *message = new_message(data, capacity);
    if (!node || !message) {
        free(node);
        rt_message_free(message);
        return RT_NO_MEMORY;
    }
    *node = (rt_sctp_node){.mid = mid, .key = key + 1, .message = message, .complete = end};
    insert_node(r, list, node);
    r->buffered += message->size + RT_SCTP_MESSAGE_COST;
    r->reserved += message->capacity;
    r->unordered += unordered;
    return end || !stream->parked[unordered].first ? RT_OK : absorb(r, stream, unordered, node);
}

static rt_status go_on(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, const rt_sctp_data *data, uint64_t mid,
                       uint64_t key)
{
    bool unordered = data->flags & RT_SCTP_FLAG_UNORDERED;
    rt_sctp_node *node = rt_sctp_nodes_from(&stream->partial[unordered], mid, key);
    if (!node || node->mid != mid || node->key != key || node->complete)
        return park(r, stream, data, mid, key);
    rt_status status = extend(r, node, data->payload);
    if (status != RT_OK)
        return status;
    if (data->flags & RT_SCTP_FLAG_END) {
        complete(r, stream, unordered, node);
        return RT_OK;
    }
    return stream->parked[unordered].first ? absorb(r, stream, unordered, node) : RT_OK;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The number of a message, from what a chunk says of it; 0 for unordered DATA. */
static uint64_t widen_mid(const rt_sctp_in_stream *stream, bool interleaved, bool unordered, uint32_t mid)
{
    if (interleaved)
        return rt_seq32_unwrap(unordered ? stream->unordered_mid : stream->next_mid, mid);
    return unordered ? 0 : rt_seq16_unwrap(stream->next_mid, (uint16_t)mid);
}

/* Whether the first message that waits is this one. */
static bool has_parts(const rt_sctp_nodes *nodes, uint64_t mid)
{
    return nodes->first && nodes->first->mid == mid;
}

static uint64_t position(rt_sctp_reassembly *r, const rt_sctp_data *data)
{
    if (data->interleaved)
        return data->fsn;
    uint64_t tsn = rt_seq32_unwrap(r->tsn, data->tsn);
    r->tsn = higher(r->tsn, tsn);
    return tsn;
}

rt_status rt_sctp_reassembly_add(rt_sctp_reassembly *r, const rt_sctp_data *data)
{
    rt_sctp_in_stream *stream = get_stream(r, data->stream);
    if (!stream)
        return RT_NO_MEMORY;
    bool unordered = data->flags & RT_SCTP_FLAG_UNORDERED;
    bool whole = (data->flags & (RT_SCTP_FLAG_BEGIN | RT_SCTP_FLAG_END)) == (RT_SCTP_FLAG_BEGIN | RT_SCTP_FLAG_END);
    uint64_t mid = widen_mid(stream, data->interleaved, unordered, data->mid);
    if (!unordered && mid < stream->next_mid)
        return RT_UNEXPECTED;
    if (data->payload.size > r->max_message_size)
        return RT_TOO_LARGE;
    if (whole && (unordered || mid == stream->next_mid)) {
        if (!unordered && (has_parts(&stream->partial[0], mid) || has_parts(&stream->parked[0], mid)))
            return RT_MALFORMED; /* it came in fragments before */
        rt_message *message = new_message(data, data->payload.size);
        if (!message)
            return RT_NO_MEMORY;
        make_ready(r, message);
        if (!unordered) {
            stream->next_mid++;
            flush(r, stream);
        }
        return RT_OK;
    }
    if (unordered)
        stream->unordered_mid = higher(stream->unordered_mid, mid);
    uint64_t key = position(r, data);
    if (data->flags & RT_SCTP_FLAG_BEGIN)
        return begin(r, stream, data, mid, key);
    return go_on(r, stream, data, mid, key);
}

/* Drops every part of the messages up to `mid`. */
static void skip_to(rt_sctp_reassembly *r, rt_sctp_in_stream *stream, bool unordered, uint64_t mid)
{
    rt_sctp_node *node;
    while ((node = stream->parked[unordered].first) && node->mid <= mid)
        discard_parked(r, stream, unordered, node);
    while ((node = stream->partial[unordered].first) && node->mid <= mid) {
        if (node->complete)
            release_partial(r, stream, unordered, node); /* it arrived: it was the ones before that did not */
        else
            discard_partial(r, stream, unordered, node);
    }
}

/* Unordered DATA names no message: what misses a TSN up to the new cumulative one will stay incomplete. */
static void skip_unordered_data(rt_sctp_reassembly *r, uint64_t tsn)
{
    size_t at = 0;
    rt_sctp_in_stream *stream;
    while ((stream = rt_map_next(&r->streams, &at, NULL))) {
        rt_sctp_node *node;
        while ((node = stream->parked[1].first) && node->key <= tsn)
            discard_parked(r, stream, true, node);
        while ((node = stream->partial[1].first) && node->key <= tsn)
            discard_partial(r, stream, true, node);
    }
}

rt_status rt_sctp_reassembly_forward(rt_sctp_reassembly *r, const rt_sctp_forward *forward)
{
    for (size_t i = 0; i < forward->count; i++) {
        rt_sctp_skip skip = rt_sctp_forward_skip(forward, i);
        rt_sctp_in_stream *stream = get_stream(r, skip.stream);
        if (!stream)
            return RT_NO_MEMORY;
        uint64_t mid = widen_mid(stream, forward->interleaved, skip.unordered, skip.mid);
        if (skip.unordered) {
            skip_to(r, stream, true, mid);
        } else if (stream->next_mid <= mid) {
            skip_to(r, stream, false, mid);
            stream->next_mid = mid + 1;
            flush(r, stream);
        }
    }
    if (!forward->interleaved) {
        uint64_t tsn = rt_seq32_unwrap(r->tsn, forward->cumulative_tsn);
        r->tsn = higher(r->tsn, tsn);
        /* The walk over all streams is paid for by the chunks that ask for it. What it would drop hurts nobody
         * but for its place in the buffer: it has a number that does not come again. */
        if (r->unordered && (uint64_t)++r->forwards * WALK >= r->streams.capacity) {
            r->forwards = 0;
            skip_unordered_data(r, tsn);
        }
    }
    return RT_OK;
}
