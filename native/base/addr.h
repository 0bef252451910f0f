/* An IPv4 or IPv6 address with a port: the tuple that packets come from and go to.
 *
 * A plain value, no socket types: io/ converts from and to `struct sockaddr`. Unused bytes of `ip` are
 * zero, so that equality is one comparison of the whole value.
 */
#ifndef RT_BASE_ADDR_H
#define RT_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct rt_addr {
    uint8_t ip[16];   /* IPv4 in the first four bytes, the rest zero */
    uint32_t scope;   /* IPv6 zone of a link-local address, else 0 */
    uint16_t port;    /* host byte order */
    uint8_t family;   /* 4, 6, or 0 for no address */
    uint8_t reserved; /* zero */
} rt_addr;

#define RT_ADDR_TEXT_MAX 64 /* "[xxxx:...:255.255.255.255%4294967295]:65535" and its end */

static inline bool rt_addr_equal(const rt_addr *a, const rt_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static inline bool rt_addr_same_ip(const rt_addr *a, const rt_addr *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, 16) == 0;
}

uint64_t rt_addr_hash(const rt_addr *addr);

/* The IP alone ("192.0.2.1", "2001:db8::1", RFC 5952), zero terminated; returns its length. */
size_t rt_addr_format_ip(const rt_addr *addr, char out[RT_ADDR_TEXT_MAX]);

/* Reads an IP in text form, without port or zone; false, and an empty address, if it is none. */
bool rt_addr_parse_ip(const char *text, size_t size, uint16_t port, rt_addr *out);

bool rt_addr_is_loopback(const rt_addr *addr);
bool rt_addr_is_link_local(const rt_addr *addr);
bool rt_addr_is_any(const rt_addr *addr); /* 0.0.0.0 or :: */

#endif
