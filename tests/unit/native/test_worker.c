/* io/worker with whole peers over loopback, in all of its ways of working. */
#include <poll.h>

#include "check.h"
#include "worker_rig.h"

static rt_worker_config plain(void)
{
    rt_worker_config config;
    rt_worker_config_default(&config);
    return config;
}

/* ---- bytes both ways ---- */

static void exchange(rt_worker_config config, int workers, int family)
{
    int before = rig_descriptors();
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config), *b = workers == 2 ? rig_worker(r, &config) : a;
    rig_pair(r, a, b, family, UINT32_MAX);
    CHECK(rig_run(r, rig_all_open, RT_SECONDS(20)));
    CHECK(rig_run(r, rig_exchanged, RT_SECONDS(60)));
    rt_worker_stats stats;
    rt_worker_get_stats(a, &stats);
    CHECK_EQ(stats.threaded, config.threaded || config.poll);
    CHECK_EQ(stats.epoll, !config.poll);
    CHECK_EQ(stats.peers, workers == 2 ? 1 : 2);
    CHECK_EQ(stats.sockets, stats.peers);
    CHECK_EQ(stats.mmsg, !config.no_mmsg);
    CHECK_EQ(stats.unroutable + stats.receive_errors, 0);
    CHECK(!config.no_gso || !stats.gso_runs);
    CHECK(!config.no_gro || !stats.gro_runs);
    CHECK(stats.bytes_received > r->messages * r->message_size);
    rig_free(r);
    CHECK_EQ(rig_descriptors(), before);
}

static void every_combination(void)
{
    for (int flags = 0; flags < 32; flags++) {
        rt_worker_config config = plain();
        config.threaded = flags & 1;
        config.no_mmsg = flags & 2;
        config.no_gso = flags & 4;
        config.no_gro = flags & 8;
        exchange(config, flags & 16 ? 2 : 1, flags & 1 ? 6 : 4);
    }
}

static void portable_path(void)
{
    for (int workers = 1; workers <= 2; workers++) {
        rt_worker_config config = plain();
        config.poll = config.no_mmsg = config.no_gso = config.no_gro = true;
        exchange(config, workers, 4);
    }
}

/* ---- one socket for many ---- */

static bool echoed(rig *r)
{
    bool all = true;
    for (uint32_t i = 0; i < r->node_count; i++) {
        rig_node *node = &r->nodes[i];
        if (!node->echo && node->sent == 0)
            rig_send(node, 100);
        all = all && (node->echo || node->received == 1);
    }
    return all;
}

static void shared_socket(void)
{
    for (int threaded = 0; threaded < 2; threaded++) {
        rt_worker_config config = plain();
        config.threaded = threaded;
        rig *r = rig_new();
        rt_worker *server = rig_worker(r, &config), *client = rig_worker(r, &config);
        uint32_t socket = rig_shared(r, server);
        for (int i = 0; i < 30; i++)
            rig_pair(r, server, client, 4, socket)->echo = true;
        CHECK(rig_run(r, rig_all_open, RT_SECONDS(30)));
        CHECK(rig_run(r, echoed, RT_SECONDS(10)));
        rt_worker_stats stats;
        rt_worker_get_stats(server, &stats);
        CHECK_EQ(stats.sockets, 1);
        CHECK_EQ(stats.peers, 30);
        CHECK_EQ(stats.unroutable, 0);
        rt_worker_lock(server);
        CHECK_EQ(rt_worker_unbind(server, socket), RT_UNEXPECTED);
        rt_worker_unlock(server);
        for (uint32_t i = 0; i < r->node_count; i++) {
            if (r->nodes[i].worker == server)
                rig_remove(&r->nodes[i]);
        }
        rt_worker_lock(server);
        CHECK_EQ(rt_worker_unbind(server, socket), RT_OK);
        CHECK_EQ(rt_worker_unbind(server, socket), RT_NOT_FOUND);
        rt_worker_unlock(server);
        rig_free(r);
    }
}

/* ---- ends ---- */

static bool other_closed(rig *r)
{
    return r->nodes[1].dtls == RT_DTLS_CLOSED && r->nodes[1].ended;
}

static void removal_says_good_bye(void)
{
    for (int threaded = 0; threaded < 2; threaded++) {
        rt_worker_config config = plain();
        config.threaded = threaded;
        rig *r = rig_new();
        rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
        rig_node *one = rig_pair(r, a, b, 4, UINT32_MAX);
        CHECK(rig_run(r, rig_all_open, RT_SECONDS(20)));
        while (rig_send(one, 60000)) /* in the middle of things */
            ;
        rig_remove(one);
        CHECK(rig_run(r, other_closed, RT_SECONDS(20)));
        rt_worker_stats stats;
        rt_worker_get_stats(a, &stats);
        CHECK_EQ(stats.peers, 0);
        CHECK_EQ(stats.sockets, 0);
        rig_free(r);
    }
}

static void events_left_behind(void)
{
    rt_worker_config config = plain();
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config);
    rig_pair(r, a, a, 4, UINT32_MAX);
    CHECK(rig_run(r, rig_all_open, RT_SECONDS(20)));
    for (int i = 0; i < 10; i++)
        rig_send(&r->nodes[0], 5000);
    rt_time end = rt_worker_now() + RT_MS(50); /* messages come to rest in the outbox and in the machines */
    while (rt_worker_now() < end)
        rt_worker_run(a);
    rig_free(r);
}

/* ---- time ---- */

static bool never(rig *r)
{
    (void)r;
    return false;
}

static void idle_costs_nothing(void)
{
    for (int threaded = 0; threaded < 2; threaded++) {
        rt_worker_config config = plain();
        config.threaded = threaded;
        rig *r = rig_new();
        rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
        rt_worker_stats before, after;
        rig_pair(r, a, b, 4, UINT32_MAX);
        CHECK(rig_run(r, rig_all_open, RT_SECONDS(20)));
        rig_run(r, never, RT_MS(700)); /* the handshakes' timers run out */
        rt_worker_get_stats(a, &before);
        rig_run(r, never, RT_MS(1000));
        rt_worker_get_stats(a, &after);
        CHECK(after.wakeups - before.wakeups <= 12);
        rig_free(r);
    }
}

static void recall_calls_again(void)
{
    for (int threaded = 0; threaded < 2; threaded++) {
        rt_worker_config config = plain();
        config.threaded = threaded;
        rig *r = rig_new();
        rt_worker *a = rig_worker(r, &config);
        rig_pair(r, a, a, 4, UINT32_MAX); /* makes events: candidates */
        struct pollfd p = {.fd = rt_worker_fd(a), .events = POLLIN};
        CHECK_EQ(poll(&p, 1, 5000), 1);
        rt_worker_run(a);
        rt_worker_recall(a);
        CHECK_EQ(poll(&p, 1, 5000), 1);
        rig_free(r);
    }
}

static void many_pairs(void)
{
    int before = rig_descriptors();
    rt_worker_config config = plain();
    config.threaded = true;
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
    for (int i = 0; i < 100; i++)
        rig_pair(r, a, b, 4, UINT32_MAX)->other->echo = true;
    CHECK(rig_run(r, rig_all_open, RT_SECONDS(60)));
    CHECK(rig_run(r, echoed, RT_SECONDS(20)));
    rig_free(r);
    CHECK_EQ(rig_descriptors(), before);
}

static void wrong_arguments(void)
{
    rt_worker_config config = plain();
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config);
    rig_node *one = rig_pair(r, a, a, 4, UINT32_MAX);
    rt_worker_lock(a);
    CHECK(!rt_worker_try_lock(a));
    CHECK_EQ(rt_worker_peer_add_socket(one->peer, 12345, NULL, 1), RT_NOT_FOUND);
    CHECK_EQ(rt_worker_peer_add_socket(one->peer, 0, NULL, 1), RT_EXISTS);
    CHECK_EQ(rt_worker_peer_add_socket(one->peer, 1, NULL, 1), RT_EXISTS); /* the other peer's */
    CHECK_EQ(rt_worker_unbind(a, 12345), RT_NOT_FOUND);
    CHECK_EQ(rt_worker_peer_sockets(one->peer), 1);
    rt_worker_unlock(a);
    CHECK(rt_worker_try_lock(a));
    rt_worker_unlock(a);
    rig_free(r);
}

int main(int argc, char **argv)
{
    RUN(every_combination);
    RUN(portable_path);
    RUN(shared_socket);
    RUN(removal_says_good_bye);
    RUN(events_left_behind);
    RUN(idle_costs_nothing);
    RUN(recall_calls_again);
    RUN(many_pairs);
    RUN(wrong_arguments);
    CHECK_MAIN_END;
}
