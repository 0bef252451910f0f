/* The sending half of io/udp.h: packets become runs, runs become messages of one system call. */
#include "io/udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define RUNS 32
#define PIECES 256
#define MAX_ERRORS 4 /* pending errors of the socket that one packet's send may have to clear */

#ifndef __linux__
struct mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};
#endif

typedef struct run {
    uint32_t first, count;
    size_t bytes;
} run;

/* One call's worth of messages. */
typedef struct messages {
    struct mmsghdr headers[RUNS];
    struct sockaddr_storage names[RUNS];
    _Alignas(struct cmsghdr) uint8_t controls[RUNS][CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int))];
    struct iovec pieces[PIECES];
    run runs[RUNS];
    uint32_t count, pieces_used;
} messages;

/* How many packets from the first one on can be one GSO run: same destination and marking, equal sizes but
 * for a shorter last one. */
static run find_run(const rt_socket *socket, const rt_packet *packets, size_t first, size_t count, size_t room)
{
    const rt_packet *head = &packets[first];
    run found = {(uint32_t)first, 1, head->size};
    if (!socket->gso || head->size == 0)
        return found;
    while (first + found.count < count && found.count < RT_UDP_RUN && found.count < room) {
        const rt_packet *next = &packets[first + found.count];
        if (next->size > head->size || next->size == 0 || found.bytes + next->size > RT_UDP_RUN_BYTES ||
            next->mark != head->mark || !rt_addr_equal(&next->to, &head->to))
            break;
        found.count++;
        found.bytes += next->size;
        if (next->size < head->size)
            break;
    }
    return found;
}

static void add_control(struct msghdr *message, int level, int type, const void *value, size_t size)
{
    uint8_t *at = (uint8_t *)message->msg_control + message->msg_controllen;
    struct cmsghdr *control = (struct cmsghdr *)(void *)at;
    memset(at, 0, CMSG_SPACE(size));
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(control), value, size);
    message->msg_controllen += CMSG_SPACE(size);
}

static void add_message(messages *m, const rt_packet *packets, run r)
{
    const rt_packet *head = &packets[r.first];
    struct msghdr *message = &m->headers[m->count].msg_hdr;
    *message = (struct msghdr){.msg_name = &m->names[m->count], .msg_iov = &m->pieces[m->pieces_used]};
    message->msg_namelen = rt_sockaddr_from(&head->to, &m->names[m->count]);
    for (uint32_t i = 0; i < r.count; i++) {
        const rt_packet *packet = &head[i];
        struct iovec *last = message->msg_iovlen ? &message->msg_iov[message->msg_iovlen - 1] : NULL;
        if (last && (uint8_t *)last->iov_base + last->iov_len == packet->data) {
            last->iov_len += packet->size; /* neighbours in the batch's memory */
        } else {
            message->msg_iov[message->msg_iovlen++] = (struct iovec){packet->data, packet->size};
            m->pieces_used++;
        }
    }
    message->msg_control = m->controls[m->count];
#ifdef UDP_SEGMENT
    if (r.count > 1) {
        uint16_t segment = (uint16_t)head->size;
        add_control(message, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
    }
#endif
    if (head->mark) {
        int mark = head->mark;
        bool ip4 = head->to.family == 4;
        add_control(message, ip4 ? IPPROTO_IP : IPPROTO_IPV6, ip4 ? IP_TOS : IPV6_TCLASS, &mark, sizeof mark);
    }
    if (message->msg_controllen == 0)
        message->msg_control = NULL;
    m->runs[m->count++] = r;
}

/* As many runs from packet `first` on as one call takes. */
static void collect(messages *m, const rt_socket *socket, const rt_packet *packets, size_t first, size_t count)
{
    m->count = 0;
    m->pieces_used = 0;
    while (first < count && m->count < RUNS && m->pieces_used < PIECES) {
        run r = find_run(socket, packets, first, count, PIECES - m->pieces_used);
        add_message(m, packets, r);
        first += r.count;
    }
}

static int send_messages(const rt_socket *socket, messages *m, uint32_t first, rt_udp_counters *counters)
{
    counters->send_calls++;
#ifdef __linux__
    if (socket->mmsg && m->count - first > 1)
        return sendmmsg(socket->fd, m->headers + first, m->count - first, 0);
#endif
    return sendmsg(socket->fd, &m->headers[first].msg_hdr, 0) < 0 ? -1 : 1;
}

static void count_sent(const run *r, rt_udp_counters *counters)
{
    counters->datagrams_sent += r->count;
    counters->bytes_sent += r->bytes;
    counters->gso_runs += r->count > 1;
}

/* ---- backlog ---- */

struct rt_backlog {
    size_t used;
    uint32_t count;
    rt_packet packets[RT_UDP_BACKLOG];
    uint8_t memory[RT_UDP_BACKLOG_BYTES]; /* behind the rest: only what is filled takes memory */
};

static void keep(rt_socket *socket, const rt_packet *packets, size_t count, rt_udp_counters *counters)
{
    if (!socket->backlog) {
        socket->backlog = malloc(sizeof *socket->backlog);
        if (!socket->backlog) { /* no memory to wait in: lost, as in the network */
            counters->send_errors += count;
            return;
        }
        socket->backlog->used = 0;
        socket->backlog->count = 0;
        counters->send_blocked++;
    }
    rt_backlog *backlog = socket->backlog;
    for (size_t i = 0; i < count; i++) {
        if (backlog->count == RT_UDP_BACKLOG || sizeof backlog->memory - backlog->used < packets[i].size) {
            counters->send_errors++;
            continue;
        }
        rt_packet *copy = &backlog->packets[backlog->count++];
        *copy = packets[i];
        copy->data = backlog->memory + backlog->used;
        memcpy(copy->data, packets[i].data, packets[i].size);
        backlog->used += packets[i].size;
    }
}

/* ---- sending ---- */

/* Sends until all are gone or the socket's buffer is full; returns how many packets are done with. */
static size_t send_some(rt_socket *socket, const rt_packet *packets, size_t count, rt_udp_counters *counters);

/* Refusals that segmentation can be the reason of: no support on the way (EIO, ENOPROTOOPT, EOPNOTSUPP), or a
 * segment larger than the link takes (EINVAL, EMSGSIZE). */
static bool refuses_run(int error)
{
    return error == EIO || error == EINVAL || error == EMSGSIZE || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

/* A run that the kernel refused as a whole: packet by packet. If all of it goes that way, it is the segmentation
 * that does not, and the socket goes on without it. */
static size_t send_plainly(rt_socket *socket, const rt_packet *packets, run r, rt_udp_counters *counters)
{
    uint64_t before = counters->datagrams_sent;
    socket->gso = false;
    size_t done = send_some(socket, packets + r.first, r.count, counters);
    socket->gso = counters->datagrams_sent - before < done || done == 0;
    return done;
}

static size_t send_some(rt_socket *socket, const rt_packet *packets, size_t count, rt_udp_counters *counters)
{
    messages m;
    size_t done = 0;
    int errors = 0;
    while (done < count) {
        collect(&m, socket, packets, done, count);
        uint32_t at = 0;
        while (at < m.count) {
            int sent = send_messages(socket, &m, at, counters);
            if (sent > 0) {
                for (int i = 0; i < sent; i++) {
                    count_sent(&m.runs[at], counters);
                    done += m.runs[at++].count;
                }
                errors = 0;
                continue;
            }
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return done;
            run failed = m.runs[at];
            if (failed.count > 1 && refuses_run(errno)) {
                size_t part = send_plainly(socket, packets, failed, counters);
                done += part;
                if (part < failed.count)
                    return done;
                break; /* the runs behind were made for segmentation: make them anew */
            }
            if (errno == ECONNREFUSED && ++errors < MAX_ERRORS)
                continue; /* the answer to an earlier packet, cleared by the report */
            counters->send_errors += failed.count;
            done += failed.count;
            at++;
            errors = 0;
        }
    }
    return done;
}

void rt_udp_send(rt_socket *socket, const rt_packet *packets, size_t count, rt_udp_counters *counters)
{
    size_t done = socket->backlog ? 0 : send_some(socket, packets, count, counters);
    if (done < count)
        keep(socket, packets + done, count - done, counters);
}

void rt_udp_resume(rt_socket *socket, rt_udp_counters *counters)
{
    rt_backlog *backlog = socket->backlog;
    if (!backlog)
        return;
    size_t done = send_some(socket, backlog->packets, backlog->count, counters);
    if (done == backlog->count) {
        free(backlog);
        socket->backlog = NULL;
        return;
    }
    memmove(backlog->packets, backlog->packets + done, (backlog->count - done) * sizeof *backlog->packets);
    backlog->count -= (uint32_t)done;
    uint8_t *start = backlog->packets[0].data;
    size_t shift = (size_t)(start - backlog->memory);
    memmove(backlog->memory, start, backlog->used - shift);
    for (uint32_t i = 0; i < backlog->count; i++)
        backlog->packets[i].data -= shift;
    backlog->used -= shift;
}
