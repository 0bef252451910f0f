/* Two sets of channels over two associations and an ideal wire: what the tests of proto/channel share. */
#ifndef RT_TESTS_CHANNEL_PAIR_H
#define RT_TESTS_CHANNEL_PAIR_H

#include "check.h"
#include "proto/channel.h"
#include "wire/dcep.h"

typedef struct heard { /* an event, with the bytes of its message */
    rt_channel_event_type type;
    uint32_t handle;
    bool binary, unordered;
    uint16_t error;
    char text[64];
    uint8_t *data;
    size_t size;
} heard;

typedef struct end {
    rt_random random;
    rt_sctp *sctp;
    rt_channels *channels;
    heard *events;
    size_t count, capacity, seen;
    bool hold; /* messages are not released: a slow reader */
    size_t held;
} end;

typedef struct pair {
    end a, b; /* a is the DTLS client */
    rt_time now;
    uint8_t memory[1 << 18];
    rt_packet packets[256];
} pair;

static void end_new(end *e, uint64_t seed, uint32_t max_channels)
{
    rt_random_init_number(&e->random, seed);
    rt_sctp_config config;
    rt_sctp_config_default(&config);
    config.random = &e->random;
    e->sctp = rt_sctp_new(&config);
    CHECK(e->sctp != NULL);
    e->channels = rt_channels_new(e->sctp, max_channels);
    CHECK(e->channels != NULL);
}

static pair *pair_new_limited(uint32_t max_channels)
{
    pair *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    p->now = RT_SECONDS(1);
    end_new(&p->a, 1, max_channels);
    end_new(&p->b, 2, max_channels);
    rt_channels_set_role(p->a.channels, true, p->now);
    rt_channels_set_role(p->b.channels, false, p->now);
    return p;
}

static void end_free(end *e)
{
    rt_channels_free(e->channels);
    rt_sctp_free(e->sctp);
    for (size_t i = 0; i < e->count; i++)
        free(e->events[i].data);
    free(e->events);
}

static void pair_free(pair *p)
{
    end_free(&p->a);
    end_free(&p->b);
    free(p);
}

static void end_listen(end *e, rt_time now)
{
    rt_channel_event event;
    while (rt_channels_event(e->channels, &event, now)) {
        if (e->count == e->capacity) {
            e->capacity = e->capacity ? e->capacity * 2 : 64;
            e->events = realloc(e->events, e->capacity * sizeof *e->events);
            CHECK(e->events != NULL);
        }
        heard *h = &e->events[e->count++];
        *h = (heard){.type = event.type, .handle = event.handle, .error = event.error};
        memcpy(h->text, event.text, sizeof h->text);
        if (event.type == RT_CHANNEL_EVENT_MESSAGE) {
            h->binary = event.binary;
            h->unordered = event.message->flags & RT_MESSAGE_UNORDERED;
            h->size = event.message->size;
            h->data = malloc(h->size + 1);
            CHECK(h->data != NULL);
            memcpy(h->data, event.message->data, h->size);
            rt_message_free(event.message);
            if (e->hold)
                e->held += event.charge;
            else
                rt_channels_release(e->channels, event.charge, now);
        }
    }
}

/* One way: what `from` has to send, and nothing else. True when there was something. */
static bool pair_carry(pair *p, end *from, end *to)
{
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(p->memory, sizeof p->memory), p->packets, 256);
    bool any = false;
    for (;;) {
        rt_batch_reset(&batch);
        if (rt_sctp_transmit(from->sctp, &batch, p->now) == 0)
            return any;
        any = true;
        for (uint32_t i = 0; i < batch.count; i++)
            (void)rt_sctp_receive(to->sctp, rt_span_of(batch.packets[i].data, batch.packets[i].size), p->now);
    }
}

static void pair_expire(end *e, rt_time now)
{
    if (rt_sctp_deadline(e->sctp) <= now)
        rt_sctp_expire(e->sctp, now);
}

/* Until nothing is under way and no timer is due within `span`. */
static void pair_run(pair *p, rt_time span)
{
    rt_time until = p->now + span;
    for (;;) {
        bool any = true;
        while (any) {
            end_listen(&p->a, p->now);
            end_listen(&p->b, p->now);
            any = pair_carry(p, &p->a, &p->b);
            any |= pair_carry(p, &p->b, &p->a);
        }
        rt_time next = rt_time_min(rt_sctp_deadline(p->a.sctp), rt_sctp_deadline(p->b.sctp));
        if (next > until)
            break;
        p->now = rt_time_max(p->now, next);
        pair_expire(&p->a, p->now);
        pair_expire(&p->b, p->now);
    }
    p->now = until;
}

static void pair_connect(pair *p)
{
    CHECK_EQ(rt_sctp_connect(p->a.sctp, p->now), RT_OK);
    CHECK_EQ(rt_sctp_connect(p->b.sctp, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
}

/* The next event that was not asked for yet; the test fails when there is none or it is another. */
static heard *expect(end *e, rt_channel_event_type type)
{
    if (e->seen == e->count) {
        fprintf(stderr, "expected event %d, there is none\n", (int)type);
        exit(1);
    }
    heard *h = &e->events[e->seen++];
    CHECK_EQ(h->type, type);
    return h;
}

static inline void expect_none(end *e)
{
    if (e->seen < e->count)
        fprintf(stderr, "event %d of channel %u, %s\n", (int)e->events[e->seen].type, e->events[e->seen].handle,
                e->events[e->seen].text);
    CHECK_EQ(e->count - e->seen, 0);
}

static inline pair *pair_connected(void)
{
    pair *p = pair_new_limited(0);
    pair_connect(p);
    (void)expect(&p->a, RT_CHANNEL_EVENT_CONNECTED);
    (void)expect(&p->b, RT_CHANNEL_EVENT_CONNECTED);
    return p;
}

static inline rt_channel_options options_of(const char *label)
{
    return (rt_channel_options){
        .label = rt_span_text(label),
        .ordered = true,
        .id = RT_CHANNEL_ID_NONE,
        .max_retransmits = -1,
        .max_lifetime_ms = -1,
    };
}

static inline uint32_t open_channel(pair *p, end *e, const rt_channel_options *options)
{
    uint32_t handle = 0;
    CHECK_EQ(rt_channel_open(e->channels, options, &handle, p->now), RT_OK);
    CHECK(handle != 0);
    return handle;
}

static inline rt_channel_info info_of(end *e, uint32_t handle)
{
    rt_channel_info info;
    CHECK_EQ(rt_channel_get(e->channels, handle, &info), RT_OK);
    return info;
}

static inline rt_channels_stats stats_of(end *e)
{
    rt_channels_stats stats;
    rt_channels_get_stats(e->channels, &stats);
    return stats;
}

/* A channel from a to b, open on both sides; its handle on b in `other`. */
static inline uint32_t open_both(pair *p, const rt_channel_options *options, uint32_t *other)
{
    uint32_t handle = open_channel(p, &p->a, options);
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_OPEN)->handle, handle);
    *other = expect(&p->b, RT_CHANNEL_EVENT_INCOMING)->handle;
    return handle;
}

/* Past DCEP and the channels: a message of any kind on any stream. */
static inline void send_raw(pair *p, end *e, uint16_t stream, uint32_t ppid, rt_span data)
{
    rt_sctp_send_info info = {.protocol = ppid, .stream = stream, .max_retransmits = -1, .lifetime = RT_NEVER};
    CHECK_EQ(rt_sctp_send(e->sctp, &info, data, p->now), RT_OK);
}

#endif
