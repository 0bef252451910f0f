/* Two DTLS connections in memory, for the tests: one virtual clock, datagrams moved by hand. */
#ifndef RT_TESTS_DTLS_PAIR_H
#define RT_TESTS_DTLS_PAIR_H

#include "check.h"
#include "proto/dtls.h"

#define PAIR_PACKETS 64
#define PAIR_MEMORY 65536

/* What one side has sent. */
typedef struct dtls_outbox {
    uint8_t memory[PAIR_MEMORY];
    rt_packet packets[PAIR_PACKETS];
    rt_batch batch;
} dtls_outbox;

typedef struct dtls_pair {
    rt_certificate *certificates[2];
    rt_dtls *ends[2]; /* client, server */
    rt_time now;
    dtls_outbox out;
} dtls_pair;

enum { CLIENT, SERVER };

static inline void outbox_reset(dtls_outbox *out)
{
    rt_batch_init(&out->batch, rt_buffer_of(out->memory, sizeof out->memory), out->packets, PAIR_PACKETS);
}

static inline void pair_trust(dtls_pair *pair, int end, rt_hash hash)
{
    uint8_t digest[RT_HASH_MAX];
    CHECK_EQ(rt_certificate_fingerprint(pair->certificates[!end], hash, digest), RT_OK);
    CHECK_EQ(rt_dtls_add_fingerprint(pair->ends[end], hash, rt_span_of(digest, rt_hash_size(hash)), pair->now), RT_OK);
}

/* Either configuration may be NULL, for the defaults; certificates are made where there are none. */
static inline dtls_pair *pair_new(const rt_dtls_config *client, const rt_dtls_config *server)
{
    dtls_pair *pair = calloc(1, sizeof *pair);
    pair->now = RT_SECONDS(100);
    for (int i = 0; i < 2; i++) {
        rt_dtls_config config;
        rt_dtls_config_default(&config);
        if (i == CLIENT ? client : server)
            config = *(i == CLIENT ? client : server);
        config.role = i == CLIENT ? RT_DTLS_CLIENT : RT_DTLS_SERVER;
        if (config.certificate)
            pair->certificates[i] = rt_certificate_ref(config.certificate);
        else
            config.certificate = pair->certificates[i] = rt_certificate_generate(1700000000, 86400);
        CHECK(config.certificate);
        pair->ends[i] = rt_dtls_new(&config);
        CHECK(pair->ends[i]);
    }
    return pair;
}

static inline void pair_free(dtls_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        rt_dtls_free(pair->ends[i]);
        rt_certificate_free(pair->certificates[i]);
    }
    free(pair);
}

static inline void pair_start(dtls_pair *pair)
{
    CHECK_EQ(rt_dtls_start(pair->ends[SERVER], pair->now), RT_OK);
    CHECK_EQ(rt_dtls_start(pair->ends[CLIENT], pair->now), RT_OK);
}

/* Moves datagrams both ways until both are silent; returns how many there were. */
static inline size_t pair_run(dtls_pair *pair)
{
    size_t moved = 0, silent = 0;
    for (int from = CLIENT; silent < 2; from = !from) {
        outbox_reset(&pair->out);
        size_t count = rt_dtls_transmit(pair->ends[from], &pair->out.batch, pair->now);
        CHECK_EQ(count, pair->out.batch.count);
        silent = count ? 0 : silent + 1;
        moved += count;
        for (size_t i = 0; i < count; i++) {
            rt_packet *packet = &pair->out.packets[i];
            (void)rt_dtls_receive(pair->ends[!from], rt_buffer_of(packet->data, packet->size), pair->now);
        }
    }
    return moved;
}

static inline dtls_pair *pair_connected(const rt_dtls_config *client, const rt_dtls_config *server)
{
    dtls_pair *pair = pair_new(client, server);
    pair_trust(pair, CLIENT, RT_SHA256);
    pair_trust(pair, SERVER, RT_SHA256);
    pair_start(pair);
    pair_run(pair);
    CHECK_EQ(rt_dtls_get_state(pair->ends[CLIENT]), RT_DTLS_CONNECTED);
    CHECK_EQ(rt_dtls_get_state(pair->ends[SERVER]), RT_DTLS_CONNECTED);
    return pair;
}

/* One sealed record, in `record`; returns its size. */
static inline size_t pair_seal(dtls_pair *pair, int end, rt_span text, uint8_t *record)
{
    rt_packet packet = {.data = record + RT_DTLS_HEADROOM, .size = (uint32_t)text.size};
    memcpy(packet.data, text.data, text.size);
    CHECK_EQ(rt_dtls_seal(pair->ends[end], &packet), RT_OK);
    CHECK(packet.data == record);
    return packet.size;
}

/* The last event of an end, with all before it taken. */
static inline rt_dtls_event pair_event(dtls_pair *pair, int end)
{
    rt_dtls_event event = {.state = RT_DTLS_NEW};
    while (rt_dtls_event_next(pair->ends[end], &event))
        ;
    return event;
}

#endif
