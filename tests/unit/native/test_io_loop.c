/* io/loop and io/interfaces: the same behaviour on epoll and on poll. */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "io/loop.h"
#include "io/worker.h"

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void signals(void)
{
    for (int portable = 0; portable < 2; portable++) {
        rt_signal s;
        CHECK_EQ(rt_signal_open(&s, portable), RT_OK);
        CHECK(!readable(s.read_fd));
        for (int i = 0; i < 100000; i++) /* far beyond a pipe's room, if each were a byte */
            rt_signal_raise(&s);
        CHECK(readable(s.read_fd));
        rt_signal_clear(&s);
        rt_signal_clear(&s);
        CHECK(!readable(s.read_fd));
        rt_signal_close(&s);
    }
}

static size_t turn(rt_loop *loop, rt_ready *ready, bool block)
{
    rt_loop_prepare(loop);
    size_t count = rt_loop_wait(loop, ready, block);
    rt_loop_begin(loop);
    return count;
}

static void descriptors(bool portable)
{
    rt_loop *loop;
    rt_ready ready[RT_LOOP_READY];
    int pair[2];
    CHECK_EQ(rt_loop_new(portable, &loop), RT_OK);
    CHECK_EQ(rt_loop_is_epoll(loop), !portable);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    CHECK_EQ(rt_loop_add(loop, pair[0], 5, RT_LOOP_READ), RT_OK);
    turn(loop, ready, false); /* a poll loop was woken for it */
    CHECK_EQ(turn(loop, ready, false), 0);
    CHECK(send(pair[1], "x", 1, 0) == 1);
    CHECK_EQ(turn(loop, ready, true), 1);
    CHECK_EQ(ready[0].key, 5);
    CHECK_EQ(ready[0].events, RT_LOOP_READ);
    if (!portable)
        CHECK(readable(rt_loop_fd(loop)));
    CHECK_EQ(rt_loop_change(loop, pair[0], 5, RT_LOOP_READ | RT_LOOP_WRITE), RT_OK);
    CHECK_EQ(turn(loop, ready, true), 1);
    CHECK_EQ(ready[0].events, RT_LOOP_READ | RT_LOOP_WRITE);
    CHECK_EQ(rt_loop_change(loop, pair[0], 5, RT_LOOP_READ), RT_OK);
    char byte;
    CHECK(recv(pair[0], &byte, 1, 0) == 1);
    turn(loop, ready, false);
    CHECK_EQ(turn(loop, ready, false), 0);
    CHECK(send(pair[1], "x", 1, 0) == 1);
    rt_loop_remove(loop, pair[0], 5);
    turn(loop, ready, false);
    CHECK_EQ(turn(loop, ready, false), 0);
    close(pair[0]);
    close(pair[1]);
    rt_loop_free(loop);
}

/* More descriptors are ready than one wait tells of: all get their turn. */
static void many_descriptors(bool portable)
{
    enum { COUNT = 3 * RT_LOOP_READY };
    rt_loop *loop;
    rt_ready ready[RT_LOOP_READY];
    int pairs[COUNT][2];
    bool seen[COUNT] = {0};
    CHECK_EQ(rt_loop_new(portable, &loop), RT_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pairs[i]) == 0);
        CHECK_EQ(rt_loop_add(loop, pairs[i][0], i, RT_LOOP_READ), RT_OK);
        CHECK(send(pairs[i][1], "x", 1, 0) == 1);
    }
    size_t count = 0;
    for (int round = 0; round < 8; round++) { /* nobody reads: level-triggered */
        size_t got = turn(loop, ready, true);
        for (size_t i = 0; i < got; i++) {
            count += !seen[ready[i].key];
            seen[ready[i].key] = true;
        }
    }
    CHECK_EQ(count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        rt_loop_remove(loop, pairs[i][0], i);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    rt_loop_free(loop);
}

static void *wake(void *loop)
{
    rt_loop_wake(loop);
    return NULL;
}

static void waking(bool portable)
{
    rt_loop *loop;
    rt_ready ready[RT_LOOP_READY];
    pthread_t thread;
    CHECK_EQ(rt_loop_new(portable, &loop), RT_OK);
    for (int i = 0; i < 20; i++) {
        rt_loop_prepare(loop);
        CHECK(pthread_create(&thread, NULL, wake, loop) == 0);
        CHECK_EQ(rt_loop_wait(loop, ready, true), 0);
        CHECK(pthread_join(thread, NULL) == 0);
        rt_loop_begin(loop);
        if (!portable)
            CHECK(!readable(rt_loop_fd(loop)));
    }
    rt_loop_free(loop);
}

static void deadlines(bool portable)
{
    rt_loop *loop;
    rt_ready ready[RT_LOOP_READY];
    CHECK_EQ(rt_loop_new(portable, &loop), RT_OK);
    rt_time start = rt_clock();
    rt_loop_set_deadline(loop, RT_NEVER);
    rt_loop_set_deadline(loop, start + RT_SECONDS(100));
    rt_loop_set_deadline(loop, start + RT_MS(30));
    rt_loop_set_deadline(loop, start + RT_MS(60)); /* the earlier one stays */
    while (rt_clock() < start + RT_MS(30))
        turn(loop, ready, true);
    CHECK(rt_clock() < start + RT_SECONDS(50));
    start = rt_clock(); /* the past is now */
    rt_loop_set_deadline(loop, start - RT_SECONDS(1));
    turn(loop, ready, true);
    rt_loop_set_deadline(loop, 0);
    turn(loop, ready, true);
    CHECK(rt_clock() < start + RT_SECONDS(50));
    turn(loop, ready, false);
    if (!portable) { /* and it is over: nothing stays readable */
        struct pollfd p = {.fd = rt_loop_fd(loop), .events = POLLIN};
        CHECK_EQ(poll(&p, 1, 20), 0);
    }
    rt_loop_free(loop);
}

static void on_epoll(void)
{
    descriptors(false);
    many_descriptors(false);
    waking(false);
    deadlines(false);
}

static void on_poll(void)
{
    descriptors(true);
    many_descriptors(true);
    waking(true);
    deadlines(true);
}

static void interfaces(void)
{
    rt_interface list[64], all[64];
    size_t count = rt_interfaces(list, 64, false), with_loopback = rt_interfaces(all, 64, true);
    CHECK(count > 0 && with_loopback >= count);
    bool loopback = false;
    for (size_t i = 0; i < with_loopback; i++) {
        const rt_interface *f = &all[i];
        CHECK(f->address.port == 0 && !rt_addr_is_any(&f->address));
        CHECK(f->name[0]);
        CHECK(!(f->address.family == 6 && rt_addr_is_link_local(&f->address)));
        CHECK(i == 0 || f->preference < all[i - 1].preference);
        CHECK(!loopback || f->loopback); /* loopback comes last */
        loopback = loopback || f->loopback;
    }
    CHECK(loopback);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(list[i].loopback, list[0].loopback); /* only where there is nothing else */
    CHECK_EQ(rt_interfaces(list, 1, true), 1);
    CHECK_EQ(rt_interfaces(list, 0, true), 0);
}

int main(int argc, char **argv)
{
    RUN(signals);
    RUN(on_epoll);
    RUN(on_poll);
    RUN(interfaces);
    CHECK_MAIN_END;
}
