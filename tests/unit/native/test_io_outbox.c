/* io/outbox and io/mailbox: what waits for a taker, in its order, and what is bounded. The peer is a list of events. */
#include "base/message.h"
#include "check.h"
#include "io/outbox.h"

#define EVENTS_MAX 4096
#define MAX_BYTES 20000

static rt_peer_event *events;
static size_t event_count, event_at;

/* The only thing that the outbox asks of a peer. */
bool rt_peer_event_next(rt_peer *peer, rt_peer_event *out, rt_time now)
{
    (void)peer, (void)now;
    if (event_at == event_count) {
        event_at = event_count = 0;
        return false;
    }
    *out = events[event_at++];
    return true;
}

static rt_peer_event *add(rt_peer_event_type type)
{
    CHECK(event_count < EVENTS_MAX);
    rt_peer_event *event = &events[event_count++];
    memset(event, 0, sizeof *event);
    event->type = type;
    return event;
}

static void add_frame_of(size_t size, uint8_t section, int64_t timestamp)
{
    rt_media_event *media = &add(RT_PEER_EVENT_MEDIA)->media;
    media->type = RT_MEDIA_EVENT_FRAME;
    media->section = section;
    media->frame = rt_frame_new(size);
    CHECK(media->frame);
    media->frame->section = section;
    media->frame->timestamp = timestamp;
}

static void add_frame(uint8_t section, int64_t timestamp)
{
    add_frame_of(10, section, timestamp);
}

static void add_media(rt_media_event_type type, uint8_t section, uint8_t encoding, uint64_t bitrate)
{
    rt_media_event *media = &add(RT_PEER_EVENT_MEDIA)->media;
    media->type = type;
    media->section = section;
    media->encoding = encoding;
    media->bitrate = bitrate;
}

static void add_message(void)
{
    rt_channel_event *channel = &add(RT_PEER_EVENT_CHANNEL)->channel;
    channel->type = RT_CHANNEL_EVENT_MESSAGE;
    channel->message = rt_message_new(5);
    CHECK(channel->message);
    channel->handle = 7;
    channel->charge = 5;
}

static size_t collect(rt_outbox *outbox, rt_mailbox *mailbox)
{
    return rt_outbox_collect(outbox, NULL, mailbox, 42, 0);
}

static void open_all(rt_outbox *outbox, rt_mailbox **mailbox, uint32_t max_frames)
{
    CHECK_EQ(rt_outbox_init(outbox, false), RT_OK);
    *mailbox = rt_mailbox_new(max_frames, MAX_BYTES);
    CHECK(*mailbox);
    CHECK_EQ(rt_outbox_open_section(outbox, *mailbox, 3), RT_OK);
    CHECK_EQ(rt_outbox_open_section(outbox, *mailbox, 1), RT_OK);
}

static rt_media_event take_media(rt_outbox *outbox, rt_media_event_type type, uint8_t section)
{
    rt_worker_event event;
    CHECK_EQ(rt_outbox_take(outbox, &event, 1), 1);
    CHECK_EQ(event.tag, 42);
    CHECK_EQ(event.event.type, RT_PEER_EVENT_MEDIA);
    CHECK_EQ(event.event.media.type, type);
    CHECK_EQ(event.event.media.section, section);
    return event.event.media;
}

static void take_frame(rt_outbox *outbox, uint8_t section, int64_t timestamp)
{
    rt_frame *frame = take_media(outbox, RT_MEDIA_EVENT_FRAME, section).frame;
    CHECK_EQ(frame->timestamp, timestamp);
    CHECK(!frame->next);
    rt_frame_unref(frame);
}

static void take_message(rt_outbox *outbox)
{
    rt_worker_event event;
    CHECK_EQ(rt_outbox_take(outbox, &event, 1), 1);
    CHECK_EQ(event.event.type, RT_PEER_EVENT_CHANNEL);
    CHECK_EQ(event.event.channel.handle, 7);
    rt_worker_event_drop(&event);
}

static void close_all(rt_outbox *outbox, rt_mailbox *mailbox)
{
    rt_outbox_close_mailbox(outbox, mailbox);
    rt_outbox_free(outbox);
}

static void everything_keeps_its_order(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 10);
    add_frame(1, 100);
    add_message();
    add_frame(3, 200);
    add_media(RT_MEDIA_EVENT_STREAM, 1, 0, 0);
    add_media(RT_MEDIA_EVENT_KEY_FRAME, 1, 2, 0);
    add_frame(1, 101);
    CHECK_EQ(collect(&outbox, mailbox), 6);
    take_frame(&outbox, 1, 100);
    take_message(&outbox);
    take_frame(&outbox, 3, 200);
    take_media(&outbox, RT_MEDIA_EVENT_STREAM, 1);
    CHECK_EQ(take_media(&outbox, RT_MEDIA_EVENT_KEY_FRAME, 1).encoding, 2);
    take_frame(&outbox, 1, 101);
    CHECK(rt_outbox_empty(&outbox));
    close_all(&outbox, mailbox);
}

static void the_oldest_frames_go_and_are_told_of(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 4);
    for (int i = 0; i < 10; i++) {
        add_frame(1, i);
        CHECK_EQ(collect(&outbox, mailbox), i < 4 ? 1 : 0);
    }
    add_frame(3, 77); /* another section's bound is its own */
    CHECK_EQ(collect(&outbox, mailbox), 1);
    CHECK_EQ(take_media(&outbox, RT_MEDIA_EVENT_DROPPED, 1).count, 6);
    for (int i = 6; i < 10; i++)
        take_frame(&outbox, 1, i);
    take_frame(&outbox, 3, 77);
    CHECK(rt_outbox_empty(&outbox));
    add_frame(1, 10); /* told once */
    collect(&outbox, mailbox);
    take_frame(&outbox, 1, 10);
    close_all(&outbox, mailbox);
}

/* Bytes are bounded, too: a large frame pushes out several small ones, whose tokens then stand for what comes later. */
static void frames_are_bounded_by_their_bytes(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 100);
    for (int i = 0; i < 6; i++)
        add_frame_of(MAX_BYTES / 5, 1, i);
    CHECK_EQ(collect(&outbox, mailbox), 5); /* the sixth has the first one's token */
    add_message();
    add_frame_of(MAX_BYTES - MAX_BYTES / 5, 1, 6);
    CHECK_EQ(collect(&outbox, mailbox), 1);
    add_frame_of(MAX_BYTES / 5, 3, 70); /* another section's bound is its own */
    CHECK_EQ(collect(&outbox, mailbox), 1);
    CHECK_EQ(take_media(&outbox, RT_MEDIA_EVENT_DROPPED, 1).count, 5);
    take_frame(&outbox, 1, 5);
    add_frame(1, 7); /* a spare token is used */
    CHECK_EQ(collect(&outbox, mailbox), 0);
    take_frame(&outbox, 1, 6);
    take_frame(&outbox, 1, 7);
    take_message(&outbox); /* two spare ones stood before it */
    take_frame(&outbox, 3, 70);
    CHECK(rt_outbox_empty(&outbox));
    add_frame(1, 8);
    CHECK_EQ(collect(&outbox, mailbox), 1);
    take_frame(&outbox, 1, 8);
    close_all(&outbox, mailbox);
}

/* Nothing would ever come of a frame that goes for its own size. */
static void the_newest_frame_stays_however_large(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 100);
    for (int i = 0; i < 50; i++) {
        add_frame_of(3 * MAX_BYTES, 1, 2 * i);
        CHECK_EQ(collect(&outbox, mailbox), i == 0);
        add_frame(1, 2 * i + 1);
        CHECK_EQ(collect(&outbox, mailbox), 0);
    }
    CHECK_EQ(take_media(&outbox, RT_MEDIA_EVENT_DROPPED, 1).count, 99);
    take_frame(&outbox, 1, 99);
    CHECK(rt_outbox_empty(&outbox));
    close_all(&outbox, mailbox);
}

/* However many tokens are left over, taken or not, their references end. */
static void spare_tokens_are_released(void)
{
    for (int taken = 0; taken < 2; taken++) {
        rt_outbox outbox;
        rt_mailbox *mailbox;
        open_all(&outbox, &mailbox, 100);
        for (int i = 0; i < 20; i++)
            add_frame_of(MAX_BYTES / 20, 1, i);
        add_frame_of(MAX_BYTES, 1, 20);
        CHECK_EQ(collect(&outbox, mailbox), 20);
        if (taken) {
            CHECK_EQ(take_media(&outbox, RT_MEDIA_EVENT_DROPPED, 1).count, 20);
            take_frame(&outbox, 1, 20);
            rt_worker_event event;
            CHECK_EQ(rt_outbox_take(&outbox, &event, 1), 0);
            CHECK(rt_outbox_empty(&outbox));
        }
        close_all(&outbox, mailbox);
    }
}

static void requests_wait_once_with_their_last_value(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 4);
    for (uint64_t i = 1; i <= 1000; i++) {
        add_media(RT_MEDIA_EVENT_KEY_FRAME, 1, 0, 0);
        add_media(RT_MEDIA_EVENT_BITRATE, 1, 0, i);
        add_media(RT_MEDIA_EVENT_BITRATE, 1, 1, 2 * i);
    }
    CHECK_EQ(collect(&outbox, mailbox), 3);
    take_media(&outbox, RT_MEDIA_EVENT_KEY_FRAME, 1);
    CHECK_EQ(take_media(&outbox, RT_MEDIA_EVENT_BITRATE, 1).bitrate, 1000);
    rt_media_event second = take_media(&outbox, RT_MEDIA_EVENT_BITRATE, 1);
    CHECK_EQ(second.bitrate, 2000);
    CHECK_EQ(second.encoding, 1);
    add_media(RT_MEDIA_EVENT_KEY_FRAME, 1, 0, 0); /* once more when it was taken */
    CHECK_EQ(collect(&outbox, mailbox), 1);
    take_media(&outbox, RT_MEDIA_EVENT_KEY_FRAME, 1);
    close_all(&outbox, mailbox);
}

static void a_section_that_nobody_opened_has_no_frames(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 4);
    add_frame(200, 1);
    CHECK_EQ(collect(&outbox, mailbox), 0);
    add_media(RT_MEDIA_EVENT_ENDED, 200, 0, 0); /* whatever else it is, is told */
    CHECK_EQ(collect(&outbox, mailbox), 1);
    take_media(&outbox, RT_MEDIA_EVENT_ENDED, 200);
    close_all(&outbox, mailbox);
}

static void a_closed_mailbox_gives_nothing(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 4);
    for (int i = 0; i < 8; i++)
        add_frame(1, i);
    add_media(RT_MEDIA_EVENT_KEY_FRAME, 3, 0, 0);
    add_message();
    collect(&outbox, mailbox);
    rt_outbox_close_mailbox(&outbox, mailbox);
    CHECK(!rt_outbox_empty(&outbox)); /* its tokens, until they are taken */
    take_message(&outbox);
    CHECK(rt_outbox_empty(&outbox));
    rt_outbox_free(&outbox);
}

static void what_is_not_taken_is_freed(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 4);
    for (int i = 0; i < 8; i++)
        add_frame(3, i);
    add_message();
    add_frame(1, 1);
    collect(&outbox, mailbox);
    rt_outbox_free(&outbox); /* the worker's order may be either */
    rt_mailbox_close(mailbox);
    open_all(&outbox, &mailbox, 4);
    add_frame(1, 1);
    collect(&outbox, mailbox);
    close_all(&outbox, mailbox);
}

static void without_a_mailbox_events_are_boxed(void)
{
    rt_outbox outbox;
    CHECK_EQ(rt_outbox_init(&outbox, false), RT_OK);
    add_frame(9, 5);
    CHECK_EQ(collect(&outbox, NULL), 1);
    take_frame(&outbox, 9, 5);
    rt_outbox_free(&outbox);
}

static void many_at_once(void)
{
    rt_outbox outbox;
    rt_mailbox *mailbox;
    open_all(&outbox, &mailbox, 1000);
    for (int i = 0; i < 500; i++) {
        add_frame(1, i);
        add_frame(3, i);
    }
    CHECK_EQ(collect(&outbox, mailbox), 1000);
    rt_worker_event taken[64];
    size_t count, all = 0;
    while ((count = rt_outbox_take(&outbox, taken, 64))) {
        for (size_t i = 0; i < count; i++, all++) {
            CHECK_EQ(taken[i].event.media.frame->timestamp, all / 2);
            rt_worker_event_drop(&taken[i]);
        }
    }
    CHECK_EQ(all, 1000);
    close_all(&outbox, mailbox);
}

int main(int argc, char **argv)
{
    events = calloc(EVENTS_MAX, sizeof *events);
    CHECK(events);
    RUN(everything_keeps_its_order);
    RUN(the_oldest_frames_go_and_are_told_of);
    RUN(frames_are_bounded_by_their_bytes);
    RUN(the_newest_frame_stays_however_large);
    RUN(spare_tokens_are_released);
    RUN(requests_wait_once_with_their_last_value);
    RUN(a_section_that_nobody_opened_has_no_frames);
    RUN(a_closed_mailbox_gives_nothing);
    RUN(what_is_not_taken_is_freed);
    RUN(without_a_mailbox_events_are_boxed);
    RUN(many_at_once);
    free(events);
    CHECK_MAIN_END;
}
