#include "io/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "io/worker_internal.h"

#define ROUNDS 8 /* iterations of one run(), then the caller's other work gets its turn */

void rt_worker_config_default(rt_worker_config *config)
{
    *config = (rt_worker_config){.socket_buffer = (uint32_t)4 << 20};
}

rt_time rt_worker_now(void)
{
    return rt_clock();
}

/* ---- lock ---- */

void rt_worker_lock(rt_worker *worker)
{
    pthread_mutex_lock(&worker->gate);
    pthread_mutex_lock(&worker->lock);
    pthread_mutex_unlock(&worker->gate);
}

bool rt_worker_try_lock(rt_worker *worker)
{
    if (pthread_mutex_trylock(&worker->gate) != 0)
        return false;
    bool taken = pthread_mutex_trylock(&worker->lock) == 0;
    pthread_mutex_unlock(&worker->gate);
    return taken;
}

void rt_worker_unlock(rt_worker *worker)
{
    pthread_mutex_unlock(&worker->lock);
}

/* ---- iteration ---- */

static void iterate(rt_worker *worker, const rt_ready *ready, size_t count)
{
    worker->iterations++;
    rt_loop_begin(worker->loop);
    for (size_t i = 0; i < count; i++) {
        uint32_t index = ready[i].key;
        if (worker->sockets[index].udp.fd < 0)
            continue; /* closed since it was ready */
        if (ready[i].events & RT_LOOP_WRITE)
            rt_worker_resume(worker, index);
        if (ready[i].events & RT_LOOP_READ)
            rt_worker_receive(worker, index);
    }
    rt_time now = rt_clock();
    rt_timer *timer;
    while ((timer = rt_heap_pop(&worker->timers, now))) {
        rt_worker_peer *peer = RT_TIMER_OWNER(timer, rt_worker_peer, timer);
        rt_peer_expire(peer->machine, now);
        rt_worker_activate(peer);
    }
    rt_worker_drain_active(worker, now);
    rt_loop_set_deadline(worker->loop, rt_heap_deadline(&worker->timers));
}

static void *run_thread(void *argument)
{
    rt_worker *worker = argument;
    rt_ready ready[RT_LOOP_READY];
    rt_worker_lock(worker);
    while (!worker->stopping) {
        rt_loop_prepare(worker->loop);
        rt_worker_unlock(worker);
        rt_outbox_announce(&worker->outbox); /* after unlocking: who takes an event often has an answer */
        size_t count = rt_loop_wait(worker->loop, ready, true);
        rt_worker_lock(worker);
        worker->wakeups++;
        iterate(worker, ready, count);
    }
    rt_worker_unlock(worker);
    return NULL;
}

/* What was sent often has its answer by the time the sending is done, above all in handshakes. A second look
 * costs a system call; coming back by way of the caller's event loop costs ten. Events go first, though. */
void rt_worker_run(rt_worker *worker)
{
    if (worker->started)
        return;
    rt_ready ready[RT_LOOP_READY];
    size_t count = 0;
    rt_worker_lock(worker);
    worker->wakeups++;
    for (int round = 0; round == 0 || (round < ROUNDS && count > 0 && rt_outbox_empty(&worker->outbox)); round++) {
        rt_loop_prepare(worker->loop);
        count = rt_loop_wait(worker->loop, ready, false);
        iterate(worker, ready, count);
    }
    rt_worker_unlock(worker);
}

rt_time rt_worker_deadline(rt_worker *worker)
{
    rt_worker_lock(worker);
    rt_time at = worker->active_first ? rt_clock() : rt_heap_deadline(&worker->timers);
    rt_worker_unlock(worker);
    return at;
}

/* The lock is held: events made here are told of at once. */
void rt_worker_flush(rt_worker_peer *peer)
{
    rt_worker *worker = peer->worker;
    rt_worker_deactivate(peer);
    rt_time now = rt_clock();
    bool events = rt_worker_drain(peer, now);
    if (rt_fanouts_run(worker, now)) {
        rt_worker_flush_active(worker);
        return;
    }
    rt_worker_send(worker);
    rt_loop_set_deadline(worker->loop, rt_heap_deadline(&worker->timers));
    if (!events)
        return;
    if (worker->started)
        rt_outbox_announce(&worker->outbox);
    else
        rt_loop_wake(worker->loop);
}

void rt_worker_flush_active(rt_worker *worker)
{
    rt_worker_drain_active(worker, rt_clock());
    rt_loop_set_deadline(worker->loop, rt_heap_deadline(&worker->timers));
    if (!worker->started && !rt_outbox_empty(&worker->outbox))
        rt_loop_wake(worker->loop);
    else if (worker->started)
        rt_outbox_announce(&worker->outbox);
}

void rt_worker_flush_soon(rt_worker_peer *peer)
{
    rt_worker_activate(peer);
    rt_loop_wake(peer->worker->loop);
}

/* ---- events ---- */

bool rt_worker_event_next(rt_worker *worker, rt_worker_event *out)
{
    return rt_outbox_take(&worker->outbox, out, 1) == 1;
}

size_t rt_worker_events(rt_worker *worker, rt_worker_event *out, size_t max)
{
    return rt_outbox_take(&worker->outbox, out, max);
}

void rt_worker_recall(rt_worker *worker)
{
    if (worker->started) {
        rt_outbox_announce(&worker->outbox);
        return;
    }
    rt_worker_lock(worker);
    rt_loop_wake(worker->loop);
    rt_worker_unlock(worker);
}

/* ---- life ---- */

static rt_status start_thread(rt_worker *worker)
{
    sigset_t all, before; /* signals are for the program's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, run_thread, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        errno = error;
        return RT_SYSTEM;
    }
    return RT_OK;
}

static rt_status open_worker(rt_worker *worker)
{
    uint8_t seed[RT_RANDOM_SEED];
    rt_status status = rt_seed(seed);
    if (status != RT_OK)
        return status;
    rt_random_init(&worker->random, seed);
    rt_wipe(seed, sizeof seed);
    rt_routes_init(&worker->routes, rt_random64(&worker->random));
    uint8_t *memory = malloc(RT_WORKER_BATCH_BYTES);
    if (!memory)
        return RT_NO_MEMORY;
    rt_batch_init(&worker->batch, rt_buffer_of(memory, RT_WORKER_BATCH_BYTES), worker->packets, RT_WORKER_BATCH);
    status = rt_inbox_init(&worker->inbox);
    if (status == RT_OK)
        status = rt_loop_new(worker->config.poll, &worker->loop);
    if (status != RT_OK)
        return status;
    /* No descriptor stands for many without epoll: nobody else's loop can drive the worker. */
    worker->started = worker->config.threaded || !rt_loop_is_epoll(worker->loop);
    return worker->started ? start_thread(worker) : RT_OK;
}

/* glibc returns free memory to the system as soon as 128 KiB lie at the end of its heap, until it has seen a
 * larger block go; with megabytes of messages in flight that is a page fault for every 4 KiB of them. One
 * block, taken and given back untouched, teaches it. Other allocators do not mind. */
static void prepare_malloc(void)
{
    void *volatile block = malloc(8 << 20);
    free(block);
}

rt_status rt_worker_new(const rt_worker_config *config, rt_worker **out)
{
    prepare_malloc();
    rt_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return RT_NO_MEMORY;
    worker->config = *config;
    worker->active_last = &worker->active_first;
    rt_fanouts_init(&worker->fanouts);
    int failed = pthread_mutex_init(&worker->gate, NULL);
    assert(failed == 0); /* cannot fail without attributes on the systems that we know */
    failed = pthread_mutex_init(&worker->lock, NULL);
    assert(failed == 0);
    (void)failed;
    rt_status status = rt_outbox_init(&worker->outbox, config->poll);
    if (status == RT_OK)
        status = open_worker(worker);
    if (status != RT_OK) {
        int error = errno;
        worker->started = false;
        rt_worker_free(worker);
        errno = error;
        return status;
    }
    *out = worker;
    return RT_OK;
}

void rt_worker_free(rt_worker *worker)
{
    if (!worker)
        return;
    if (worker->started) {
        rt_worker_lock(worker);
        worker->stopping = true;
        rt_loop_wake(worker->loop);
        rt_worker_unlock(worker);
        pthread_join(worker->thread, NULL);
    }
    rt_fanouts_free(&worker->fanouts);
    while (worker->peers)
        rt_worker_remove_peer(worker->peers);
    rt_worker_free_sockets(worker);
    rt_routes_free(&worker->routes);
    rt_heap_free(&worker->timers);
    rt_loop_free(worker->loop);
    rt_outbox_free(&worker->outbox);
    rt_inbox_free(&worker->inbox);
    free(worker->interfaces.list);
    free(worker->batch.memory);
    pthread_mutex_destroy(&worker->gate);
    pthread_mutex_destroy(&worker->lock);
    rt_wipe(&worker->random, sizeof worker->random);
    free(worker);
}

int rt_worker_fd(const rt_worker *worker)
{
    return worker->started ? worker->outbox.signal.read_fd : rt_loop_fd(worker->loop);
}

void rt_worker_get_stats(rt_worker *worker, rt_worker_stats *out)
{
    rt_worker_lock(worker);
    const rt_udp_counters *c = &worker->counters;
    *out = (rt_worker_stats){
        .datagrams_received = c->datagrams_received,
        .datagrams_sent = c->datagrams_sent,
        .bytes_received = c->bytes_received,
        .bytes_sent = c->bytes_sent,
        .receive_calls = c->receive_calls,
        .send_calls = c->send_calls,
        .gso_runs = c->gso_runs,
        .gro_runs = c->gro_runs,
        .unroutable = worker->unroutable,
        .send_errors = c->send_errors,
        .send_blocked = c->send_blocked,
        .receive_errors = c->receive_errors,
        .iterations = worker->iterations,
        .wakeups = worker->wakeups,
        .peers = worker->peer_count,
        .sockets = worker->socket_count,
        .epoll = rt_loop_is_epoll(worker->loop),
        .threaded = worker->started,
    };
    for (uint32_t i = 0; i < worker->sockets_max; i++) {
        const rt_socket *s = &worker->sockets[i].udp;
        out->gso |= s->fd >= 0 && s->gso;
        out->gro |= s->fd >= 0 && s->gro;
        out->mmsg |= s->fd >= 0 && s->mmsg;
    }
    rt_worker_unlock(worker);
}
