#include "io/outbox.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX (1u << 31)

typedef struct entry {
    uint64_t tag;
    void *item; /* the message, or the boxed event; NULL: neither */
    uint32_t handle, charge;
    uint8_t type; /* of a channel event */
    bool boxed;
    bool binary;
} entry;

rt_status rt_outbox_init(rt_outbox *outbox, bool portable)
{
    *outbox = (rt_outbox){.signal = {.read_fd = -1, .write_fd = -1}};
    if (pthread_mutex_init(&outbox->lock, NULL) != 0)
        return RT_SYSTEM;
    rt_ring_init(&outbox->entries, sizeof(entry), ENTRIES_MAX);
    return rt_signal_open(&outbox->signal, portable);
}

void rt_outbox_free(rt_outbox *outbox)
{
    rt_worker_event event;
    while (rt_outbox_take(outbox, &event, 1))
        rt_worker_event_drop(&event);
    rt_signal_close(&outbox->signal);
    rt_ring_free(&outbox->entries);
    free(outbox->spare);
    pthread_mutex_destroy(&outbox->lock);
}

/* Whether the next event, whatever it is, can be put in. */
static bool has_room(rt_outbox *outbox)
{
    if (!outbox->spare)
        outbox->spare = malloc(sizeof *outbox->spare);
    rt_ring *ring = &outbox->entries;
    return outbox->spare && (ring->count < ring->capacity || rt_ring_grow(ring));
}

static void put(rt_outbox *outbox, const rt_peer_event *event, uint64_t tag)
{
    entry *e = rt_ring_push(&outbox->entries);
    const rt_channel_event *channel = &event->channel;
    *e = (entry){.tag = tag};
    if (event->type == RT_PEER_EVENT_CHANNEL && channel->type == RT_CHANNEL_EVENT_MESSAGE) {
        e->item = channel->message;
        e->handle = channel->handle;
        e->charge = channel->charge;
        e->type = (uint8_t)channel->type;
        e->binary = channel->binary;
    } else {
        *outbox->spare = *event;
        e->item = outbox->spare;
        e->boxed = true;
        outbox->spare = NULL;
    }
}

size_t rt_outbox_collect(rt_outbox *outbox, rt_peer *peer, uint64_t tag, rt_time now)
{
    size_t count = 0;
    rt_peer_event event;
    pthread_mutex_lock(&outbox->lock);
    while (has_room(outbox) && rt_peer_event_next(peer, &event, now)) {
        put(outbox, &event, tag);
        count++;
    }
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

bool rt_outbox_announce(rt_outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool waiting = outbox->entries.count > 0;
    if (waiting)
        rt_signal_raise(&outbox->signal);
    pthread_mutex_unlock(&outbox->lock);
    return waiting;
}

bool rt_outbox_empty(rt_outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool empty = outbox->entries.count == 0;
    pthread_mutex_unlock(&outbox->lock);
    return empty;
}

static void get(const entry *e, rt_worker_event *out)
{
    out->tag = e->tag;
    if (e->boxed) {
        out->event = *(rt_peer_event *)e->item;
        free(e->item);
        return;
    }
    out->event.type = RT_PEER_EVENT_CHANNEL; /* the texts, empty, stay untouched but for their first byte */
    rt_channel_event *channel = &out->event.channel;
    channel->type = (rt_channel_event_type)e->type;
    channel->handle = e->handle;
    channel->charge = e->charge;
    channel->message = e->item;
    channel->binary = e->binary;
    channel->error = 0;
    channel->text[0] = 0;
}

size_t rt_outbox_take(rt_outbox *outbox, rt_worker_event *out, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&outbox->lock);
    while (count < max && outbox->entries.count) {
        get(rt_ring_first(&outbox->entries), &out[count++]);
        rt_ring_pop(&outbox->entries);
    }
    if (outbox->entries.count == 0)
        rt_signal_clear(&outbox->signal);
    pthread_mutex_unlock(&outbox->lock);
    return count;
}
