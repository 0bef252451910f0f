/* The input is a script for one agent: commands of its owner, datagrams of a peer who knows the passwords,
 * datagrams of anybody, time passing. Whatever the order, the agent stays in its bounds and never spins. */
#include "expect.h"
#include "proto/ice.h"
#include "wire/stun.h"

static const char UFRAG[2][5] = {"peer", "pees"}, PWD[23] = "the-peers-own-password";

typedef struct agent {
    rt_ice *ice;
    rt_random random;
    rt_time now;
    rt_reader in;
    rt_hmac *remote;
    uint8_t asked[RT_STUN_TRANSACTION]; /* the last request seen, to be answered */
    rt_addr asked_to;
    uint16_t asked_socket;
} agent;

static rt_addr draw_address(agent *a)
{
    uint8_t b = rt_read8(&a->in);
    rt_addr addr = {.ip = {10, 0, 0, b & 15}, .port = (uint16_t)(1 + (b >> 4)), .family = 4};
    if (b == 255)
        addr = (rt_addr){.ip = {0xfe, 0x80, [15] = 1}, .port = 7, .family = 6};
    return addr;
}

static void drain(agent *a)
{
    static uint8_t memory[4096];
    rt_packet packets[4];
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, 4);
    for (int rounds = 0; rt_ice_transmit(a->ice, &batch, a->now); rounds++) {
        expect(rounds < 1000);
        for (uint32_t i = 0; i < batch.count; i++) {
            rt_stun stun;
            expect(rt_stun_parse(rt_span_of(packets[i].data, packets[i].size), &stun) == RT_OK);
            if (stun.class != RT_STUN_REQUEST)
                continue;
            memcpy(a->asked, stun.transaction, sizeof a->asked);
            a->asked_to = packets[i].to;
            a->asked_socket = packets[i].socket;
        }
        rt_batch_reset(&batch);
    }
    rt_ice_event event;
    for (int rounds = 0; rt_ice_event_next(a->ice, &event); rounds++)
        expect(rounds < 1000);
}

static void check_bounds(agent *a)
{
    rt_ice_stats stats;
    rt_ice_pair_stats pair;
    uint16_t socket;
    rt_addr to;
    rt_ice_get_stats(a->ice, &stats);
    expect(stats.pair_count <= 6 && stats.remote_count <= 5 && stats.local_count <= 64);
    for (uint32_t i = 0; rt_ice_pair(a->ice, i, &pair); i++)
        expect(rt_ice_local(a->ice, pair.local) && rt_ice_remote(a->ice, pair.remote));
    if (rt_ice_path(a->ice, &socket, &to))
        expect(rt_ice_knows(a->ice, socket, &to));
    rt_ice_state state = rt_ice_get_state(a->ice);
    if (state == RT_ICE_CONNECTED || state == RT_ICE_COMPLETED)
        expect(rt_ice_path(a->ice, &socket, &to));
    if (state == RT_ICE_FAILED)
        expect(!rt_ice_path(a->ice, &socket, &to));
}

static void deliver(agent *a, rt_writer *w, uint16_t socket, const rt_addr *from)
{
    size_t size = rt_stun_end(w);
    if (size)
        (void)rt_ice_receive(a->ice, socket, from, rt_span_of(w->start, size), a->now);
}

static void send_request(agent *a)
{
    uint8_t out[512], flags = rt_read8(&a->in);
    char name[64];
    rt_addr from = draw_address(a);
    rt_hmac *local = rt_hmac_new(flags & 1 ? RT_SHA256 : RT_SHA1, rt_span_text(rt_ice_local_pwd(a->ice)));
    snprintf(name, sizeof name, "%s:%s", rt_ice_local_ufrag(a->ice), UFRAG[flags >> 1 & 1]);
    rt_writer w =
        rt_stun_begin(rt_buffer_of(out, sizeof out), RT_STUN_REQUEST, RT_STUN_BINDING, (const uint8_t *)"transaction.");
    rt_stun_add(&w, RT_STUN_USERNAME, rt_span_text(name));
    rt_stun_add32(&w, RT_STUN_PRIORITY, (uint32_t)flags << 20);
    rt_stun_add64(&w, flags & 4 ? RT_STUN_ICE_CONTROLLED : RT_STUN_ICE_CONTROLLING, flags & 8 ? UINT64_MAX : 0);
    if (flags & 16)
        rt_stun_add(&w, RT_STUN_USE_CANDIDATE, (rt_span){0});
    if (flags & 32)
        rt_stun_add(&w, 0x7abc, (rt_span){0});
    rt_stun_sign(&w, flags & 1 ? RT_SHA256 : RT_SHA1, local);
    rt_stun_add_fingerprint(&w);
    deliver(a, &w, flags >> 6 & 1, &from);
    rt_hmac_free(local);
}

static void send_answer(agent *a)
{
    static const uint16_t errors[] = {0, 0, 0, 487, 403, 400, 300, 420};
    uint8_t out[256], flags = rt_read8(&a->in);
    uint16_t error = errors[flags & 7];
    rt_addr other = draw_address(a);
    rt_writer w = rt_stun_begin(rt_buffer_of(out, sizeof out), error ? RT_STUN_ERROR : RT_STUN_SUCCESS, RT_STUN_BINDING,
                                a->asked);
    if (error)
        rt_stun_add_error(&w, error, "");
    else
        rt_stun_add_address(&w, RT_STUN_XOR_MAPPED_ADDRESS, &other);
    if (flags & 64)
        rt_stun_add_address(&w, RT_STUN_ALTERNATE_SERVER, &other);
    if (!(flags & 8))
        rt_stun_sign(&w, RT_SHA1, a->remote);
    rt_stun_add_fingerprint(&w);
    deliver(a, &w, a->asked_socket, flags & 16 ? &other : &a->asked_to);
}

static void add_remote(agent *a)
{
    uint8_t flags = rt_read8(&a->in);
    rt_ice_candidate candidate = {
        .address = draw_address(a),
        .priority = (uint32_t)flags << 23,
        .type = (rt_ice_type)(flags & 3),
        .transport = flags & 4 ? RT_ICE_TCP_SO : RT_ICE_UDP,
        .foundation = {(char)('a' + (flags >> 4))},
    };
    (void)rt_ice_add_remote(a->ice, &candidate, a->now);
}

static void act(agent *a)
{
    static const rt_time steps[] = {RT_MS(1), RT_MS(60), RT_MS(700), RT_SECONDS(3), RT_SECONDS(9), RT_SECONDS(31)};
    uint8_t action = rt_read8(&a->in);
    rt_addr addr;
    rt_span raw;
    switch (action & 15) {
    case 0:
        addr = draw_address(a);
        (void)rt_ice_add_host(a->ice, action >> 4 & 1, &addr, action, a->now);
        break;
    case 1:
        addr = draw_address(a);
        (void)rt_ice_add_server(a->ice, action >> 4, &addr, a->now);
        break;
    case 2: rt_ice_end_of_local(a->ice, a->now); break;
    case 3:
        (void)rt_ice_set_remote_credentials(a->ice, rt_span_text(UFRAG[action >> 4 & 1]), rt_span_text(PWD), a->now);
        break;
    case 4: add_remote(a); break;
    case 5: rt_ice_end_of_remote(a->ice, a->now); break;
    case 6:
        if (action >> 4 == 0)
            rt_ice_restart(a->ice, a->now);
        break;
    case 7:
    case 8: send_request(a); break;
    case 9:
    case 10: send_answer(a); break;
    case 11:
        addr = draw_address(a);
        raw = rt_read_span(&a->in, rt_read8(&a->in));
        (void)rt_ice_receive(a->ice, 0, &addr, raw, a->now);
        break;
    case 12: /* straight to whatever is due */
        if (rt_ice_deadline(a->ice) != RT_NEVER)
            a->now = rt_time_max(a->now, rt_ice_deadline(a->ice));
        break;
    case 13: a->now += steps[(action >> 4) % 6]; break;
    case 14:
        addr = draw_address(a);
        rt_ice_count_data(a->ice, 0, &addr, action & 16, 1, 100, a->now);
        (void)rt_ice_knows(a->ice, 0, &addr);
        break;
    case 15:
        if (action == 0x1f)
            rt_ice_set_remote_lite(a->ice, true);
        else
            (void)rt_ice_set_controlling(a->ice, action & 32);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    agent a = {.now = RT_SECONDS(1), .in = rt_reader_of(rt_span_of(data, size))};
    rt_random_init_number(&a.random, 7);
    uint8_t flags = rt_read8(&a.in);
    rt_ice_config config;
    rt_ice_config_default(&config);
    config.random = &a.random;
    config.controlling = flags & 1;
    config.lite = flags & 2;
    config.max_pairs = 6;
    config.max_remote_candidates = 5;
    a.ice = rt_ice_new(&config);
    a.remote = rt_hmac_new(RT_SHA1, rt_span_text(PWD));
    expect(a.ice && a.remote);
    for (int actions = 0; actions < 300 && a.in.at < a.in.end; actions++) {
        act(&a);
        if (rt_ice_deadline(a.ice) <= a.now)
            rt_ice_expire(a.ice, a.now);
        drain(&a);
        expect(rt_ice_deadline(a.ice) > a.now);
        check_bounds(&a);
    }
    rt_ice_free(a.ice);
    rt_hmac_free(a.remote);
    return 0;
}
