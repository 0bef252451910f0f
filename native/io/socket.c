#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

socklen_t rt_sockaddr_from(const rt_addr *addr, struct sockaddr_storage *out)
{
    if (addr->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port), .sin6_scope_id = addr->scope};
    memcpy(&in6.sin6_addr, addr->ip, 16);
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

rt_addr rt_sockaddr_to(const struct sockaddr_storage *from)
{
    rt_addr addr = {0};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        addr.family = 4;
        addr.port = ntohs(in->sin_port);
        memcpy(addr.ip, &in->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        addr.family = 6;
        addr.port = ntohs(in6->sin6_port);
        addr.scope = in6->sin6_scope_id;
        memcpy(addr.ip, &in6->sin6_addr, 16);
    }
    return addr;
}

static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static int new_socket(int family)
{
#ifdef SOCK_CLOEXEC
    return socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
    int fd = socket(family, SOCK_DGRAM, 0);
    if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
#endif
}

static void forbid_fragments(int fd, int family)
{
    /* Where the system has none of these, it does not fragment UDP by default or probes find out less. */
#ifdef IP_MTU_DISCOVER
    if (family == AF_INET)
        (void)set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
#elif defined(IP_DONTFRAG)
    if (family == AF_INET)
        (void)set_option(fd, IPPROTO_IP, IP_DONTFRAG, 1);
#endif
#ifdef IPV6_MTU_DISCOVER
    if (family == AF_INET6)
        (void)set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
#endif
#ifdef IPV6_DONTFRAG
    if (family == AF_INET6)
        (void)set_option(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
#endif
}

static void probe(rt_socket *socket, const rt_socket_options *options)
{
#ifdef __linux__
    socket->mmsg = options->mmsg;
    int size = 0;
    socklen_t length = sizeof size;
    socket->gso = options->gso && getsockopt(socket->fd, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
    socket->gro = options->gro && set_option(socket->fd, IPPROTO_UDP, UDP_GRO, 1);
#else
    (void)socket;
    (void)options;
#endif
}

static bool bind_port(int fd, const rt_addr *address, uint16_t port)
{
    rt_addr with_port = *address;
    with_port.port = port;
    struct sockaddr_storage storage;
    socklen_t size = rt_sockaddr_from(&with_port, &storage);
    return bind(fd, (const struct sockaddr *)&storage, size) == 0;
}

/* A port in use is tried once and passed; any other refusal (no such address, no permission) is final. */
static bool bind_range(int fd, const rt_addr *address, uint16_t port_min, uint16_t port_max, uint32_t draw)
{
    uint32_t count = (uint32_t)port_max - port_min + 1;
    for (uint32_t i = 0; i < count; i++) {
        if (bind_port(fd, address, (uint16_t)(port_min + (draw % count + i) % count)))
            return true;
        if (errno != EADDRINUSE)
            return false;
    }
    return false;
}

rt_status rt_socket_open(rt_socket *out, const rt_addr *address, uint16_t port_min, uint16_t port_max, uint32_t draw,
                         const rt_socket_options *options)
{
    *out = (rt_socket){.fd = -1};
    bool range = address->port == 0 && (port_min || port_max);
    if ((address->family != 4 && address->family != 6) || (range && (port_min == 0 || port_max < port_min)))
        return RT_INVALID;
    int family = address->family == 4 ? AF_INET : AF_INET6;
    rt_socket opened = {.fd = new_socket(family)};
    if (opened.fd < 0)
        return RT_SYSTEM;
    bool ok = family == AF_INET || set_option(opened.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    ok = ok && (range ? bind_range(opened.fd, address, port_min, port_max, draw)
                      : bind_port(opened.fd, address, address->port));
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (!ok || getsockname(opened.fd, (struct sockaddr *)&bound, &size) < 0) {
        int error = errno;
        close(opened.fd);
        errno = error;
        return RT_SYSTEM;
    }
    opened.address = rt_sockaddr_to(&bound);
    forbid_fragments(opened.fd, family);
    if (options->buffer) { /* the system caps what it does not like; what it gives is good enough */
        (void)set_option(opened.fd, SOL_SOCKET, SO_RCVBUF, (int)options->buffer);
        (void)set_option(opened.fd, SOL_SOCKET, SO_SNDBUF, (int)options->buffer);
    }
    probe(&opened, options);
    *out = opened;
    return RT_OK;
}

void rt_socket_close(rt_socket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    free(socket->backlog);
    *socket = (rt_socket){.fd = -1};
}
