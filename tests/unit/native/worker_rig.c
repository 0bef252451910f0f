#include "worker_rig.h"

#include <dirent.h>
#include <poll.h>
#include <time.h>

#include "check.h"

rig *rig_new(void)
{
    rig *r = calloc(1, sizeof *r);
    CHECK(r);
    r->certificate = rt_certificate_generate((int64_t)time(NULL), 86400);
    CHECK(r->certificate);
    r->messages = 200;
    r->message_size = 20000;
    return r;
}

void rig_free(rig *r)
{
    for (uint32_t i = 0; i < r->worker_count; i++)
        rt_worker_free(r->workers[i]);
    rt_certificate_free(r->certificate);
    free(r);
}

rt_worker *rig_worker(rig *r, const rt_worker_config *config)
{
    rt_worker *worker;
    CHECK(r->worker_count < 4);
    CHECK_EQ(rt_worker_new(config, &worker), RT_OK);
    r->workers[r->worker_count++] = worker;
    return worker;
}

static rig_node *add_node(rig *r, rt_worker *worker, bool controlling)
{
    CHECK(r->node_count < RIG_NODES);
    rig_node *node = &r->nodes[r->node_count];
    node->worker = worker;
    node->tag = r->node_count++;
    node->room = true;
    rt_peer_config config;
    rt_peer_config_default(&config);
    config.ice.controlling = controlling;
    config.dtls.certificate = r->certificate;
    config.dtls.srtp_profiles[0] = RT_SRTP_AEAD_AES_128_GCM;
    CHECK_EQ(rt_worker_add_peer(worker, &config, node->tag, &node->peer), RT_OK);
    return node;
}

uint32_t rig_shared(rig *r, rt_worker *worker)
{
    (void)r;
    rt_addr any, bound;
    uint32_t socket;
    CHECK(rt_addr_parse_ip("127.0.0.1", 9, 0, &any));
    rt_worker_lock(worker);
    CHECK_EQ(rt_worker_bind(worker, &any, 0, 0, true, &socket, &bound), RT_OK);
    rt_worker_unlock(worker);
    return socket;
}

static void gather(rig_node *node, int family, uint32_t socket)
{
    rt_addr address, bound;
    CHECK(rt_addr_parse_ip(family == 4 ? "127.0.0.1" : "::1", family == 4 ? 9 : 3, 0, &address));
    if (socket == UINT32_MAX)
        CHECK_EQ(rt_worker_bind(node->worker, &address, 0, 0, false, &socket, &bound), RT_OK);
    CHECK_EQ(rt_worker_peer_add_socket(node->peer, socket, NULL, 65535), RT_OK);
    rt_ice_end_of_local(rt_peer_ice(rt_worker_peer_machine(node->peer)), rt_worker_now());
}

typedef struct credentials {
    char ufrag[RT_ICE_UFRAG_MAX], pwd[RT_ICE_PWD_MAX];
} credentials;

static credentials credentials_of(rig_node *node)
{
    credentials c;
    rt_worker_lock(node->worker);
    rt_ice *ice = rt_peer_ice(rt_worker_peer_machine(node->peer));
    snprintf(c.ufrag, sizeof c.ufrag, "%s", rt_ice_local_ufrag(ice));
    snprintf(c.pwd, sizeof c.pwd, "%s", rt_ice_local_pwd(ice));
    rt_worker_unlock(node->worker);
    return c;
}

static void negotiate(rig *r, rig_node *node, const credentials *remote, bool client)
{
    rt_time now = rt_worker_now();
    uint8_t digest[RT_HASH_MAX];
    CHECK_EQ(rt_certificate_fingerprint(r->certificate, RT_SHA256, digest), RT_OK);
    rt_worker_lock(node->worker);
    rt_peer *machine = rt_worker_peer_machine(node->peer);
    CHECK_EQ(rt_peer_add_fingerprint(machine, RT_SHA256, rt_span_of(digest, 32), now), RT_OK);
    CHECK_EQ(rt_peer_set_dtls_role(machine, client ? RT_DTLS_CLIENT : RT_DTLS_SERVER, now), RT_OK);
    CHECK_EQ(rt_peer_start_sctp(machine, 5000, 0, now), RT_OK);
    CHECK_EQ(rt_ice_set_remote_credentials(rt_peer_ice(machine), rt_span_text(remote->ufrag), rt_span_text(remote->pwd),
                                           now),
             RT_OK);
    if (client) {
        rt_channel_options options = {.label = rt_span_text("test"), .ordered = true, .id = RT_CHANNEL_ID_NONE};
        options.max_retransmits = options.max_lifetime_ms = -1;
        CHECK_EQ(rt_channel_open(rt_peer_channels(machine), &options, &node->channel, now), RT_OK);
    }
    rt_worker_flush(node->peer);
    rt_worker_unlock(node->worker);
}

rig_node *rig_pair(rig *r, rt_worker *a, rt_worker *b, int family, uint32_t socket)
{
    rt_worker_lock(a);
    rig_node *one = add_node(r, a, true);
    one->other = &r->nodes[r->node_count];
    gather(one, family, socket);
    rt_worker_unlock(a);
    rt_worker_lock(b);
    rig_node *two = add_node(r, b, false);
    two->other = one;
    gather(two, family, UINT32_MAX);
    rt_worker_unlock(b);
    credentials of_one = credentials_of(one), of_two = credentials_of(two);
    negotiate(r, one, &of_two, true);
    negotiate(r, two, &of_one, false);
    return one;
}

void rig_remove(rig_node *node)
{
    rt_worker_lock(node->worker);
    rt_worker_remove_peer(node->peer);
    node->peer = NULL;
    rt_worker_unlock(node->worker);
}

/* ---- messages ---- */

static void send_bytes(rig_node *node, rt_span data, rt_status *status)
{
    rt_worker_lock(node->worker);
    rt_channels *channels = rt_peer_channels(rt_worker_peer_machine(node->peer));
    *status = rt_channel_send(channels, node->channel, data, true, rt_worker_now());
    rt_worker_flush(node->peer);
    rt_worker_unlock(node->worker);
}

bool rig_send(rig_node *node, size_t size)
{
    uint8_t data[1 << 17];
    rt_status status;
    CHECK(size >= 8 && size <= sizeof data);
    rt_store64(data, node->sent);
    for (size_t i = 8; i < size; i++)
        data[i] = (uint8_t)(node->sent + i);
    send_bytes(node, rt_span_of(data, size), &status);
    if (status == RT_AGAIN) {
        node->room = false;
        return false;
    }
    CHECK_EQ(status, RT_OK);
    node->sent++;
    return true;
}

static void take_message(rig_node *node, const rt_channel_event *event)
{
    const rt_message *m = event->message;
    CHECK(event->binary);
    if (!node->echo) {
        CHECK(m->size >= 8);
        CHECK_EQ(rt_load64(m->data), node->received);
        for (size_t i = 8; i < m->size; i++)
            CHECK_EQ(m->data[i], (uint8_t)(node->received + i));
    }
    node->received++;
    node->bytes_received += m->size;
    if (node->peer) {
        rt_status status = RT_OK;
        if (node->echo)
            send_bytes(node, rt_span_of(m->data, m->size), &status);
        CHECK_EQ(status, RT_OK);
        rt_worker_lock(node->worker);
        rt_channels_release(rt_peer_channels(rt_worker_peer_machine(node->peer)), event->charge, rt_worker_now());
        rt_worker_flush_soon(node->peer);
        rt_worker_unlock(node->worker);
    }
}

/* ---- events ---- */

static void take_ice(rig_node *node, const rt_ice_event *event)
{
    if (event->type == RT_ICE_EVENT_STATE)
        node->ice = event->state;
    rig_node *other = node->other;
    if (event->type != RT_ICE_EVENT_CANDIDATE || !other->peer)
        return;
    rt_worker_lock(other->worker);
    CHECK_EQ(rt_ice_add_remote(rt_peer_ice(rt_worker_peer_machine(other->peer)), &event->candidate, rt_worker_now()),
             RT_OK);
    rt_worker_flush(other->peer);
    rt_worker_unlock(other->worker);
}

static void take_channel(rig_node *node, rt_channel_event *event)
{
    switch (event->type) {
    case RT_CHANNEL_EVENT_INCOMING:
        node->channel = event->handle;
        node->open = true;
        break;
    case RT_CHANNEL_EVENT_OPEN: node->open = true; break;
    case RT_CHANNEL_EVENT_MESSAGE: take_message(node, event); break;
    case RT_CHANNEL_EVENT_SEND_ROOM: node->room = true; break;
    case RT_CHANNEL_EVENT_CONNECTED: node->sctp = true; break;
    case RT_CHANNEL_EVENT_DISCONNECTED: node->ended = true; break;
    default: break;
    }
}

void rig_take(rig *r, rt_worker *worker)
{
    rt_worker_event event;
    while (rt_worker_event_next(worker, &event)) {
        if (event.event.type >= RT_PEER_EVENT_MEDIA) {
            if (r->on_media)
                r->on_media(r, &event);
            rt_worker_event_drop(&event);
            continue;
        }
        rig_node *node = &r->nodes[event.tag];
        CHECK(event.tag < r->node_count && node->worker == worker);
        if (event.event.type == RT_PEER_EVENT_ICE)
            take_ice(node, &event.event.ice);
        else if (event.event.type == RT_PEER_EVENT_DTLS)
            node->dtls = event.event.dtls.state;
        else
            take_channel(node, &event.event.channel);
        rt_worker_event_drop(&event);
    }
}

bool rig_run(rig *r, bool (*done)(rig *), rt_time limit)
{
    rt_time end = rt_worker_now() + limit;
    while (!done(r)) {
        struct pollfd fds[4];
        for (uint32_t i = 0; i < r->worker_count; i++)
            fds[i] = (struct pollfd){.fd = rt_worker_fd(r->workers[i]), .events = POLLIN};
        rt_time left = end - rt_worker_now();
        if (left <= 0)
            return false;
        poll(fds, r->worker_count, left > RT_SECONDS(1) ? 1000 : (int)(left / RT_MS(1)) + 1);
        for (uint32_t i = 0; i < r->worker_count; i++) {
            if (!fds[i].revents)
                continue;
            rt_worker_run(r->workers[i]);
            rig_take(r, r->workers[i]);
        }
    }
    return true;
}

bool rig_all_open(rig *r)
{
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (!r->nodes[i].open)
            return false;
    }
    return true;
}

bool rig_exchanged(rig *r)
{
    bool all = true;
    for (uint32_t i = 0; i < r->node_count; i++) {
        rig_node *node = &r->nodes[i];
        while (node->room && node->sent < r->messages && rig_send(node, r->message_size))
            ;
        all = all && node->received == r->messages;
    }
    return all;
}

int rig_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir);
    int count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
