/* The receiving half of io/udp.h. */
#include "io/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define BUFFER 65536
/* Buffers do not start at multiples of a power of two, or their first lines would share cache sets. */
#define STRIDE (BUFFER + 5 * 64)
/* An error that some earlier datagram caused (an ICMP answer) is reported once and cleared by that. */
#define MAX_ERRORS 8

#ifdef __linux__
#define CONTROL CMSG_SPACE(sizeof(int))
#else
#define CONTROL 1
struct mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};
#endif

rt_status rt_inbox_init(rt_inbox *inbox)
{
    *inbox = (rt_inbox){.memory = malloc((size_t)RT_UDP_INBOX * STRIDE)};
    return inbox->memory ? RT_OK : RT_NO_MEMORY;
}

void rt_inbox_free(rt_inbox *inbox)
{
    free(inbox->memory);
    *inbox = (rt_inbox){0};
}

typedef struct slots {
    struct mmsghdr messages[RT_UDP_INBOX];
    struct iovec pieces[RT_UDP_INBOX];
    struct sockaddr_storage names[RT_UDP_INBOX];
    _Alignas(struct cmsghdr) uint8_t controls[RT_UDP_INBOX][CONTROL];
} slots;

static void prepare(slots *s, size_t index, const rt_socket *socket, rt_inbox *inbox)
{
    s->pieces[index] = (struct iovec){inbox->memory + index * STRIDE, BUFFER};
    struct msghdr *message = &s->messages[index].msg_hdr;
    *message = (struct msghdr){
        .msg_name = &s->names[index],
        .msg_namelen = sizeof s->names[index],
        .msg_iov = &s->pieces[index],
        .msg_iovlen = 1,
    };
    if (socket->gro) {
        message->msg_control = s->controls[index];
        message->msg_controllen = CONTROL;
    }
}

static size_t segment_of(struct msghdr *message)
{
#ifdef __linux__
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(control), sizeof size);
            return size > 0 ? (size_t)size : 0;
        }
    }
#endif
    (void)message;
    return 0;
}

static void take(slots *s, size_t index, size_t size, rt_inbox *inbox, rt_udp_counters *counters)
{
    struct msghdr *message = &s->messages[index].msg_hdr;
    if (message->msg_flags & MSG_TRUNC) {
        counters->receive_errors++;
        return;
    }
    size_t segment = message->msg_control ? segment_of(message) : 0;
    if (segment == 0)
        segment = size ? size : 1;
    size_t datagrams = size ? (size + segment - 1) / segment : 1;
    counters->datagrams_received += datagrams;
    counters->bytes_received += size;
    counters->gro_runs += datagrams > 1;
    inbox->arrivals[inbox->count++] = (rt_arrival){
        .data = rt_buffer_of(s->pieces[index].iov_base, size),
        .segment = segment,
        .from = rt_sockaddr_to(&s->names[index]),
    };
}

/* What a failed call means: whether to try again at once. */
static bool recoverable(rt_udp_counters *counters, int *errors)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (errno == EINTR)
        return true;
    counters->receive_errors++;
    return ++*errors < MAX_ERRORS;
}

#ifdef __linux__
static bool receive_many(rt_socket *socket, slots *s, rt_inbox *inbox, rt_udp_counters *counters)
{
    int errors = 0, count;
    for (size_t i = 0; i < RT_UDP_INBOX; i++)
        prepare(s, i, socket, inbox);
    do {
        counters->receive_calls++;
        count = recvmmsg(socket->fd, s->messages, RT_UDP_INBOX, 0, NULL);
    } while (count < 0 && recoverable(counters, &errors));
    for (int i = 0; i < count; i++)
        take(s, (size_t)i, s->messages[i].msg_len, inbox, counters);
    return count == RT_UDP_INBOX;
}
#endif

static bool receive_one_by_one(rt_socket *socket, slots *s, rt_inbox *inbox, rt_udp_counters *counters)
{
    int errors = 0;
    for (size_t i = 0; i < RT_UDP_INBOX; i++) {
        ssize_t size;
        prepare(s, i, socket, inbox);
        do {
            counters->receive_calls++;
            size = recvmsg(socket->fd, &s->messages[i].msg_hdr, 0);
        } while (size < 0 && recoverable(counters, &errors));
        if (size < 0)
            return false;
        take(s, i, (size_t)size, inbox, counters);
    }
    return true;
}

bool rt_udp_receive(rt_socket *socket, rt_inbox *inbox, rt_udp_counters *counters)
{
    slots s;
    inbox->count = 0;
#ifdef __linux__
    if (socket->mmsg)
        return receive_many(socket, &s, inbox, counters);
#endif
    return receive_one_by_one(socket, &s, inbox, counters);
}
