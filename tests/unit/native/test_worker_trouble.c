/* io/worker when the kernel is out of buffers, and when strangers send rubbish. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "io/udp.h"
#include "worker_rig.h"

/* The worker's sends come by here: every so often there is no room for a while. */
static struct {
    bool on;
    uint32_t calls, refused;
} kernel;

static bool refuse(void)
{
    if (!kernel.on || ++kernel.calls % 7 > 2)
        return false;
    kernel.refused++;
    errno = EAGAIN;
    return true;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return refuse() ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++) {
        if (sendmsg(fd, &messages[i].msg_hdr, flags) < 0)
            return i ? (int)i : -1;
    }
    return (int)count;
}

/* Peers wait with what they have while a socket is blocked: nothing is lost, so nothing is sent twice. */
static void kernel_without_room(void)
{
    for (int shared = 0; shared < 2; shared++) {
        rt_worker_config config;
        rt_worker_config_default(&config);
        rig *r = rig_new();
        r->messages = 300;
        rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
        uint32_t socket = shared ? rig_shared(r, a) : UINT32_MAX;
        kernel.on = true;
        for (int i = 0; i < 3; i++)
            rig_pair(r, a, b, 4, socket);
        CHECK(rig_run(r, rig_all_open, RT_SECONDS(30)));
        CHECK(rig_run(r, rig_exchanged, RT_SECONDS(60)));
        kernel.on = false;
        rt_worker_stats stats;
        rt_worker_get_stats(a, &stats);
        CHECK(kernel.refused > 50);
        CHECK(stats.send_blocked > 10);
        CHECK_EQ(stats.send_errors, 0);
        rig_free(r);
    }
}

/* A peer and its socket go while they wait for room. */
static void removal_while_blocked(void)
{
    rt_worker_config config;
    rt_worker_config_default(&config);
    int before = rig_descriptors();
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
    uint32_t socket = rig_shared(r, a);
    rig_node *one = rig_pair(r, a, b, 4, UINT32_MAX), *two = rig_pair(r, a, b, 4, socket);
    CHECK(rig_run(r, rig_all_open, RT_SECONDS(30)));
    kernel.on = true;
    rt_worker_stats stats;
    do {
        kernel.calls = 0;
        rig_send(one, r->message_size);
        kernel.calls = 0;
        rig_send(two, r->message_size);
        rt_worker_get_stats(a, &stats);
    } while (stats.send_blocked < 2);
    rig_remove(one);
    rig_remove(two);
    kernel.on = false;
    rt_worker_lock(a);
    CHECK_EQ(rt_worker_unbind(a, socket), RT_OK);
    rt_worker_unlock(a);
    rt_worker_run(a);
    rig_free(r);
    CHECK_EQ(rig_descriptors(), before);
}

/* ---- strangers ---- */

static uint32_t state;

static uint32_t draw(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static bool received_one(rig *r)
{
    return r->nodes[1].received == 1;
}

static void rubbish_is_dropped(void)
{
    state = 20261123;
    printf("seed %u\n", state);
    rt_worker_config config;
    rt_worker_config_default(&config);
    rig *r = rig_new();
    rt_worker *a = rig_worker(r, &config), *b = rig_worker(r, &config);
    rt_addr any, bound;
    uint32_t shared;
    CHECK(rt_addr_parse_ip("127.0.0.1", 9, 0, &any));
    rt_worker_lock(a);
    CHECK_EQ(rt_worker_bind(a, &any, 0, 0, true, &shared, &bound), RT_OK);
    rt_worker_unlock(a);
    rig_node *one = rig_pair(r, a, b, 4, shared);
    CHECK(rig_run(r, rig_all_open, RT_SECONDS(30)));
    rt_worker_stats before, after;
    rt_worker_get_stats(a, &before);

    rt_socket stranger;
    rt_socket_options options = {0};
    rt_udp_counters counters = {0};
    CHECK_EQ(rt_socket_open(&stranger, &any, 0, 0, 0, &options), RT_OK);
    uint32_t count = 0;
    for (int i = 0; i < 3000; i++) {
        uint8_t data[300];
        rt_packet packet = {.data = data, .size = draw() % sizeof data, .to = bound};
        for (uint32_t k = 0; k < packet.size; k++)
            data[k] = (uint8_t)draw();
        if (packet.size >= 20 && i % 2) { /* looks like STUN */
            data[0] = (uint8_t)(draw() % 2);
            data[1] = 1;
            rt_store16(data + 2, (uint16_t)(packet.size - 20));
            rt_store32(data + 4, 0x2112a442);
        }
        rt_udp_send(&stranger, &packet, 1, &counters);
        count += packet.size > 0;
        if (i % 50 == 0)
            rt_worker_run(a);
    }
    rt_worker_run(a);
    rt_worker_get_stats(a, &after);
    CHECK_EQ(after.unroutable - before.unroutable, count);
    CHECK(after.datagrams_sent - before.datagrams_sent < 20); /* nobody is answered */
    struct pollfd p = {.fd = stranger.fd, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 0), 0);

    CHECK(rig_send(one, 100)); /* and the connection lives */
    CHECK(rig_run(r, received_one, RT_SECONDS(10)));
    rt_socket_close(&stranger);
    rig_free(r);
}

int main(int argc, char **argv)
{
    RUN(kernel_without_room);
    RUN(removal_while_blocked);
    RUN(rubbish_is_dropped);
    CHECK_MAIN_END;
}
