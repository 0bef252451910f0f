#include "io/mailbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct waiting {
    rt_frame *first, *last;
    uint32_t count;
    uint32_t tokens;              /* for frames: as many, or more */
    uint32_t dropped;             /* since the taker was told */
    size_t bytes;                 /* of the frames, as allocated */
    uint8_t key_frames, bitrates; /* a bit per encoding that has a token */
    uint64_t bitrate[RT_MEDIA_ENCODINGS];
} waiting;

_Static_assert(RT_MEDIA_ENCODINGS <= 8, "a bit per encoding");

struct rt_mailbox {
    uint64_t references;
    uint32_t max_frames;
    size_t max_bytes;
    uint32_t section_count;
    bool closed;
    rt_mailbox_tap *tap; /* NULL: none */
    void *context;
    waiting *sections; /* by their number */
};

rt_mailbox *rt_mailbox_new(uint32_t max_frames, size_t max_bytes)
{
    rt_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox) {
        mailbox->references = 1;
        mailbox->max_frames = max_frames;
        mailbox->max_bytes = max_bytes;
    }
    return mailbox;
}

static void release(rt_mailbox *mailbox)
{
    assert(mailbox->references > 0);
    if (--mailbox->references > 0)
        return;
    free(mailbox->sections);
    free(mailbox);
}

static rt_frame *pop(waiting *w)
{
    rt_frame *frame = w->first;
    if (frame) {
        w->first = frame->next;
        frame->next = NULL;
        w->count--;
        w->bytes -= frame->capacity;
    }
    return frame;
}

void rt_mailbox_close(rt_mailbox *mailbox)
{
    mailbox->closed = true;
    for (uint32_t i = 0; i < mailbox->section_count; i++) {
        rt_frame *frame;
        while ((frame = pop(&mailbox->sections[i])))
            rt_frame_unref(frame);
    }
    release(mailbox);
}

rt_status rt_mailbox_open(rt_mailbox *mailbox, uint8_t section)
{
    if (section < mailbox->section_count)
        return RT_OK;
    uint32_t count = (uint32_t)section + 1;
    waiting *grown = realloc(mailbox->sections, count * sizeof *grown);
    if (!grown)
        return RT_NO_MEMORY;
    memset(grown + mailbox->section_count, 0, (count - mailbox->section_count) * sizeof *grown);
    mailbox->sections = grown;
    mailbox->section_count = count;
    return RT_OK;
}

void rt_mailbox_set_tap(rt_mailbox *mailbox, rt_mailbox_tap *tap, void *context)
{
    mailbox->tap = tap;
    mailbox->context = context;
}

/* ---- in ---- */

static rt_mailbox_put_result token(rt_mailbox *mailbox)
{
    mailbox->references++;
    return RT_MAILBOX_TOKEN;
}

static bool has_room(const rt_mailbox *mailbox, const waiting *w, const rt_frame *frame)
{
    return w->count == 0 || (w->count < mailbox->max_frames && w->bytes + frame->capacity <= mailbox->max_bytes);
}

static rt_mailbox_put_result put_frame(rt_mailbox *mailbox, waiting *w, rt_frame *frame)
{
    while (!has_room(mailbox, w, frame)) { /* its token now stands for the next one */
        rt_frame_unref(pop(w));
        w->dropped++;
    }
    frame->next = NULL;
    w->bytes += frame->capacity;
    if (w->count++ == 0)
        w->first = frame;
    else
        w->last->next = frame;
    w->last = frame;
    if (w->tokens >= w->count)
        return RT_MAILBOX_TAKEN;
    w->tokens++;
    return token(mailbox);
}

rt_mailbox_put_result rt_mailbox_put(rt_mailbox *mailbox, const rt_media_event *event)
{
    if (mailbox->tap && mailbox->tap(mailbox->context, event))
        return RT_MAILBOX_TAKEN;
    bool known = event->section < mailbox->section_count;
    if (event->type == RT_MEDIA_EVENT_FRAME && !known) {
        rt_frame_unref(event->frame);
        return RT_MAILBOX_TAKEN;
    }
    if (!known || event->encoding >= RT_MEDIA_ENCODINGS)
        return RT_MAILBOX_NOT_TAKEN;
    waiting *w = &mailbox->sections[event->section];
    uint8_t bit = (uint8_t)(1 << event->encoding), before;
    switch (event->type) {
    case RT_MEDIA_EVENT_FRAME: return put_frame(mailbox, w, event->frame);
    case RT_MEDIA_EVENT_KEY_FRAME:
        before = w->key_frames;
        w->key_frames |= bit;
        return before & bit ? RT_MAILBOX_TAKEN : token(mailbox);
    case RT_MEDIA_EVENT_BITRATE:
        before = w->bitrates;
        w->bitrates |= bit;
        w->bitrate[event->encoding] = event->bitrate;
        return before & bit ? RT_MAILBOX_TAKEN : token(mailbox);
    default: return RT_MAILBOX_NOT_TAKEN;
    }
}

/* ---- out ---- */

rt_mailbox_take_result rt_mailbox_take(rt_mailbox *mailbox, rt_media_event_type type, uint8_t section, uint8_t encoding,
                                       rt_media_event *out)
{
    if (mailbox->closed) {
        release(mailbox);
        return RT_MAILBOX_NOTHING;
    }
    waiting *w = &mailbox->sections[section];
    *out = (rt_media_event){.type = type, .section = section, .encoding = encoding};
    if (type == RT_MEDIA_EVENT_FRAME && w->dropped) {
        out->type = RT_MEDIA_EVENT_DROPPED;
        out->count = w->dropped;
        w->dropped = 0;
        return RT_MAILBOX_BEFORE;
    }
    if (type == RT_MEDIA_EVENT_FRAME) {
        assert(w->tokens >= w->count);
        w->tokens--;
        out->frame = pop(w);
        if (!out->frame) {
            release(mailbox);
            return RT_MAILBOX_NOTHING;
        }
        out->encoding = out->frame->encoding;
        out->ssrc = out->frame->ssrc;
    } else if (type == RT_MEDIA_EVENT_KEY_FRAME) {
        w->key_frames &= (uint8_t)~(1 << encoding);
    } else {
        assert(type == RT_MEDIA_EVENT_BITRATE);
        w->bitrates &= (uint8_t)~(1 << encoding);
        out->bitrate = w->bitrate[encoding];
    }
    release(mailbox);
    return RT_MAILBOX_EVENT;
}
