#include "io/outbox.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX (1u << 31)

typedef enum kind { MESSAGE, MEDIA, BOXED } kind;

typedef struct entry {
    uint64_t tag;
    void *item;              /* the message, the mailbox that a token is for, the boxed event */
    uint32_t handle, charge; /* of a message */
    uint8_t kind;
    bool binary;
    uint8_t type, section, encoding; /* of a token: what waits in the mailbox */
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

/* Returns whether there is something to take: a mailbox may have had a place for it. */
static bool put(rt_outbox *outbox, const rt_peer_event *event, rt_mailbox *mailbox, uint64_t tag)
{
    entry new = {.tag = tag, .kind = BOXED};
    const rt_channel_event *channel = &event->channel;
    const rt_media_event *media = &event->media;
    if (event->type == RT_PEER_EVENT_MEDIA && mailbox) {
        rt_mailbox_put_result result = rt_mailbox_put(mailbox, media);
        if (result == RT_MAILBOX_TAKEN)
            return false;
        if (result == RT_MAILBOX_TOKEN) {
            new.kind = MEDIA;
            new.item = mailbox;
            new.type = (uint8_t)media->type;
            new.section = media->section;
            new.encoding = media->encoding;
        }
    } else if (event->type == RT_PEER_EVENT_CHANNEL && channel->type == RT_CHANNEL_EVENT_MESSAGE) {
        new.kind = MESSAGE;
        new.item = channel->message;
        new.handle = channel->handle;
        new.charge = channel->charge;
        new.binary = channel->binary;
    }
    if (new.kind == BOXED) {
        *outbox->spare = *event;
        new.item = outbox->spare;
        outbox->spare = NULL;
    }
    *(entry *)rt_ring_push(&outbox->entries) = new;
    return true;
}

size_t rt_outbox_collect(rt_outbox *outbox, rt_peer *peer, rt_mailbox *mailbox, uint64_t tag, rt_time now)
{
    size_t count = 0;
    rt_peer_event event;
    pthread_mutex_lock(&outbox->lock);
    while (has_room(outbox) && rt_peer_event_next(peer, &event, now))
        count += put(outbox, &event, mailbox, tag);
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

bool rt_outbox_put(rt_outbox *outbox, const rt_peer_event *event, uint64_t tag)
{
    pthread_mutex_lock(&outbox->lock);
    bool room = has_room(outbox);
    if (room)
        put(outbox, event, NULL, tag);
    pthread_mutex_unlock(&outbox->lock);
    return room;
}

rt_status rt_outbox_open_section(rt_outbox *outbox, rt_mailbox *mailbox, uint8_t section)
{
    pthread_mutex_lock(&outbox->lock);
    rt_status status = rt_mailbox_open(mailbox, section);
    pthread_mutex_unlock(&outbox->lock);
    return status;
}

void rt_outbox_close_mailbox(rt_outbox *outbox, rt_mailbox *mailbox)
{
    if (!mailbox)
        return;
    pthread_mutex_lock(&outbox->lock);
    rt_mailbox_close(mailbox);
    pthread_mutex_unlock(&outbox->lock);
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

static void get_message(const entry *e, rt_channel_event *channel)
{
    channel->type = RT_CHANNEL_EVENT_MESSAGE; /* the text, empty, stays untouched but for its first byte */
    channel->handle = e->handle;
    channel->charge = e->charge;
    channel->message = e->item;
    channel->binary = e->binary;
    channel->error = 0;
    channel->text[0] = 0;
}

/* The event of the first entry, which goes unless another comes before its own. False: there is none. */
static bool get(rt_outbox *outbox, rt_worker_event *out)
{
    const entry *e = rt_ring_first(&outbox->entries);
    rt_mailbox_take_result result = RT_MAILBOX_EVENT;
    out->tag = e->tag;
    if (e->kind == BOXED) {
        out->event = *(rt_peer_event *)e->item;
        free(e->item);
    } else if (e->kind == MEDIA) {
        out->event.type = RT_PEER_EVENT_MEDIA;
        result = rt_mailbox_take(e->item, (rt_media_event_type)e->type, e->section, e->encoding, &out->event.media);
    } else {
        out->event.type = RT_PEER_EVENT_CHANNEL;
        get_message(e, &out->event.channel);
    }
    if (result != RT_MAILBOX_BEFORE)
        rt_ring_pop(&outbox->entries);
    return result != RT_MAILBOX_NOTHING;
}

size_t rt_outbox_take(rt_outbox *outbox, rt_worker_event *out, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&outbox->lock);
    while (count < max && outbox->entries.count)
        count += get(outbox, &out[count]);
    if (outbox->entries.count == 0)
        rt_signal_clear(&outbox->signal);
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

void rt_worker_event_drop(rt_worker_event *event)
{
    const rt_peer_event *what = &event->event;
    if (what->type == RT_PEER_EVENT_CHANNEL && what->channel.type == RT_CHANNEL_EVENT_MESSAGE)
        rt_message_free(what->channel.message);
    else if (what->type == RT_PEER_EVENT_MEDIA && what->media.type == RT_MEDIA_EVENT_FRAME)
        rt_frame_unref(what->media.frame);
}
