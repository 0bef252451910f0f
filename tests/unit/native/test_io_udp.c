/* io/socket and io/udp over loopback: every combination of mmsg, GSO and GRO, and kernels that refuse. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "io/udp.h"

/* The system calls of the code under test come by here: a test says how they shall fail. */
static struct {
    int error;          /* errno of the failing call */
    int after;          /* messages accepted before */
    int times;          /* how many calls fail; -1: all */
    bool gso_only;      /* only runs fail */
    size_t larger_than; /* only messages with a segment larger than this fail; 0: any */
} fault;

static bool is_run(const struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR((struct msghdr *)message, c)) {
        if (c->cmsg_level == IPPROTO_UDP)
            return true;
    }
    return false;
}

static bool refuse(const struct msghdr *message)
{
    if (fault.times == 0 || (fault.gso_only && !is_run(message)))
        return false;
    if (fault.larger_than) {
        size_t size = 0;
        for (size_t i = 0; i < message->msg_iovlen; i++)
            size += message->msg_iov[i].iov_len;
        if (size <= fault.larger_than)
            return false;
    }
    if (fault.after > 0) {
        fault.after--;
        return false;
    }
    if (fault.times > 0)
        fault.times--;
    errno = fault.error;
    return true;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return refuse(message) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned i;
    for (i = 0; i < count; i++) {
        if (refuse(&messages[i].msg_hdr)) {
            if (i == 0)
                return -1;
            if (fault.times >= 0)
                fault.times++; /* the kernel reports it with the next call */
            break;
        }
        ssize_t sent = syscall(SYS_sendmsg, fd, &messages[i].msg_hdr, flags);
        if (sent < 0)
            return i ? (int)i : -1;
    }
    return (int)i;
}

static rt_addr loopback(int family)
{
    rt_addr addr;
    CHECK(rt_addr_parse_ip(family == 4 ? "127.0.0.1" : "::1", family == 4 ? 9 : 3, 0, &addr));
    return addr;
}

static rt_socket open_socket(int family, bool mmsg, bool gso, bool gro)
{
    rt_addr addr = loopback(family);
    rt_socket s;
    rt_socket_options options = {mmsg, gso, gro, 1 << 20};
    CHECK_EQ(rt_socket_open(&s, &addr, 0, 0, 0, &options), RT_OK);
    CHECK(s.address.port != 0);
    return s;
}

typedef struct queue {
    uint8_t memory[400000];
    rt_packet packets[300];
    rt_batch batch;
} queue;

static queue *new_queue(void)
{
    queue *q = malloc(sizeof *q);
    CHECK(q);
    rt_batch_init(&q->batch, rt_buffer_of(q->memory, sizeof q->memory), q->packets, 300);
    return q;
}

static void add(queue *q, const rt_addr *to, size_t size, uint8_t fill)
{
    q->batch.to = *to;
    uint8_t *room = rt_batch_reserve(&q->batch, size);
    CHECK(room);
    memset(room, fill, size);
    rt_batch_commit(&q->batch, size);
}

static void flush(queue *q, rt_socket *s, rt_udp_counters *counters)
{
    rt_udp_send(s, q->packets, q->batch.count, counters);
    rt_batch_reset(&q->batch);
}

/* The next datagrams at `s`: sizes and fill bytes as expected, in order. */
static void expect(rt_socket *s, rt_inbox *inbox, const rt_addr *from, const size_t *sizes, const uint8_t *fills,
                   size_t count, rt_udp_counters *counters)
{
    size_t got = 0;
    while (got < count) {
        struct pollfd ready = {.fd = s->fd, .events = POLLIN};
        CHECK_EQ(poll(&ready, 1, 2000), 1);
        rt_udp_receive(s, inbox, counters);
        for (uint32_t i = 0; i < inbox->count; i++) {
            rt_arrival *a = &inbox->arrivals[i];
            CHECK(rt_addr_equal(&a->from, from));
            size_t at = 0;
            do {
                CHECK(got < count);
                size_t size = a->data.size - at < a->segment ? a->data.size - at : a->segment;
                CHECK_EQ(size, sizes[got]);
                for (size_t k = 0; k < size; k++)
                    CHECK_EQ(a->data.data[at + k], fills[got]);
                got++;
                at += size;
            } while (at < a->data.size);
        }
    }
    CHECK(!rt_udp_receive(s, inbox, counters));
    CHECK_EQ(inbox->count, 0);
}

static void exchange(int family, bool mmsg, bool gso, bool gro)
{
    rt_socket a = open_socket(family, mmsg, gso, gro), b = open_socket(family, mmsg, gso, gro);
    rt_inbox inbox;
    CHECK_EQ(rt_inbox_init(&inbox), RT_OK);
    rt_udp_counters sent = {0}, received = {0};
    queue *q = new_queue();
    size_t sizes[200];
    uint8_t fills[200];
    size_t count = 0;
    const size_t pattern[] = {1200, 1200, 1200, 700, 60, 0, 60, 60, 61, 1, 1200, 1200};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof pattern / sizeof *pattern; i++, count++) {
            sizes[count] = pattern[i];
            fills[count] = (uint8_t)count;
            add(q, &b.address, pattern[i], (uint8_t)count);
        }
    }
    flush(q, &a, &sent);
    expect(&b, &inbox, &a.address, sizes, fills, count, &received);
    CHECK_EQ(sent.datagrams_sent, count);
    CHECK_EQ(received.datagrams_received, count);
    CHECK_EQ(sent.bytes_sent, received.bytes_received);
    CHECK_EQ(sent.send_errors + received.receive_errors, 0);
    CHECK_EQ(sent.gso_runs > 0, a.gso);
    if (gro && b.gro && a.gso)
        CHECK(received.gro_runs > 0);
    if (mmsg && a.mmsg)
        CHECK(sent.send_calls <= 2);
    else
        CHECK(sent.send_calls >= (a.gso ? 10 : count));
    rt_socket_close(&a);
    rt_socket_close(&b);
    rt_inbox_free(&inbox);
    free(q);
}

static void every_combination(void)
{
    for (int flags = 0; flags < 8; flags++) {
        exchange(4, flags & 1, flags & 2, flags & 4);
        exchange(6, flags & 1, flags & 2, flags & 4);
    }
}

static void long_runs_are_cut(void)
{
    rt_socket a = open_socket(4, true, true, true), b = open_socket(4, true, true, true);
    rt_inbox inbox;
    CHECK_EQ(rt_inbox_init(&inbox), RT_OK);
    rt_udp_counters counters = {0};
    queue *q = new_queue();
    size_t sizes[290];
    uint8_t fills[290];
    for (size_t i = 0; i < 290; i++) {
        sizes[i] = 1300;
        fills[i] = (uint8_t)i;
        add(q, &b.address, 1300, (uint8_t)i);
    }
    flush(q, &a, &counters);
    expect(&b, &inbox, &a.address, sizes, fills, 290, &counters);
    if (a.gso) {
        CHECK_EQ(counters.gso_runs, (290 + 49) / 50); /* 50 x 1300 = 65,000 bytes */
        CHECK_EQ(counters.send_calls, 1 + (counters.gso_runs > 32));
    }
    rt_socket_close(&a);
    rt_socket_close(&b);
    rt_inbox_free(&inbox);
    free(q);
}

static void destinations_alternate(void)
{
    rt_socket a = open_socket(4, true, true, true), b = open_socket(4, true, true, true);
    rt_socket c = open_socket(4, true, true, true);
    rt_inbox inbox;
    CHECK_EQ(rt_inbox_init(&inbox), RT_OK);
    rt_udp_counters counters = {0};
    queue *q = new_queue();
    size_t sizes[40];
    uint8_t fills[40];
    for (size_t i = 0; i < 40; i++) {
        sizes[i] = 500;
        fills[i] = (uint8_t)(i * 2);
        add(q, &b.address, 500, (uint8_t)(i * 2));
        add(q, &c.address, 500, (uint8_t)(i * 2));
    }
    flush(q, &a, &counters);
    CHECK_EQ(counters.gso_runs, 0);
    CHECK_EQ(counters.datagrams_sent, 80);
    expect(&b, &inbox, &a.address, sizes, fills, 40, &counters);
    expect(&c, &inbox, &a.address, sizes, fills, 40, &counters);
    rt_socket_close(&a);
    rt_socket_close(&b);
    rt_socket_close(&c);
    rt_inbox_free(&inbox);
    free(q);
}

/* Sends 30 packets of 1200 bytes under the fault that is set; all of them arrive. */
static void send_30(bool mmsg, rt_socket *a, rt_udp_counters *counters)
{
    *a = open_socket(4, mmsg, true, false);
    rt_socket b = open_socket(4, mmsg, true, false);
    rt_inbox inbox;
    CHECK_EQ(rt_inbox_init(&inbox), RT_OK);
    queue *q = new_queue();
    size_t sizes[30];
    uint8_t fills[30];
    for (size_t i = 0; i < 30; i++) {
        sizes[i] = i % 10 == 9 ? 100 : 1200;
        fills[i] = (uint8_t)i;
        add(q, &b.address, sizes[i], (uint8_t)i);
    }
    flush(q, a, counters);
    fault.times = 0;
    while (rt_udp_blocked(a))
        rt_udp_resume(a, counters);
    expect(&b, &inbox, &a->address, sizes, fills, 30, counters);
    CHECK_EQ(counters->datagrams_sent, 30);
    CHECK_EQ(counters->send_errors, 0);
    rt_socket_close(&b);
    rt_inbox_free(&inbox);
    free(q);
}

static void segmentation_refused(void)
{
    const int errors[] = {EIO, EINVAL, ENOPROTOOPT, EOPNOTSUPP};
    for (size_t i = 0; i < 8; i++) {
        memset(&fault, 0, sizeof fault);
        fault.error = errors[i / 2];
        fault.times = -1;
        fault.gso_only = true;
        fault.after = (int)i % 3;
        rt_socket a;
        rt_udp_counters counters = {0};
        send_30(i & 1, &a, &counters);
        CHECK(!a.gso); /* and never tried again */
        rt_socket_close(&a);
    }
}

static void buffer_full(void)
{
    for (int i = 0; i < 8; i++) {
        memset(&fault, 0, sizeof fault);
        fault.error = EAGAIN;
        fault.times = -1;
        fault.after = i / 2;
        rt_socket a;
        rt_udp_counters counters = {0};
        send_30(i & 1, &a, &counters);
        CHECK_EQ(counters.send_blocked, i / 2 < 3); /* three runs */
        CHECK(a.gso && !rt_udp_blocked(&a));
        rt_socket_close(&a);
    }
}

static void backlog_is_bounded(void)
{
    rt_socket a = open_socket(4, true, true, false);
    rt_udp_counters counters = {0};
    queue *q = new_queue();
    fault.error = EAGAIN;
    fault.times = -1;
    fault.after = 0;
    fault.gso_only = false;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 200; i++)
            add(q, &a.address, 300, 1);
        flush(q, &a, &counters);
    }
    CHECK(rt_udp_blocked(&a));
    CHECK_EQ(counters.send_blocked, 1);
    CHECK_EQ(counters.send_errors, 600 - RT_UDP_BACKLOG);
    rt_udp_resume(&a, &counters);
    CHECK(rt_udp_blocked(&a));
    fault.times = 1;
    fault.after = 2;
    rt_udp_resume(&a, &counters); /* two runs go, the rest waits on */
    CHECK(rt_udp_blocked(&a));
    CHECK_EQ(counters.datagrams_sent, 128);
    rt_udp_resume(&a, &counters);
    CHECK(!rt_udp_blocked(&a));
    CHECK_EQ(counters.datagrams_sent, RT_UDP_BACKLOG);
    rt_socket_close(&a);
    free(q);
}

static void errors_of_others_are_counted(void)
{
    rt_socket a = open_socket(4, true, true, true), b = open_socket(4, true, true, true);
    rt_inbox inbox;
    CHECK_EQ(rt_inbox_init(&inbox), RT_OK);
    rt_udp_counters counters = {0};
    queue *q = new_queue();
    memset(&fault, 0, sizeof fault);
    fault.error = ECONNREFUSED; /* pending from before: the same packet goes with the next try */
    fault.times = 1;
    add(q, &b.address, 10, 7);
    flush(q, &a, &counters);
    expect(&b, &inbox, &a.address, (size_t[]){10}, (uint8_t[]){7}, 1, &counters);
    CHECK_EQ(counters.send_errors, 0);

    fault.error = ENETUNREACH; /* the first is lost, the second goes */
    fault.times = 1;
    add(q, &b.address, 10, 7);
    add(q, &b.address, 11, 8);
    flush(q, &a, &counters);
    expect(&b, &inbox, &a.address, (size_t[]){11}, (uint8_t[]){8}, 1, &counters);
    CHECK_EQ(counters.send_errors, 1);

    fault.error = EMSGSIZE; /* a path MTU probe is too large: segmentation is not to blame */
    fault.times = -1;
    fault.larger_than = 1300;
    add(q, &b.address, 1400, 1);
    add(q, &b.address, 1200, 2);
    flush(q, &a, &counters);
    fault.times = 0;
    expect(&b, &inbox, &a.address, (size_t[]){1200}, (uint8_t[]){2}, 1, &counters);
    CHECK_EQ(counters.send_errors, 2);
    CHECK(a.gso);

    rt_addr nobody = b.address; /* a real refusal over loopback ends nothing */
    rt_socket_close(&b);
    for (int i = 0; i < 5; i++) {
        add(q, &nobody, 10, 1);
        flush(q, &a, &counters);
    }
    CHECK(!rt_udp_receive(&a, &inbox, &counters));
    b = open_socket(4, false, false, false);
    add(q, &b.address, 10, 9);
    flush(q, &a, &counters);
    expect(&b, &inbox, &a.address, (size_t[]){10}, (uint8_t[]){9}, 1, &counters);
    rt_socket_close(&a);
    rt_socket_close(&b);
    rt_inbox_free(&inbox);
    free(q);
}

static void too_large_for_the_link(void)
{
    rt_socket a = open_socket(4, true, true, true), b = open_socket(4, true, true, true);
    rt_udp_counters counters = {0};
    queue *q = new_queue();
    add(q, &b.address, 65508, 1); /* no IPv4 datagram is so long */
    flush(q, &a, &counters);
    CHECK_EQ(counters.send_errors, 1);
    CHECK_EQ(counters.datagrams_sent, 0);
    rt_socket_close(&a);
    rt_socket_close(&b);
    free(q);
}

static void marks_reach_the_wire(void)
{
    for (int family = 4; family <= 6; family += 2) {
        rt_socket a = open_socket(family, true, true, true), b = open_socket(family, false, false, false);
        int on = 1;
        CHECK(setsockopt(b.fd, family == 4 ? IPPROTO_IP : IPPROTO_IPV6, family == 4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on,
                         sizeof on) == 0);
        rt_udp_counters counters = {0};
        queue *q = new_queue();
        q->batch.mark = 46 << 2;
        for (int i = 0; i < 3; i++)
            add(q, &b.address, 20, 1);
        flush(q, &a, &counters);
        for (int i = 0; i < 3; i++) {
            uint8_t data[100], control[100];
            struct iovec piece = {data, sizeof data};
            struct msghdr message = {
                .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
            CHECK_EQ(recvmsg(b.fd, &message, 0), 20);
            struct cmsghdr *c = CMSG_FIRSTHDR(&message);
            CHECK(c);
            CHECK_EQ(*CMSG_DATA(c), 46 << 2);
        }
        rt_socket_close(&a);
        rt_socket_close(&b);
        free(q);
    }
}

static void port_ranges(void)
{
    rt_addr addr = loopback(4);
    rt_socket_options options = {true, true, true, 0};
    rt_socket sockets[4], extra;
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQ(rt_socket_open(&sockets[i], &addr, 47310, 47313, i * 7, &options), RT_OK);
        CHECK(sockets[i].address.port >= 47310 && sockets[i].address.port <= 47313);
        for (uint32_t k = 0; k < i; k++)
            CHECK(sockets[k].address.port != sockets[i].address.port);
    }
    CHECK_EQ(rt_socket_open(&extra, &addr, 47310, 47313, 1, &options), RT_SYSTEM);
    CHECK_EQ(errno, EADDRINUSE);
    CHECK_EQ(rt_socket_open(&extra, &addr, 5, 4, 1, &options), RT_INVALID);
    CHECK_EQ(rt_socket_open(&extra, &addr, 0, 4, 1, &options), RT_INVALID);
    addr.port = sockets[0].address.port;
    CHECK_EQ(rt_socket_open(&extra, &addr, 0, 0, 1, &options), RT_SYSTEM);
    for (int i = 0; i < 4; i++)
        rt_socket_close(&sockets[i]);
    CHECK_EQ(rt_socket_open(&extra, &addr, 0, 0, 1, &options), RT_OK);
    CHECK_EQ(extra.address.port, addr.port);
    rt_socket_close(&extra);
    rt_socket_close(&extra);
    rt_addr_parse_ip("192.0.2.1", 9, 0, &addr);
    CHECK_EQ(rt_socket_open(&extra, &addr, 0, 0, 0, &options), RT_SYSTEM);
    CHECK_EQ(errno, EADDRNOTAVAIL);
    addr.family = 0;
    CHECK_EQ(rt_socket_open(&extra, &addr, 0, 0, 0, &options), RT_INVALID);
}

int main(int argc, char **argv)
{
    RUN(every_combination);
    RUN(long_runs_are_cut);
    RUN(destinations_alternate);
    RUN(segmentation_refused);
    RUN(buffer_full);
    RUN(backlog_is_bounded);
    RUN(errors_of_others_are_counted);
    RUN(too_large_for_the_link);
    RUN(marks_reach_the_wire);
    RUN(port_ranges);
    CHECK_MAIN_END;
}
