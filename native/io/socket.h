/* One UDP socket: opened nonblocking, close-on-exec, bound, with what the kernel offers probed once.
 *
 * IPv6 sockets take IPv6 only. Path MTU probes are honest: the don't-fragment bit is set and the kernel's own
 * idea of the path MTU is not consulted (RFC 8899 section 3), so that a datagram arrives whole or not at all.
 * SO_REUSEADDR is not set: nobody else can take the port.
 */
#ifndef RT_IO_SOCKET_H
#define RT_IO_SOCKET_H

#include <netinet/in.h>

#include "base/addr.h"
#include "base/status.h"

typedef struct rt_backlog rt_backlog; /* packets that the kernel had no room for (io/udp.h) */

typedef struct rt_socket {
    int fd; /* -1: closed */
    rt_addr address;
    bool mmsg;           /* recvmmsg, sendmmsg */
    bool gso;            /* UDP_SEGMENT; cleared when a send shows that the path does not do it */
    bool gro;            /* UDP_GRO */
    rt_backlog *backlog; /* NULL while nothing waits */
} rt_socket;

typedef struct rt_socket_options {
    bool mmsg, gso, gro; /* use it where there is support */
    uint32_t buffer;     /* SO_RCVBUF and SO_SNDBUF; 0: the system's */
} rt_socket_options;

/* Binds to `address`. Port 0: any port in [port_min, port_max], in an order that starts at `draw` (a random
 * number), or the system's choice when both are 0. RT_INVALID, or RT_SYSTEM with errno. */
rt_status rt_socket_open(rt_socket *out, const rt_addr *address, uint16_t port_min, uint16_t port_max, uint32_t draw,
                         const rt_socket_options *options);
void rt_socket_close(rt_socket *socket); /* idempotent */

socklen_t rt_sockaddr_from(const rt_addr *addr, struct sockaddr_storage *out);
rt_addr rt_sockaddr_to(const struct sockaddr_storage *from);

#endif
