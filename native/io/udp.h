/* Datagrams in batches over sockets, with what the kernel offers and without.
 *
 *                receive                                send
 *   GRO / GSO    one buffer holds up to 64 datagrams    a run of equal packets to one address is one message
 *   mmsg         one call, up to 32 buffers             one call, many runs
 *   neither      a recvmsg per datagram                 a sendmsg per datagram
 *
 * GSO and GRO work with and without mmsg. What fails at run time falls back and nothing is lost by it: a run
 * that the kernel refuses is sent again packet by packet.
 *
 * When a socket's buffer is full, what is left of the batch is copied to the socket's backlog and the
 * caller waits for writability (rt_udp_blocked, rt_udp_resume) and stops draining its machines meanwhile:
 * they keep their own queues. The backlog is bounded; beyond it the newest packet is dropped and counted, as
 * the network would. Any other failure is a packet lost and counted: errors of one destination (refused,
 * unreachable, too large) never end the socket.
 *
 * One thread at a time per socket and per inbox.
 */
#ifndef RT_IO_UDP_H
#define RT_IO_UDP_H

#include "base/batch.h"
#include "io/socket.h"

#define RT_UDP_INBOX 32        /* buffers per call */
#define RT_UDP_RUN 64          /* datagrams per GSO run (the kernel's UDP_MAX_SEGMENTS) */
#define RT_UDP_RUN_BYTES 65000 /* and bytes: an IP datagram less its headers */
#define RT_UDP_BACKLOG 256     /* packets */
#define RT_UDP_BACKLOG_BYTES ((size_t)1 << 19)

typedef struct rt_udp_counters {
    uint64_t datagrams_received, bytes_received, receive_calls, gro_runs, receive_errors;
    uint64_t datagrams_sent, bytes_sent, send_calls, gso_runs, send_errors;
    uint64_t send_blocked; /* times that a socket's buffer was full */
} rt_udp_counters;

/* One buffer received: datagrams of `segment` bytes each, the last one as long as the rest, from one source. */
typedef struct rt_arrival {
    rt_buffer data;
    size_t segment; /* never 0; at least 1 for an empty datagram */
    rt_addr from;
} rt_arrival;

typedef struct rt_inbox {
    uint8_t *memory; /* RT_UDP_INBOX buffers; only what was ever filled takes memory */
    rt_arrival arrivals[RT_UDP_INBOX];
    uint32_t count;
} rt_inbox;

rt_status rt_inbox_init(rt_inbox *inbox);
void rt_inbox_free(rt_inbox *inbox);

/* Receives what waits, up to RT_UDP_INBOX buffers, into inbox->arrivals; good until the next call. Returns
 * true when more may be waiting. */
bool rt_udp_receive(rt_socket *socket, rt_inbox *inbox, rt_udp_counters *counters);

/* Sends packets, all through this socket whatever their `socket` says, in their order. Neighbours to one
 * address become runs. */
void rt_udp_send(rt_socket *socket, const rt_packet *packets, size_t count, rt_udp_counters *counters);

static inline bool rt_udp_blocked(const rt_socket *socket)
{
    return socket->backlog != NULL;
}

/* The socket is writable again: sends the backlog. Afterwards it may be blocked still. */
void rt_udp_resume(rt_socket *socket, rt_udp_counters *counters);

#endif
