/* The kernel's part of forwarding, without anybody around it, for bench_forwarding.py: datagrams of zeros from one
 * socket to many receivers of this host, as few calls as there are: UDP GSO per receiver, sendmmsg() over them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { RUNS = 32, BYTES = 60000 };

/* To each port `packets` datagrams of `size` bytes; returns how many have left, -1: refused. */
int give(int fd, const uint16_t *ports, int count, int packets, int size)
{
    static uint8_t zeros[BYTES];
    struct mmsghdr headers[RUNS];
    struct sockaddr_in to[RUNS];
    struct iovec run = {zeros, (size_t)(packets * size)};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct cmsghdr *segments = (struct cmsghdr *)control;
    uint16_t segment = (uint16_t)size;
    segments->cmsg_level = IPPROTO_UDP;
    segments->cmsg_type = UDP_SEGMENT;
    segments->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(segments), &segment, sizeof segment);
    for (int sent = 0; sent < count;) {
        int n = 0;
        for (; n < RUNS && sent + n < count; n++) {
            to[n] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(ports[sent + n])};
            to[n].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            headers[n].msg_hdr =
                (struct msghdr){.msg_name = &to[n], .msg_namelen = sizeof to[n], .msg_iov = &run, .msg_iovlen = 1};
            if (packets > 1) {
                headers[n].msg_hdr.msg_control = control;
                headers[n].msg_hdr.msg_controllen = sizeof control;
            }
        }
        int done = sendmmsg(fd, headers, (unsigned)n, 0);
        if (done < 0)
            return -1;
        sent += done;
    }
    return count * packets;
}
