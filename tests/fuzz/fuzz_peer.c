/* A peer fed with arbitrary datagrams, before and after it is connected: nothing breaks, memory stays
 * bounded, and the deadline never stands in the past after a drain.
 *
 * The input is a list of steps {kind, argument, size (2 bytes), bytes}: bytes as a datagram of the remote
 * address, the same sealed as if the real remote peer had sent them inside DTLS, time that passes, calls.
 */
#include "expect.h"
#include "peer/peer.h"

enum { DATAGRAM_MAX = 1500, BATCH = 32 };

typedef struct lab {
    rt_random random;
    rt_peer *peers[2]; /* 0 is attacked, 1 is its honest partner */
    rt_addr addresses[2];
    rt_time now;
    uint8_t memory[BATCH * DATAGRAM_MAX];
    rt_packet packets[BATCH];
} lab;

static rt_certificate *shared_certificate(void)
{
    static rt_certificate *certificate;
    if (!certificate)
        certificate = rt_certificate_generate(1700000000, 86400);
    return certificate;
}

static void listen(lab *l, int which)
{
    rt_peer_event event;
    while (rt_peer_event_next(l->peers[which], &event, l->now)) {
        if (event.type != RT_PEER_EVENT_CHANNEL)
            continue;
        if (event.channel.type == RT_CHANNEL_EVENT_MESSAGE) {
            rt_channels_release(rt_peer_channels(l->peers[which]), event.channel.charge, l->now);
            rt_message_free(event.channel.message);
        } else if (event.channel.type == RT_CHANNEL_EVENT_CLOSED) {
            rt_channel_forget(rt_peer_channels(l->peers[which]), event.channel.handle);
        }
    }
}

/* Until both have nothing to say, or have said a lot. */
static void exchange(lab *l)
{
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(l->memory, sizeof l->memory), l->packets, BATCH);
    for (int turn = 0, silent = 0; turn < 200 && silent < 2; turn++) {
        int which = turn & 1;
        listen(l, which);
        rt_batch_reset(&batch);
        silent = rt_peer_transmit(l->peers[which], &batch, l->now) ? 0 : silent + 1;
        for (uint32_t i = 0; i < batch.count; i++)
            (void)rt_peer_receive(l->peers[1 - which], 0, &l->addresses[which],
                                  rt_buffer_of(batch.packets[i].data, batch.packets[i].size), l->now);
    }
    for (int which = 0; which < 2; which++)
        listen(l, which);
}

static void pass_time(lab *l, rt_time span)
{
    rt_time until = l->now + span;
    for (int turn = 0; turn < 1000; turn++) {
        rt_time next = rt_time_min(rt_peer_deadline(l->peers[0]), rt_peer_deadline(l->peers[1]));
        if (next > until)
            break;
        l->now = rt_time_max(l->now, next);
        rt_peer_expire(l->peers[0], l->now);
        rt_peer_expire(l->peers[1], l->now);
        exchange(l);
    }
    l->now = until;
}

static void start(lab *l)
{
    *l = (lab){.now = RT_SECONDS(1)};
    rt_random_init_number(&l->random, 7);
    for (int i = 0; i < 2; i++) {
        rt_peer_config config;
        rt_peer_config_default(&config);
        config.random = &l->random;
        config.dtls.certificate = shared_certificate();
        config.ice.controlling = i == 0;
        config.max_channels = 100;
        l->peers[i] = rt_peer_new(&config, l->now);
        expect(l->peers[i] != NULL);
        l->addresses[i] = (rt_addr){.ip = {10, 0, 0, (uint8_t)(i + 1)}, .port = 1000, .family = 4};
        expect(rt_ice_add_host(rt_peer_ice(l->peers[i]), 0, &l->addresses[i], 1, l->now) == RT_OK);
        rt_ice_end_of_local(rt_peer_ice(l->peers[i]), l->now);
    }
}

static void describe(lab *l, int from)
{
    rt_ice *ice = rt_peer_ice(l->peers[from]), *remote = rt_peer_ice(l->peers[1 - from]);
    uint8_t digest[RT_HASH_MAX];
    expect(rt_certificate_fingerprint(shared_certificate(), RT_SHA256, digest) == RT_OK);
    (void)rt_ice_set_remote_credentials(remote, rt_span_text(rt_ice_local_ufrag(ice)),
                                        rt_span_text(rt_ice_local_pwd(ice)), l->now);
    (void)rt_peer_add_fingerprint(l->peers[1 - from], RT_SHA256, rt_span_of(digest, 32), l->now);
    rt_ice_candidate candidate = {
        .address = l->addresses[from], .priority = 2130706431, .type = RT_ICE_HOST, .foundation = "1"};
    (void)rt_ice_add_remote(remote, &candidate, l->now);
    (void)rt_peer_set_dtls_role(l->peers[from], from ? RT_DTLS_CLIENT : RT_DTLS_SERVER, l->now);
    (void)rt_peer_start_sctp(l->peers[from], 5000, 65536, l->now);
}

/* As the partner would send it: an SCTP packet inside a record. */
static void deliver_sealed(lab *l, rt_span bytes)
{
    rt_dtls *dtls = rt_peer_dtls(l->peers[1]);
    uint8_t memory[DATAGRAM_MAX + RT_DTLS_OVERHEAD];
    if (!dtls || rt_dtls_get_state(dtls) != RT_DTLS_CONNECTED || bytes.size > DATAGRAM_MAX)
        return;
    rt_packet packet = {.data = memory + RT_DTLS_HEADROOM, .size = (uint32_t)bytes.size};
    if (bytes.size)
        memcpy(packet.data, bytes.data, bytes.size);
    if (rt_dtls_seal(dtls, &packet) == RT_OK)
        (void)rt_peer_receive(l->peers[0], 0, &l->addresses[1], rt_buffer_of(packet.data, packet.size), l->now);
}

static void deliver(lab *l, rt_span bytes)
{
    uint8_t memory[DATAGRAM_MAX];
    size_t size = bytes.size < sizeof memory ? bytes.size : sizeof memory;
    if (size)
        memcpy(memory, bytes.data, size);
    (void)rt_peer_receive(l->peers[0], 0, &l->addresses[1], rt_buffer_of(memory, size), l->now);
}

/* A message of any kind from the partner's association, past its channels. */
static void send_raw(lab *l, uint8_t argument, rt_span bytes)
{
    rt_sctp *sctp = rt_peer_sctp(l->peers[1]);
    rt_sctp_send_info info = {
        .protocol = 50u + argument % 8, .stream = argument / 8, .max_retransmits = -1, .lifetime = RT_NEVER};
    if (sctp)
        (void)rt_sctp_send(sctp, &info, bytes, l->now);
}

static void call(lab *l, uint8_t argument, rt_span bytes)
{
    rt_channels *channels = rt_peer_channels(l->peers[argument & 1]);
    if (!channels)
        return;
    uint32_t handle = argument >> 3;
    rt_channel_options options = {
        .label = bytes,
        .ordered = argument & 2,
        .negotiated = argument & 4,
        .id = argument & 4 ? argument >> 3 : RT_CHANNEL_ID_NONE,
        .max_retransmits = -1,
        .max_lifetime_ms = -1,
    };
    if (bytes.size % 4 == 0)
        (void)rt_channel_open(channels, &options, &handle, l->now);
    else if (bytes.size % 4 == 1)
        (void)rt_channel_close(channels, handle, l->now);
    else
        (void)rt_channel_send(channels, handle, bytes, argument & 2, l->now);
}

static void step(lab *l, uint8_t kind, uint8_t argument, rt_span bytes)
{
    switch (kind % 9) {
    case 0: deliver(l, bytes); break;
    case 1: deliver_sealed(l, bytes); break;
    case 2: send_raw(l, argument, bytes); break;
    case 3: call(l, argument, bytes); break;
    case 4: exchange(l); break;
    case 5: pass_time(l, RT_MS(1) << argument % 16); break;
    case 6: describe(l, argument & 1); break;
    case 7: rt_ice_restart(rt_peer_ice(l->peers[argument & 1]), l->now); break;
    case 8:
        if (rt_peer_sctp(l->peers[1]))
            (void)rt_sctp_reset_stream(rt_peer_sctp(l->peers[1]), argument, l->now);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lab l;
    start(&l);
    rt_reader r = rt_reader_of(rt_span_of(data, size));
    uint8_t begin = rt_read8(&r);
    if (begin & 1) { /* connected to begin with */
        describe(&l, 0);
        describe(&l, 1);
        exchange(&l);
        pass_time(&l, RT_MS(200));
    }
    for (int steps = 0; rt_reader_left(&r) >= 4 && steps < 100; steps++) {
        uint8_t kind = rt_read8(&r), argument = rt_read8(&r);
        uint16_t want = rt_read16(&r);
        size_t have = rt_reader_left(&r);
        step(&l, kind, argument, rt_read_span(&r, want < have ? want : have));
    }
    exchange(&l);
    pass_time(&l, RT_SECONDS(2));
    rt_peer_close(l.peers[0], l.now);
    exchange(&l);
    expect(rt_peer_deadline(l.peers[0]) == RT_NEVER);
    rt_peer_free(l.peers[0]);
    rt_peer_free(l.peers[1]);
    return 0;
}
