/* proto/ice, one agent alone: what it sends when, and how it takes what a peer of any kind may send. */
#include "proto/ice.h"
#include "wire/stun.h"

#include "check.h"

static const char PEER_UFRAG[] = "peer", PEER_PWD[] = "the-peers-own-password";

typedef struct agent {
    rt_ice *ice;
    rt_random random;
    rt_time now;
    rt_hmac *local, *remote; /* keyed by our password, by the peer's */
} agent;

/* What the agent sent, parsed. */
typedef struct sent {
    uint8_t data[1024];
    rt_stun stun;
    rt_addr to;
    uint16_t socket;
} sent;

static rt_addr address(const char *text, uint16_t port)
{
    rt_addr addr;
    CHECK(rt_addr_parse_ip(text, strlen(text), port, &addr));
    return addr;
}

static agent *agent_new(bool controlling, bool lite)
{
    agent *a = calloc(1, sizeof *a);
    CHECK(a);
    rt_random_init_number(&a->random, 42);
    rt_ice_config config;
    rt_ice_config_default(&config);
    config.random = &a->random;
    config.controlling = controlling;
    config.lite = lite;
    a->ice = rt_ice_new(&config);
    CHECK(a->ice);
    a->now = RT_SECONDS(1000);
    a->local = rt_hmac_new(RT_SHA1, rt_span_text(rt_ice_local_pwd(a->ice)));
    a->remote = rt_hmac_new(RT_SHA1, rt_span_text(PEER_PWD));
    return a;
}

static void agent_free(agent *a)
{
    rt_ice_free(a->ice);
    rt_hmac_free(a->local);
    rt_hmac_free(a->remote);
    free(a);
}

static void add_host(agent *a, uint16_t socket, const char *ip)
{
    rt_addr addr = address(ip, (uint16_t)(1000 + socket));
    CHECK_EQ(rt_ice_add_host(a->ice, socket, &addr, 65535, a->now), RT_OK);
}

static void set_credentials(agent *a)
{
    CHECK_EQ(rt_ice_set_remote_credentials(a->ice, rt_span_text(PEER_UFRAG), rt_span_text(PEER_PWD), a->now), RT_OK);
}

static rt_status add_remote(agent *a, const char *ip, uint16_t port, rt_ice_type type, uint32_t priority,
                            const char *foundation)
{
    rt_ice_candidate candidate = {.address = address(ip, port), .type = type, .priority = priority};
    strcpy(candidate.foundation, foundation);
    return rt_ice_add_remote(a->ice, &candidate, a->now);
}

static size_t transmit(agent *a, sent *out, size_t max)
{
    static uint8_t memory[64 * 1024];
    rt_packet packets[64];
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, 64);
    size_t count = rt_ice_transmit(a->ice, &batch, a->now);
    CHECK(count <= max && count == batch.count);
    for (size_t i = 0; i < count; i++) {
        CHECK(packets[i].size <= sizeof out[i].data);
        memcpy(out[i].data, packets[i].data, packets[i].size);
        CHECK_EQ(rt_stun_parse(rt_span_of(out[i].data, packets[i].size), &out[i].stun), RT_OK);
        out[i].to = packets[i].to;
        out[i].socket = packets[i].socket;
    }
    return count;
}

static rt_writer begin(uint8_t *out, size_t size, rt_stun_class class, const uint8_t *transaction)
{
    return rt_stun_begin(rt_buffer_of(out, size), class, RT_STUN_BINDING, transaction);
}

static rt_status deliver(agent *a, rt_writer *w, uint16_t socket, const rt_addr *from)
{
    size_t size = rt_stun_end(w);
    CHECK(size);
    return rt_ice_receive(a->ice, socket, from, rt_span_of(w->start, size), a->now);
}

/* The peer's answer to a request of ours; `mapped` NULL: the address of the host that asked. */
static rt_status answer(agent *a, const sent *request, uint16_t error, const rt_addr *mapped, const rt_addr *from)
{
    uint8_t out[256];
    rt_writer w = begin(out, sizeof out, error ? RT_STUN_ERROR : RT_STUN_SUCCESS, request->stun.transaction);
    if (error)
        rt_stun_add_error(&w, error, "");
    else
        rt_stun_add_address(&w, RT_STUN_XOR_MAPPED_ADDRESS, mapped ? mapped : &rt_ice_local(a->ice, 0)->address);
    rt_stun_sign(&w, RT_SHA1, a->remote);
    rt_stun_add_fingerprint(&w);
    return deliver(a, &w, request->socket, from ? from : &request->to);
}

static rt_status request(agent *a, uint16_t socket, const rt_addr *from, bool use_candidate, uint16_t role)
{
    uint8_t out[256], id[RT_STUN_TRANSACTION];
    char name[64];
    snprintf(name, sizeof name, "%s:%s", rt_ice_local_ufrag(a->ice), PEER_UFRAG);
    rt_random_fill(&a->random, id, sizeof id);
    rt_writer w = begin(out, sizeof out, RT_STUN_REQUEST, id);
    rt_stun_add(&w, RT_STUN_USERNAME, rt_span_text(name));
    rt_stun_add32(&w, RT_STUN_PRIORITY, 1000);
    rt_stun_add64(&w, role, 1);
    if (use_candidate)
        rt_stun_add(&w, RT_STUN_USE_CANDIDATE, (rt_span){0});
    rt_stun_sign(&w, RT_SHA1, a->local);
    rt_stun_add_fingerprint(&w);
    return deliver(a, &w, socket, from);
}

static rt_ice_pair_state pair_state(agent *a, uint32_t index)
{
    rt_ice_pair_stats pair;
    CHECK(rt_ice_pair(a->ice, index, &pair));
    return pair.state;
}

static void wait_until_due(agent *a)
{
    CHECK(rt_ice_deadline(a->ice) != RT_NEVER);
    a->now = rt_time_max(a->now, rt_ice_deadline(a->ice));
    rt_ice_expire(a->ice, a->now);
}

static void test_request_has_what_it_must(void)
{
    agent *a = agent_new(true, false);
    sent out[4];
    add_host(a, 3, "10.0.0.1");
    set_credentials(a);
    CHECK_EQ(add_remote(a, "10.0.0.2", 77, RT_ICE_HOST, 5000, "f"), RT_OK);
    CHECK_EQ(transmit(a, out, 4), 1);
    const rt_stun *stun = &out[0].stun;
    CHECK_EQ(out[0].socket, 3);
    CHECK_EQ(out[0].to.port, 77);
    CHECK_EQ(stun->class, RT_STUN_REQUEST);
    char name[64];
    snprintf(name, sizeof name, "%s:%s", PEER_UFRAG, rt_ice_local_ufrag(a->ice));
    CHECK(rt_span_equal(stun->username, rt_span_text(name)));
    CHECK_EQ(rt_stun_verify(stun, RT_SHA1, a->remote), RT_OK);
    CHECK(stun->has_fingerprint && stun->has_controlling && !stun->has_controlled && !stun->use_candidate);
    CHECK_EQ(stun->priority, 110u << 24 | 65535u << 8 | 255); /* of a peer-reflexive candidate */
    CHECK_EQ(strlen(rt_ice_local_ufrag(a->ice)), 8);
    CHECK_EQ(strlen(rt_ice_local_pwd(a->ice)), 24);
    agent_free(a);
}

static void test_retransmission_schedule(void)
{
    agent *a = agent_new(true, false);
    sent out[4];
    add_host(a, 0, "10.0.0.1");
    rt_ice_end_of_local(a->ice, a->now);
    set_credentials(a);
    add_remote(a, "10.0.0.2", 77, RT_ICE_HOST, 5000, "f");
    rt_ice_end_of_remote(a->ice, a->now);
    const double expected[] = {0, 0.5, 1.5, 3.5, 5.5, 7.5, 9.5, 11.5, 13.5, 15.5, 17.5, 19.5};
    uint8_t id[RT_STUN_TRANSACTION];
    rt_time begun = a->now;
    for (size_t i = 0; i < 12; i++) {
        while (transmit(a, out, 4) == 0)
            wait_until_due(a);
        CHECK_EQ(a->now - begun, (rt_time)(expected[i] * 1e9));
        if (i == 0)
            memcpy(id, out[0].stun.transaction, sizeof id);
        CHECK_BYTES(id, out[0].stun.transaction, sizeof id);
    }
    wait_until_due(a);
    CHECK_EQ(a->now - begun, RT_MS(21500));
    CHECK_EQ(transmit(a, out, 4), 0);
    CHECK_EQ(pair_state(a, 0), RT_ICE_PAIR_FAILED);
    CHECK_EQ(rt_ice_get_state(a->ice), RT_ICE_FAILED);
    CHECK_EQ(rt_ice_deadline(a->ice), RT_NEVER);

    /* That is not for good: a late candidate revives it. */
    add_remote(a, "10.0.0.3", 77, RT_ICE_HOST, 5000, "g");
    CHECK_EQ(rt_ice_get_state(a->ice), RT_ICE_CHECKING);
    CHECK_EQ(transmit(a, out, 4), 1);
    agent_free(a);
}

static void test_burst_then_pace_in_order_of_priority(void)
{
    agent *a = agent_new(true, false);
    sent out[32];
    add_host(a, 0, "10.0.0.1");
    for (uint16_t i = 0; i < 20; i++) {
        char foundation[8];
        sprintf(foundation, "f%d", i);
        add_remote(a, "10.0.0.2", (uint16_t)(100 + i), RT_ICE_SRFLX, 1000u + i, foundation);
    }
    CHECK_EQ(transmit(a, out, 32), 0); /* nothing without credentials */
    set_credentials(a);
    rt_time begun = a->now;
    CHECK_EQ(transmit(a, out, 32), 10);
    for (uint16_t i = 0; i < 10; i++)
        CHECK_EQ(out[i].to.port, 119 - i);
    size_t fresh = 0;
    while (fresh < 10) {
        wait_until_due(a);
        size_t count = transmit(a, out, 32);
        for (size_t i = 0; i < count; i++) {
            if (out[i].to.port > 109)
                continue; /* sent again */
            CHECK_EQ(out[i].to.port, 109 - fresh);
            fresh++;
            CHECK_EQ(a->now - begun, fresh * RT_MS(50));
        }
    }
    agent_free(a);
}

static void test_frozen_until_the_foundation_succeeds(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 900, "same");
    add_remote(a, "10.0.0.2", 2, RT_ICE_HOST, 800, "same");
    add_remote(a, "10.0.0.2", 3, RT_ICE_HOST, 700, "other");
    CHECK_EQ(pair_state(a, 0), RT_ICE_PAIR_WAITING);
    CHECK_EQ(pair_state(a, 1), RT_ICE_PAIR_FROZEN);
    CHECK_EQ(pair_state(a, 2), RT_ICE_PAIR_WAITING);
    CHECK_EQ(transmit(a, out, 8), 2);
    CHECK_EQ(pair_state(a, 1), RT_ICE_PAIR_FROZEN);
    add_remote(a, "10.0.0.2", 4, RT_ICE_SRFLX, 600, "same");
    CHECK_EQ(pair_state(a, 3), RT_ICE_PAIR_FROZEN);
    CHECK_EQ(answer(a, &out[0], 0, NULL, NULL), RT_OK);
    CHECK_EQ(pair_state(a, 0), RT_ICE_PAIR_SUCCEEDED);
    CHECK_EQ(pair_state(a, 1), RT_ICE_PAIR_WAITING);
    agent_free(a);
}

static void test_regular_nomination(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 900, "a");
    add_remote(a, "10.0.0.2", 2, RT_ICE_SRFLX, 800, "b");
    add_remote(a, "10.0.0.2", 3, RT_ICE_SRFLX, 700, "c");
    CHECK_EQ(transmit(a, out, 8), 3);

    /* The lesser pair works: data may flow at once, nomination waits for a better one. */
    CHECK_EQ(answer(a, &out[1], 0, NULL, NULL), RT_OK);
    uint16_t socket;
    rt_addr to;
    CHECK(rt_ice_path(a->ice, &socket, &to));
    CHECK_EQ(to.port, 2);
    CHECK_EQ(rt_ice_get_state(a->ice), RT_ICE_CONNECTED);
    CHECK_EQ(transmit(a, out + 3, 4), 0);
    a->now += RT_MS(100);
    /* The best one works: nominated now. */
    CHECK_EQ(answer(a, &out[0], 0, NULL, NULL), RT_OK);
    CHECK(rt_ice_path(a->ice, &socket, &to));
    CHECK_EQ(to.port, 1);
    CHECK_EQ(transmit(a, out + 3, 4), 1);
    CHECK(out[3].stun.use_candidate && out[3].to.port == 1);
    CHECK(memcmp(out[3].stun.transaction, out[0].stun.transaction, RT_STUN_TRANSACTION) != 0);
    rt_ice_pair_stats pair;
    CHECK(rt_ice_pair(a->ice, 0, &pair) && !pair.nominated);
    CHECK_EQ(answer(a, &out[3], 0, NULL, NULL), RT_OK);
    CHECK(rt_ice_pair(a->ice, 0, &pair) && pair.nominated && pair.selected);

    /* The check list is done with: the third is not sent again. */
    a->now += RT_SECONDS(3);
    rt_ice_expire(a->ice, a->now);
    CHECK_EQ(transmit(a, out, 8), 0);
    agent_free(a);
}

static void test_nomination_settles_for_what_works(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 900, "a");
    add_remote(a, "10.0.0.2", 2, RT_ICE_SRFLX, 800, "b");
    CHECK_EQ(transmit(a, out, 8), 2);
    rt_time begun = a->now;
    CHECK_EQ(answer(a, &out[1], 0, NULL, NULL), RT_OK);
    for (;;) {
        wait_until_due(a);
        if (transmit(a, out, 8) && out[0].stun.use_candidate)
            break;
    }
    CHECK_EQ(a->now - begun, RT_MS(200));
    CHECK_EQ(out[0].to.port, 2);

    /* Unanswered although it worked before: sent again, and never given up while there is no other. */
    for (int i = 0; i < 5; i++) {
        wait_until_due(a);
        transmit(a, out, 8);
    }
    CHECK_EQ(pair_state(a, 1), RT_ICE_PAIR_SUCCEEDED);
    agent_free(a);
}

static void test_controlled_side_selects_what_is_nominated(void)
{
    agent *a = agent_new(false, false);
    sent out[8];
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 900, "a");
    add_remote(a, "10.0.0.2", 2, RT_ICE_HOST, 800, "b");
    rt_addr one = address("10.0.0.2", 1), two = address("10.0.0.2", 2);
    CHECK_EQ(transmit(a, out, 8), 2);

    /* Nominated before our own check has succeeded: selected when it has. */
    CHECK_EQ(request(a, 0, &two, true, RT_STUN_ICE_CONTROLLING), RT_OK);
    uint16_t socket;
    rt_addr to;
    CHECK(!rt_ice_path(a->ice, &socket, &to));
    CHECK_EQ(answer(a, &out[1], 0, NULL, NULL), RT_OK);
    rt_ice_pair_stats pair;
    CHECK(rt_ice_pair(a->ice, 1, &pair) && pair.nominated && pair.selected);

    /* Aggressive nomination: a better one replaces it, a lesser one does not. */
    CHECK_EQ(request(a, 0, &one, true, RT_STUN_ICE_CONTROLLING), RT_OK);
    size_t count = transmit(a, out + 2, 4);
    CHECK_EQ(count, 3); /* two replies, and a check of the first pair */
    CHECK_EQ(out[4].stun.class, RT_STUN_REQUEST);
    CHECK_EQ(answer(a, &out[4], 0, NULL, NULL), RT_OK);
    CHECK(rt_ice_path(a->ice, &socket, &to) && to.port == 1);
    CHECK_EQ(request(a, 0, &two, true, RT_STUN_ICE_CONTROLLING), RT_OK);
    CHECK(rt_ice_path(a->ice, &socket, &to) && to.port == 1);
    agent_free(a);
}

static void test_late_answer_of_a_replaced_check_counts(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 900, "a");
    rt_addr peer = address("10.0.0.2", 1);
    CHECK_EQ(transmit(a, out, 8), 1);
    /* A conflict that we lose: the check goes out again in the other role. */
    CHECK_EQ(answer(a, &out[0], RT_STUN_ROLE_CONFLICT, NULL, NULL), RT_OK);
    CHECK(!rt_ice_controlling(a->ice));
    CHECK_EQ(transmit(a, out + 1, 4), 1);
    CHECK(out[1].stun.has_controlled && !out[1].stun.has_controlling);
    CHECK(memcmp(out[1].stun.transaction, out[0].stun.transaction, RT_STUN_TRANSACTION) != 0);
    /* The same answer twice does nothing more. */
    CHECK_EQ(answer(a, &out[0], RT_STUN_ROLE_CONFLICT, NULL, NULL), RT_UNEXPECTED);
    CHECK_EQ(request(a, 0, &peer, false, RT_STUN_ICE_CONTROLLED), RT_OK); /* tie breaker 1: we win, and switch */
    CHECK(rt_ice_controlling(a->ice));
    CHECK_EQ(answer(a, &out[1], 0, NULL, NULL), RT_OK);
    CHECK_EQ(pair_state(a, 0), RT_ICE_PAIR_SUCCEEDED);
    agent_free(a);
}

static void test_answers_that_do_not_count(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    rt_ice_stats stats;
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 900, "a");
    CHECK_EQ(transmit(a, out, 8), 1);

    rt_hmac *remote = a->remote;
    a->remote = a->local; /* signed with the wrong password, a success as well as an error */
    CHECK_EQ(answer(a, &out[0], 0, NULL, NULL), RT_UNAUTHENTICATED);
    CHECK_EQ(answer(a, &out[0], 401, NULL, NULL), RT_UNAUTHENTICATED);
    a->remote = remote;
    sent strange = out[0];
    uint8_t id[RT_STUN_TRANSACTION] = {0};
    strange.stun.transaction = id;
    CHECK_EQ(answer(a, &strange, 0, NULL, NULL), RT_UNEXPECTED); /* zeros are the id of nothing */
    rt_ice_get_stats(a->ice, &stats);
    CHECK_EQ(stats.unauthenticated, 2);
    CHECK_EQ(stats.unexpected, 1);
    CHECK_EQ(pair_state(a, 0), RT_ICE_PAIR_IN_PROGRESS);

    rt_addr elsewhere = address("10.0.0.66", 1);
    CHECK_EQ(answer(a, &out[0], 0, NULL, &elsewhere), RT_UNEXPECTED);
    CHECK_EQ(pair_state(a, 0), RT_ICE_PAIR_FAILED); /* not symmetric */
    agent_free(a);
}

static void connect_one(agent *a, sent *out)
{
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 900, "a");
    CHECK_EQ(transmit(a, out, 8), 1);
    CHECK_EQ(answer(a, &out[0], 0, NULL, NULL), RT_OK);
    CHECK_EQ(transmit(a, out, 8), 1);
    CHECK(out[0].stun.use_candidate);
    CHECK_EQ(answer(a, &out[0], 0, NULL, NULL), RT_OK);
}

static void test_consent_interval_and_retries(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    connect_one(a, out);
    for (int i = 0; i < 100; i++) {
        rt_time before = a->now;
        do
            wait_until_due(a);
        while (transmit(a, out, 8) == 0);
        CHECK(a->now - before >= RT_SECONDS(4) && a->now - before <= RT_SECONDS(6));
        CHECK(out[0].stun.use_candidate); /* for a peer that has missed the nomination */
        uint8_t id[RT_STUN_TRANSACTION];
        memcpy(id, out[0].stun.transaction, sizeof id);
        if (i % 10 == 9) { /* lost: the same once more after the retransmission time */
            rt_time lost = a->now;
            while (transmit(a, out, 8) == 0)
                wait_until_due(a);
            CHECK_EQ(a->now - lost, RT_MS(500));
            CHECK_BYTES(id, out[0].stun.transaction, sizeof id);
        }
        CHECK_EQ(answer(a, &out[0], 0, NULL, NULL), RT_OK);
        CHECK_EQ(rt_ice_get_state(a->ice), RT_ICE_CONNECTED);
    }
    agent_free(a);
}

static void test_consent_revoked(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    connect_one(a, out);
    while (transmit(a, out, 8) == 0)
        wait_until_due(a);
    CHECK_EQ(answer(a, &out[0], 403, NULL, NULL), RT_OK);
    CHECK_EQ(rt_ice_get_state(a->ice), RT_ICE_FAILED);
    uint16_t socket;
    rt_addr to;
    CHECK(!rt_ice_path(a->ice, &socket, &to));
    agent_free(a);
}

static void test_mapped_address_becomes_a_local_candidate(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    rt_ice_event event;
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "203.0.113.2", 1, RT_ICE_HOST, 900, "a");
    CHECK_EQ(transmit(a, out, 8), 1);
    rt_addr mapped = address("198.51.100.1", 4242);
    CHECK_EQ(answer(a, &out[0], 0, &mapped, NULL), RT_OK);
    rt_ice_pair_stats pair;
    CHECK(rt_ice_pair(a->ice, 0, &pair));
    const rt_ice_candidate *local = rt_ice_local(a->ice, pair.local);
    CHECK(local->type == RT_ICE_PRFLX && rt_addr_equal(&local->address, &mapped));
    CHECK_EQ(local->priority, 110u << 24 | 65535u << 8 | 255);
    while (rt_ice_event_next(a->ice, &event))
        CHECK(event.type != RT_ICE_EVENT_CANDIDATE || event.candidate.type == RT_ICE_HOST); /* not to be signalled */
    agent_free(a);
}

/* FFmpeg's answers have no XOR-MAPPED-ADDRESS. */
static void test_answer_without_mapped_address_succeeds(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    uint8_t bytes[256];
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    add_remote(a, "203.0.113.2", 1, RT_ICE_HOST, 900, "a");
    CHECK_EQ(transmit(a, out, 8), 1);
    rt_writer w = begin(bytes, sizeof bytes, RT_STUN_SUCCESS, out[0].stun.transaction);
    rt_stun_sign(&w, RT_SHA1, a->remote);
    CHECK_EQ(deliver(a, &w, 0, &out[0].to), RT_OK);
    rt_ice_pair_stats pair;
    CHECK(rt_ice_pair(a->ice, 0, &pair));
    CHECK_EQ(pair.state, RT_ICE_PAIR_SUCCEEDED);
    CHECK_EQ(rt_ice_local(a->ice, pair.local)->type, RT_ICE_HOST);
    agent_free(a);
}

static void test_limits(void)
{
    agent *a = agent_new(true, false);
    sent out[64];
    for (uint16_t i = 0; i < 4; i++) {
        char ip[16];
        sprintf(ip, "10.0.0.%d", i + 1);
        add_host(a, i, ip);
    }
    set_credentials(a);
    for (uint16_t i = 0; i < 64; i++)
        CHECK_EQ(add_remote(a, "10.9.9.9", (uint16_t)(i + 1), RT_ICE_HOST, 100u + i, "x"), RT_OK);
    CHECK_EQ(add_remote(a, "10.9.9.9", 1, RT_ICE_HOST, 100, "x"), RT_OK); /* known */
    CHECK_EQ(add_remote(a, "10.9.9.9", 99, RT_ICE_HOST, 100, "x"), RT_AGAIN);
    CHECK_EQ(add_remote(a, "0.0.0.0", 99, RT_ICE_HOST, 100, "x"), RT_INVALID);
    CHECK_EQ(add_remote(a, "10.9.9.9", 0, RT_ICE_HOST, 100, "x"), RT_INVALID);
    rt_ice_stats stats;
    rt_ice_get_stats(a->ice, &stats);
    CHECK_EQ(stats.pair_count, 100);
    CHECK_EQ(stats.remote_count, 64);
    /* The best remain: 25 remotes of 4 pairs each. */
    rt_ice_pair_stats pair;
    for (uint32_t i = 0; rt_ice_pair(a->ice, i, &pair); i++)
        CHECK(rt_ice_remote(a->ice, pair.remote)->priority >= 100 + 64 - 25);
    (void)transmit(a, out, 64);
    agent_free(a);
}

static void test_what_is_not_paired(void)
{
    agent *a = agent_new(true, false);
    rt_ice_stats stats;
    add_host(a, 0, "127.0.0.1");
    add_host(a, 1, "fe80::1");
    add_remote(a, "10.0.0.2", 1, RT_ICE_HOST, 1, "a");
    add_remote(a, "2001:db8::2", 1, RT_ICE_HOST, 1, "a");
    rt_ice_candidate tcp = {.address = address("127.0.0.1", 5), .transport = RT_ICE_TCP_PASSIVE, .foundation = "t"};
    CHECK_EQ(rt_ice_add_remote(a->ice, &tcp, a->now), RT_UNSUPPORTED);
    rt_ice_get_stats(a->ice, &stats);
    CHECK_EQ(stats.pair_count, 0);
    CHECK_EQ(stats.remote_count, 3);
    add_remote(a, "127.0.0.1", 1, RT_ICE_HOST, 1, "a");
    add_remote(a, "fe80::2", 1, RT_ICE_HOST, 1, "a");
    rt_ice_get_stats(a->ice, &stats);
    CHECK_EQ(stats.pair_count, 2);
    agent_free(a);
}

static void answer_query(agent *a, const sent *query, uint16_t error, const rt_addr *address_in, const rt_addr *from)
{
    uint8_t out[128];
    rt_writer w = begin(out, sizeof out, error ? RT_STUN_ERROR : RT_STUN_SUCCESS, query->stun.transaction);
    if (error) {
        rt_stun_add_error(&w, error, "");
        if (address_in)
            rt_stun_add_address(&w, RT_STUN_ALTERNATE_SERVER, address_in);
    } else {
        rt_stun_add_address(&w, RT_STUN_XOR_MAPPED_ADDRESS, address_in);
    }
    (void)deliver(a, &w, query->socket, from);
}

static void test_gathering(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    rt_ice_event event;
    rt_addr one = address("203.0.113.1", 3478), two = address("203.0.113.2", 3478),
            three = address("203.0.113.3", 3478);
    rt_addr mapped = address("198.51.100.1", 4242), moved = address("203.0.113.9", 3479);
    add_host(a, 0, "10.0.0.1");
    CHECK_EQ(rt_ice_add_server(a->ice, 10, &one, a->now), RT_OK);
    CHECK_EQ(rt_ice_add_server(a->ice, 11, &two, a->now), RT_OK);
    CHECK_EQ(rt_ice_add_server(a->ice, 12, &three, a->now), RT_OK);
    CHECK_EQ(rt_ice_add_server(a->ice, 13, &three, a->now), RT_EXISTS);
    rt_ice_end_of_local(a->ice, a->now);

    CHECK(rt_ice_event_next(a->ice, &event));
    CHECK(event.type == RT_ICE_EVENT_GATHERING && event.gathering == RT_ICE_GATHERING);
    CHECK(rt_ice_event_next(a->ice, &event));
    CHECK(event.type == RT_ICE_EVENT_CANDIDATE && event.candidate.type == RT_ICE_HOST);
    CHECK(!rt_ice_event_next(a->ice, &event));

    CHECK_EQ(transmit(a, out, 8), 3);
    answer_query(a, &out[0], 0, &mapped, &two); /* not from whom we asked */
    CHECK(!rt_ice_event_next(a->ice, &event));
    answer_query(a, &out[0], 0, &mapped, &one);
    CHECK(rt_ice_event_next(a->ice, &event));
    CHECK(event.type == RT_ICE_EVENT_CANDIDATE && event.candidate.type == RT_ICE_SRFLX);
    CHECK(rt_addr_equal(&event.candidate.address, &mapped) && event.candidate.server == 10);
    CHECK_EQ(event.candidate.related.port, 1000);
    CHECK_EQ(event.candidate.priority, 100u << 24 | 65535u << 8 | 255);

    answer_query(a, &out[1], 300, &moved, &two); /* follows ALTERNATE-SERVER */
    CHECK_EQ(transmit(a, out + 3, 4), 1);
    CHECK(rt_addr_equal(&out[3].to, &moved));
    answer_query(a, &out[3], 0, &mapped, &moved); /* the same address: redundant */
    answer_query(a, &out[2], 500, NULL, &three);
    CHECK(rt_ice_event_next(a->ice, &event));
    CHECK(event.type == RT_ICE_EVENT_CANDIDATE_ERROR && event.server == 12 && event.code == 500);
    CHECK(rt_ice_event_next(a->ice, &event));
    CHECK(event.type == RT_ICE_EVENT_GATHERING && event.gathering == RT_ICE_GATHER_COMPLETE);
    CHECK(!rt_ice_event_next(a->ice, &event));

    /* Until there is a path the NAT's binding is refreshed. */
    rt_time before = a->now;
    while (transmit(a, out, 8) == 0)
        wait_until_due(a);
    CHECK_EQ(a->now - before, RT_SECONDS(15));
    agent_free(a);
}

static void test_server_that_redirects_to_itself(void)
{
    agent *a = agent_new(true, false);
    sent out[8];
    rt_ice_event event;
    rt_addr one = address("203.0.113.1", 3478), moved = address("203.0.113.9", 3479);
    add_host(a, 0, "10.0.0.1");
    CHECK_EQ(rt_ice_add_server(a->ice, 10, &one, a->now), RT_OK);
    rt_ice_end_of_local(a->ice, a->now);
    while (rt_ice_event_next(a->ice, &event))
        ;
    CHECK_EQ(transmit(a, out, 8), 1);
    answer_query(a, &out[0], 300, &moved, &one);
    CHECK_EQ(transmit(a, out, 8), 1);
    answer_query(a, &out[0], 300, &moved, &moved);
    CHECK_EQ(transmit(a, out, 8), 0); /* followed once, not for ever */
    CHECK(rt_ice_event_next(a->ice, &event));
    CHECK(event.type == RT_ICE_EVENT_CANDIDATE_ERROR && event.server == 10 && event.code == 300);
    agent_free(a);
}

static void test_full_batch_loses_nothing(void)
{
    agent *a = agent_new(true, false);
    add_host(a, 0, "10.0.0.1");
    set_credentials(a);
    for (uint16_t i = 0; i < 8; i++)
        add_remote(a, "10.0.0.2", (uint16_t)(i + 1), RT_ICE_HOST, 100u + i, (char[2]){(char)('a' + i), 0});
    uint8_t memory[1500];
    rt_packet packets[2];
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, 2);
    batch.headroom = 10;
    batch.socket = 9;
    size_t total = 0, count;
    while ((count = rt_ice_transmit(a->ice, &batch, a->now)) > 0) {
        CHECK(count <= 2);
        CHECK(packets[0].data == memory + 10);
        total += count;
        rt_batch_reset(&batch);
    }
    CHECK_EQ(total, 8);
    CHECK_EQ(batch.socket, 9); /* the owner's settings are his again */
    agent_free(a);
}

static void test_unsigned_and_wrongly_signed_requests(void)
{
    agent *a = agent_new(false, false);
    sent out[40];
    rt_addr from = address("10.0.0.66", 1);
    uint8_t data[256];
    add_host(a, 0, "10.0.0.1");
    rt_writer w = begin(data, sizeof data, RT_STUN_REQUEST, (const uint8_t *)"transaction.");
    CHECK_EQ(deliver(a, &w, 0, &from), RT_UNAUTHENTICATED);
    CHECK_EQ(transmit(a, out, 40), 0); /* its answer would be longer: an amplifier */

    w = begin(data, sizeof data, RT_STUN_REQUEST, (const uint8_t *)"transaction.");
    rt_stun_add(&w, RT_STUN_SOFTWARE, rt_span_text("a request without any credentials"));
    CHECK_EQ(deliver(a, &w, 0, &from), RT_UNAUTHENTICATED);
    CHECK_EQ(transmit(a, out, 40), 1);
    CHECK(out[0].stun.class == RT_STUN_ERROR && out[0].stun.error == 400 && !out[0].stun.integrity);

    for (int i = 0; i < 1000; i++) {
        w = begin(data, sizeof data, RT_STUN_REQUEST, (const uint8_t *)"transaction.");
        rt_stun_add(&w, RT_STUN_USERNAME, rt_span_text("somebody:else, with a long name"));
        rt_stun_sign(&w, RT_SHA1, a->remote);
        CHECK_EQ(deliver(a, &w, 0, &from), RT_UNAUTHENTICATED);
    }
    CHECK_EQ(request(a, 0, &from, false, RT_STUN_ICE_CONTROLLING), RT_OK); /* still finds room */
    size_t count = transmit(a, out, 40);
    CHECK_EQ(count, 17);
    CHECK_EQ(out[0].stun.error, 401);
    CHECK_EQ(out[16].stun.class, RT_STUN_SUCCESS);
    rt_ice_stats stats;
    rt_ice_get_stats(a->ice, &stats);
    CHECK_EQ(stats.unauthenticated, 1002);
    CHECK_EQ(stats.remote_count, 1);
    agent_free(a);
}

int main(int argc, char **argv)
{
    RUN(test_request_has_what_it_must);
    RUN(test_retransmission_schedule);
    RUN(test_burst_then_pace_in_order_of_priority);
    RUN(test_frozen_until_the_foundation_succeeds);
    RUN(test_regular_nomination);
    RUN(test_nomination_settles_for_what_works);
    RUN(test_controlled_side_selects_what_is_nominated);
    RUN(test_late_answer_of_a_replaced_check_counts);
    RUN(test_answers_that_do_not_count);
    RUN(test_consent_interval_and_retries);
    RUN(test_consent_revoked);
    RUN(test_mapped_address_becomes_a_local_candidate);
    RUN(test_answer_without_mapped_address_succeeds);
    RUN(test_limits);
    RUN(test_what_is_not_paired);
    RUN(test_gathering);
    RUN(test_server_that_redirects_to_itself);
    RUN(test_full_batch_loses_nothing);
    RUN(test_unsigned_and_wrongly_signed_requests);
    CHECK_MAIN_END;
}
