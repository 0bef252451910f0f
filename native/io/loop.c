#include "io/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#endif

#define KEY_SIGNAL UINT32_MAX
#define KEY_TIMER (UINT32_MAX - 1)

rt_time rt_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rt_time)now.tv_sec * RT_SECONDS(1) + now.tv_nsec;
}

/* ---- signal ---- */

rt_status rt_signal_open(rt_signal *signal, bool portable)
{
#ifdef __linux__
    if (!portable) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        *signal = (rt_signal){.read_fd = fd, .write_fd = fd};
        return fd < 0 ? RT_SYSTEM : RT_OK;
    }
#endif
    (void)portable;
    int ends[2];
    *signal = (rt_signal){.read_fd = -1, .write_fd = -1};
    if (pipe(ends) < 0)
        return RT_SYSTEM;
    *signal = (rt_signal){.read_fd = ends[0], .write_fd = ends[1]};
    for (int i = 0; i < 2; i++) {
        if (fcntl(ends[i], F_SETFD, FD_CLOEXEC) < 0 || fcntl(ends[i], F_SETFL, O_NONBLOCK) < 0) {
            rt_signal_close(signal);
            return RT_SYSTEM;
        }
    }
    return RT_OK;
}

void rt_signal_close(rt_signal *signal)
{
    if (signal->write_fd >= 0 && signal->write_fd != signal->read_fd)
        close(signal->write_fd);
    if (signal->read_fd >= 0)
        close(signal->read_fd);
    *signal = (rt_signal){.read_fd = -1, .write_fd = -1};
}

void rt_signal_raise(rt_signal *signal)
{
    if (signal->raised)
        return;
    signal->raised = true;
    const uint64_t one = 1; /* cannot fail: one value fits, and `raised` holds it to one */
    ssize_t size = write(signal->write_fd, &one, signal->write_fd == signal->read_fd ? sizeof one : 1);
    assert(size > 0);
    (void)size;
}

void rt_signal_clear(rt_signal *signal)
{
    if (!signal->raised)
        return;
    signal->raised = false;
    uint64_t value;
    ssize_t size = read(signal->read_fd, &value, signal->write_fd == signal->read_fd ? sizeof value : 1);
    assert(size > 0);
    (void)size;
}

/* ---- loop ---- */

typedef struct watched {
    int fd; /* -1: free */
    uint32_t events;
} watched;

struct rt_loop {
    rt_signal signal;
    rt_time armed; /* when the wait ends by itself; RT_NEVER: it does not */
    int epoll_fd;  /* -1: poll */
    int timer_fd;

    /* poll: what to watch, by key; and the waiting thread's copy of it */
    watched *watched;
    uint32_t watched_max;
    struct pollfd *polled;
    uint32_t *polled_keys;
    uint32_t polled_count, polled_max;
    uint32_t polled_next; /* where the next round of ready ones starts, so that all get their turn */
    rt_time polled_until;
};

bool rt_loop_is_epoll(const rt_loop *loop)
{
    return loop->epoll_fd >= 0;
}

int rt_loop_fd(const rt_loop *loop)
{
    return loop->epoll_fd;
}

#ifdef __linux__
/* The loop's own two are edge-triggered: told once each time, and never need to be read. */
static bool epoll_set(rt_loop *loop, int operation, int fd, uint32_t key, uint32_t events)
{
    struct epoll_event event = {
        .events = (events & RT_LOOP_READ ? EPOLLIN : 0) | (events & RT_LOOP_WRITE ? EPOLLOUT : 0) |
                  (key >= KEY_TIMER ? EPOLLET : 0),
        .data.u32 = key,
    };
    return epoll_ctl(loop->epoll_fd, operation, fd, &event) == 0;
}

static bool open_epoll(rt_loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return loop->epoll_fd >= 0 && loop->timer_fd >= 0 &&
           epoll_set(loop, EPOLL_CTL_ADD, loop->signal.read_fd, KEY_SIGNAL, RT_LOOP_READ) &&
           epoll_set(loop, EPOLL_CTL_ADD, loop->timer_fd, KEY_TIMER, RT_LOOP_READ);
}
#endif

rt_status rt_loop_new(bool portable, rt_loop **out)
{
    rt_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return RT_NO_MEMORY;
    *loop = (rt_loop){.armed = RT_NEVER, .epoll_fd = -1, .timer_fd = -1};
    bool ok = rt_signal_open(&loop->signal, portable) == RT_OK;
#ifdef __linux__
    ok = ok && (portable || open_epoll(loop));
#endif
    if (!ok) {
        int error = errno;
        rt_loop_free(loop);
        errno = error;
        return RT_SYSTEM;
    }
    *out = loop;
    return RT_OK;
}

void rt_loop_free(rt_loop *loop)
{
    if (!loop)
        return;
    rt_signal_close(&loop->signal);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop->watched);
    free(loop->polled);
    free(loop->polled_keys);
    free(loop);
}

/* ---- descriptors ---- */

static rt_status poll_add(rt_loop *loop, int fd, uint32_t key, uint32_t events)
{
    if (key >= loop->watched_max) {
        uint32_t max = loop->watched_max ? loop->watched_max : 16;
        while (max <= key)
            max *= 2;
        watched *grown = realloc(loop->watched, max * sizeof *grown);
        if (!grown)
            return RT_NO_MEMORY;
        for (uint32_t i = loop->watched_max; i < max; i++)
            grown[i].fd = -1;
        loop->watched = grown;
        loop->watched_max = max;
    }
    loop->watched[key] = (watched){fd, events};
    rt_loop_wake(loop); /* the thread in poll() does not know of it yet */
    return RT_OK;
}

rt_status rt_loop_add(rt_loop *loop, int fd, uint32_t key, uint32_t events)
{
#ifdef __linux__
    if (loop->epoll_fd >= 0)
        return epoll_set(loop, EPOLL_CTL_ADD, fd, key, events) ? RT_OK : RT_SYSTEM;
#endif
    return poll_add(loop, fd, key, events);
}

rt_status rt_loop_change(rt_loop *loop, int fd, uint32_t key, uint32_t events)
{
#ifdef __linux__
    if (loop->epoll_fd >= 0)
        return epoll_set(loop, EPOLL_CTL_MOD, fd, key, events) ? RT_OK : RT_SYSTEM;
#endif
    return poll_add(loop, fd, key, events);
}

void rt_loop_remove(rt_loop *loop, int fd, uint32_t key)
{
#ifdef __linux__
    if (loop->epoll_fd >= 0) {
        bool done = epoll_set(loop, EPOLL_CTL_DEL, fd, key, 0);
        assert(done);
        (void)done;
        return;
    }
#endif
    assert(key < loop->watched_max && loop->watched[key].fd == fd);
    loop->watched[key].fd = -1;
    rt_loop_wake(loop);
}

/* ---- waking ---- */

void rt_loop_wake(rt_loop *loop)
{
    rt_signal_raise(&loop->signal);
}

void rt_loop_set_deadline(rt_loop *loop, rt_time at)
{
    if (at >= loop->armed || at == RT_NEVER)
        return;
    at = (at + RT_MS(1) - 1) / RT_MS(1) * RT_MS(1);
    if (at >= loop->armed)
        return;
    loop->armed = at;
#ifdef __linux__
    if (loop->timer_fd >= 0) {
        if (at <= 0)
            at = 1; /* 0 would disarm it */
        struct itimerspec when = {.it_value = {at / RT_SECONDS(1), at % RT_SECONDS(1)}};
        int done = timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
        assert(done == 0);
        (void)done;
        return;
    }
#endif
    if (at < loop->polled_until)
        rt_loop_wake(loop);
}

/* ---- waiting ---- */

static bool reserve_polled(rt_loop *loop, uint32_t count)
{
    if (count <= loop->polled_max)
        return true;
    struct pollfd *polled = realloc(loop->polled, count * sizeof *polled);
    if (polled)
        loop->polled = polled;
    uint32_t *keys = realloc(loop->polled_keys, count * sizeof *keys);
    if (keys)
        loop->polled_keys = keys;
    if (!polled || !keys)
        return false;
    loop->polled_max = count;
    return true;
}

void rt_loop_prepare(rt_loop *loop)
{
    if (loop->epoll_fd >= 0)
        return;
    loop->polled_until = loop->armed;
    if (!reserve_polled(loop, loop->watched_max + 1))
        return; /* no memory: the set as it was last time; the next round tries again */
    loop->polled[0] = (struct pollfd){.fd = loop->signal.read_fd, .events = POLLIN};
    loop->polled_keys[0] = KEY_SIGNAL;
    loop->polled_count = 1;
    for (uint32_t key = 0; key < loop->watched_max; key++) {
        const watched *w = &loop->watched[key];
        if (w->fd < 0)
            continue;
        short events = (w->events & RT_LOOP_READ ? POLLIN : 0) | (w->events & RT_LOOP_WRITE ? POLLOUT : 0);
        loop->polled[loop->polled_count] = (struct pollfd){.fd = w->fd, .events = events};
        loop->polled_keys[loop->polled_count++] = key;
    }
}

static size_t wait_poll(rt_loop *loop, rt_ready *ready, bool block)
{
    int timeout = 0;
    if (block && loop->polled_until == RT_NEVER) {
        timeout = -1;
    } else if (block) {
        rt_time left = loop->polled_until - rt_clock();
        timeout = left <= 0 ? 0 : left >= RT_SECONDS(3600) ? 3600000 : (int)((left + RT_MS(1) - 1) / RT_MS(1));
    }
    int found = poll(loop->polled, loop->polled_count, timeout);
    size_t count = 0;
    for (uint32_t i = 0; found > 0 && i < loop->polled_count && count < RT_LOOP_READY; i++) {
        uint32_t at = (loop->polled_next + i) % loop->polled_count;
        short events = loop->polled[at].revents;
        if (!events || loop->polled_keys[at] == KEY_SIGNAL)
            continue;
        ready[count++] = (rt_ready){
            loop->polled_keys[at],
            (events & ~POLLOUT ? RT_LOOP_READ : 0) | (events & POLLOUT ? RT_LOOP_WRITE : 0),
        };
        if (count == RT_LOOP_READY)
            loop->polled_next = at + 1;
    }
    return count;
}

#ifdef __linux__
static size_t wait_epoll(rt_loop *loop, rt_ready *ready, bool block)
{
    struct epoll_event events[RT_LOOP_READY];
    int found = epoll_wait(loop->epoll_fd, events, RT_LOOP_READY, block ? -1 : 0);
    size_t count = 0;
    for (int i = 0; i < found; i++) {
        if (events[i].data.u32 >= KEY_TIMER)
            continue;
        ready[count++] = (rt_ready){
            events[i].data.u32,
            (events[i].events & ~(uint32_t)EPOLLOUT ? RT_LOOP_READ : 0) |
                (events[i].events & EPOLLOUT ? RT_LOOP_WRITE : 0),
        };
    }
    return count;
}
#endif

size_t rt_loop_wait(rt_loop *loop, rt_ready ready[RT_LOOP_READY], bool block)
{
#ifdef __linux__
    if (loop->epoll_fd >= 0)
        return wait_epoll(loop, ready, block);
#endif
    return wait_poll(loop, ready, block);
}

void rt_loop_begin(rt_loop *loop)
{
    if (loop->epoll_fd >= 0)
        loop->signal.raised = false;
    else
        rt_signal_clear(&loop->signal);
    if (loop->armed <= rt_clock())
        loop->armed = RT_NEVER;
}
