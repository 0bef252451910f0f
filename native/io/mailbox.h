/* What one peer's media has for its taker, while that is busy: frames by section, requests by encoding.
 *
 * A frame waits in its section's queue, which has two bounds: `max_frames`, and `max_bytes` of memory. Where a new
 * frame would be beyond either, the oldest go, as many as it takes, and are counted (RT_MEDIA_EVENT_DROPPED, before
 * the next frame); the newest stays, however large. A request that repeats itself (a key frame is needed, another
 * bitrate) waits once, with its last value. So nothing grows however long the taker is busy, and what it gets then
 * is the newest.
 *
 * The outbox keeps the order among all events: for what waits here it has tokens in its queue, one for each request,
 * and for frames no fewer than wait. A frame that goes leaves its token to those after it; one that finds no frame any
 * more stands for nothing. All calls are made under the outbox's lock.
 */
#ifndef RT_IO_MAILBOX_H
#define RT_IO_MAILBOX_H

#include "peer/media.h"

typedef struct rt_mailbox rt_mailbox;

/* Per section, where nobody says otherwise: seconds of what a camera sends, one of 64 Mbit/s. */
#define RT_MAILBOX_BYTES ((size_t)8 << 20)

/* One reference, the owner's; each token is another. NULL when there is no memory. */
rt_mailbox *rt_mailbox_new(uint32_t max_frames, size_t max_bytes);
/* The owner's reference ends: what waits is freed, tokens stand for nothing. */
void rt_mailbox_close(rt_mailbox *mailbox);

/* Makes room for a section; frames of one without are dropped. RT_NO_MEMORY. */
rt_status rt_mailbox_open(rt_mailbox *mailbox, uint8_t section);

/* Somebody between the media and the taker of events: sees each event before it is put; true: it is taken. */
typedef bool rt_mailbox_tap(void *context, const rt_media_event *event);
void rt_mailbox_set_tap(rt_mailbox *mailbox, rt_mailbox_tap *tap, void *context);

typedef enum rt_mailbox_put_result {
    RT_MAILBOX_NOT_TAKEN, /* an event of another kind: the caller keeps it */
    RT_MAILBOX_TAKEN,     /* nothing more to do */
    RT_MAILBOX_TOKEN,     /* the outbox queues a token, (mailbox, type, section, encoding) */
} rt_mailbox_put_result;

rt_mailbox_put_result rt_mailbox_put(rt_mailbox *mailbox, const rt_media_event *event);

typedef enum rt_mailbox_take_result {
    RT_MAILBOX_NOTHING, /* the token is used up, and nothing came of it */
    RT_MAILBOX_EVENT,   /* the token is used up; `out` is its event */
    RT_MAILBOX_BEFORE,  /* `out` comes before the token's event: use the token again */
} rt_mailbox_take_result;

/* What a token stands for. When it is used up, so is its reference. */
rt_mailbox_take_result rt_mailbox_take(rt_mailbox *mailbox, rt_media_event_type type, uint8_t section, uint8_t encoding,
                                       rt_media_event *out);

#endif
