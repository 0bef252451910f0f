/* A threaded worker with commands from other threads, peers that come and go under load. For ThreadSanitizer too. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"
#include "worker_rig.h"

enum { PAIRS = 4, MESSAGES = 400 };

typedef struct sender {
    pthread_t thread;
    rig_node *node;
    uint64_t sent;
    bool may_end; /* the other side is removed meanwhile */
} sender;

static atomic_bool stop;

/* Numbered messages, waiting by yielding to the worker while the buffer is full. */
static void *send_all(void *argument)
{
    sender *s = argument;
    while (s->sent < MESSAGES && !atomic_load(&stop)) {
        uint8_t data[3000];
        rt_store64(data, s->sent);
        for (size_t i = 8; i < sizeof data; i++)
            data[i] = (uint8_t)(s->sent + i);
        rt_worker_lock(s->node->worker);
        rt_status status = RT_CLOSED;
        if (s->node->peer) {
            rt_channels *channels = rt_peer_channels(rt_worker_peer_machine(s->node->peer));
            status = rt_channel_send(channels, s->node->channel, rt_span_of(data, sizeof data), true, rt_worker_now());
            if (s->sent % 2)
                rt_worker_flush(s->node->peer);
            else
                rt_worker_flush_soon(s->node->peer);
        }
        rt_worker_unlock(s->node->worker);
        if (status == RT_CLOSED || (s->may_end && status == RT_UNEXPECTED))
            break; /* removed, or the channel was closed by the other side's good-bye */
        CHECK(status == RT_OK || status == RT_AGAIN);
        s->sent += status == RT_OK;
    }
    return NULL;
}

static void *read_stats(void *argument)
{
    rig *r = argument;
    while (!atomic_load(&stop)) {
        for (uint32_t i = 0; i < r->worker_count; i++) {
            rt_worker_stats stats;
            rt_worker_get_stats(r->workers[i], &stats);
            CHECK(stats.threaded);
            rt_worker_recall(r->workers[i]);
            (void)rt_worker_deadline(r->workers[i]);
        }
        poll(NULL, 0, 1);
    }
    return NULL;
}

static bool all_received(rig *r)
{
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i].other->peer && r->nodes[i].received < MESSAGES)
            return false;
    }
    return true;
}

static bool some_received(rig *r)
{
    return r->nodes[0].received > MESSAGES / 4;
}

static void under_load(bool portable, bool kill)
{
    rt_worker_config config;
    rt_worker_config_default(&config);
    config.threaded = true;
    config.poll = portable;
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
    for (int i = 0; i < PAIRS; i++)
        rig_pair(r, i % 2 ? a : b, a, 4, UINT32_MAX);
    CHECK(rig_run(r, rig_all_open, RT_SECONDS(60)));
    sender senders[2 * PAIRS] = {0};
    pthread_t reader;
    atomic_store(&stop, false);
    CHECK(pthread_create(&reader, NULL, read_stats, r) == 0);
    for (int i = 0; i < 2 * PAIRS; i++) {
        senders[i].node = &r->nodes[i];
        senders[i].may_end = kill;
        CHECK(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]) == 0);
    }
    if (kill) {
        CHECK(rig_run(r, some_received, RT_SECONDS(60)));
        for (int i = 0; i < 2 * PAIRS; i += 2)
            rig_remove(&r->nodes[i]);
        atomic_store(&stop, true);
    } else {
        CHECK(rig_run(r, all_received, RT_SECONDS(60)));
        atomic_store(&stop, true);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        CHECK(pthread_join(senders[i].thread, NULL) == 0);
    CHECK(pthread_join(reader, NULL) == 0);
    rig_free(r);
}

static void commands_from_other_threads(void)
{
    under_load(false, false);
}

static void commands_on_the_portable_path(void)
{
    under_load(true, false);
}

static void removal_under_load(void)
{
    under_load(false, true);
    under_load(true, true);
}

static void come_and_go(void)
{
    int before = rig_descriptors();
    rt_worker_config config;
    rt_worker_config_default(&config);
    config.threaded = true;
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
    int with_workers = rig_descriptors();
    for (int i = 0; i < 30; i++) {
        rig_node *one = rig_pair(r, a, b, 4, UINT32_MAX);
        if (i % 3 == 0)
            CHECK(rig_run(r, rig_all_open, RT_SECONDS(20)));
        rig_remove(one);
        if (i % 2)
            rig_take(r, b);
        rig_remove(one->other);
        one->open = one->other->open = true; /* of no interest any more */
    }
    CHECK_EQ(rig_descriptors(), with_workers);
    rig_free(r);
    CHECK_EQ(rig_descriptors(), before);
}

int main(int argc, char **argv)
{
    RUN(commands_from_other_threads);
    RUN(commands_on_the_portable_path);
    RUN(removal_under_load);
    RUN(come_and_go);
    CHECK_MAIN_END;
}
