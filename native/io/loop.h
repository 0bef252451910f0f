/* Waiting for many descriptors, one deadline and a wake-up: epoll with eventfd and timerfd, or poll with a
 * pipe and a timeout.
 *
 * One thread waits. Everything else is called under the lock of the loop's owner, by the waiting thread too
 * when it is awake: prepare, (unlock) wait (lock), begin. With epoll the loop's own descriptor is readable
 * whenever wait() would return something, so another event loop can watch it.
 */
#ifndef RT_IO_LOOP_H
#define RT_IO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/time.h"

/* A descriptor that turns readable when raised and stays so until cleared; raising twice is raising once. */
typedef struct rt_signal {
    int read_fd, write_fd; /* the same for an eventfd */
    bool raised;
} rt_signal;

rt_status rt_signal_open(rt_signal *signal, bool portable); /* `portable`: a pipe */
void rt_signal_close(rt_signal *signal);
void rt_signal_raise(rt_signal *signal);
void rt_signal_clear(rt_signal *signal);

enum { RT_LOOP_READ = 1, RT_LOOP_WRITE = 2 };

typedef struct rt_ready {
    uint32_t key;
    uint32_t events; /* RT_LOOP_... */
} rt_ready;

#define RT_LOOP_READY 64 /* at most so many per wait */

typedef struct rt_loop rt_loop;

rt_status rt_loop_new(bool portable, rt_loop **out); /* RT_SYSTEM leaves errno */
void rt_loop_free(rt_loop *loop);
bool rt_loop_is_epoll(const rt_loop *loop);
int rt_loop_fd(const rt_loop *loop); /* -1 where it is not epoll */

/* `events`: what to wait for. The keys of one loop are small numbers, each used by one descriptor. */
rt_status rt_loop_add(rt_loop *loop, int fd, uint32_t key, uint32_t events);
rt_status rt_loop_change(rt_loop *loop, int fd, uint32_t key, uint32_t events);
void rt_loop_remove(rt_loop *loop, int fd, uint32_t key);

/* Makes the wait return; coalesced until begin(). */
void rt_loop_wake(rt_loop *loop);
/* The wait returns at `at` at the latest, or up to a millisecond after it: deadlines close to each other make one
 * wake-up. An earlier deadline set before stays: to wake once too early costs less than to move the timer
 * with every packet. */
void rt_loop_set_deadline(rt_loop *loop, rt_time at);

void rt_loop_prepare(rt_loop *loop);
/* Without the lock. Returns how many of `ready` are filled in; what woke it may have been something else.
 * A key may have been removed meanwhile: its owner must be able to stand that. */
size_t rt_loop_wait(rt_loop *loop, rt_ready ready[RT_LOOP_READY], bool block);
void rt_loop_begin(rt_loop *loop);

rt_time rt_clock(void); /* CLOCK_MONOTONIC */

#endif
