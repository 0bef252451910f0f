/* Which local addresses make host candidates (RFC 8445 section 5.1.1.1), in which order (RFC 8421). */
#include "io/worker.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/socket.h"

#define MAX_FOUND 256

typedef struct found {
    rt_addr address;
    const char *name;
    bool loopback, link_local, temporary, dropped;
} found;

#ifdef __linux__
enum { TEMPORARY = 0x01, NODAD_FAILED = 0x08, DEPRECATED = 0x20, TENTATIVE = 0x40 }; /* linux/if_addr.h: IFA_F_... */

static bool has_states(const found *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].address.family == 6 && !list[i].loopback)
            return true;
    }
    return false;
}

/* getifaddrs() does not tell of an IPv6 address's state; this file does. */
static void mark_ip6_states(found *list, size_t count)
{
    FILE *file = has_states(list, count) ? fopen("/proc/net/if_inet6", "re") : NULL;
    if (!file)
        return;
    char hex[33];
    unsigned flags;
    while (fscanf(file, "%32s %*x %*x %*x %x %*s", hex, &flags) == 2) {
        uint8_t ip[16];
        for (int i = 0; i < 16; i++) {
            char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
            ip[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        for (size_t i = 0; i < count; i++) {
            if (list[i].address.family == 6 && memcmp(list[i].address.ip, ip, 16) == 0) {
                list[i].temporary = flags & TEMPORARY;
                list[i].dropped = flags & (NODAD_FAILED | DEPRECATED | TENTATIVE);
            }
        }
    }
    fclose(file);
}
#endif

/* IPv4-compatible, IPv4-mapped and site-local IPv6 addresses never are candidates. */
static bool is_obsolete(const rt_addr *addr)
{
    static const uint8_t zero[10] = {0};
    if (addr->family != 6 || rt_addr_is_loopback(addr))
        return false;
    bool site_local = addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0xc0;
    bool embeds_ip4 = memcmp(addr->ip, zero, 10) == 0 && (addr->ip[10] == addr->ip[11]) &&
                      (addr->ip[10] == 0 || addr->ip[10] == 0xff);
    return site_local || embeds_ip4;
}

static size_t list_addresses(const struct ifaddrs *all, found *list)
{
    size_t count = 0;
    for (const struct ifaddrs *at = all; at && count < MAX_FOUND; at = at->ifa_next) {
        if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || !(at->ifa_flags & IFF_RUNNING))
            continue;
        int family = at->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6)
            continue;
        struct sockaddr_storage storage;
        memset(&storage, 0, sizeof storage);
        memcpy(&storage, at->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        rt_addr address = rt_sockaddr_to(&storage);
        address.port = 0;
        if (rt_addr_is_any(&address) || is_obsolete(&address))
            continue;
        list[count++] = (found){
            .address = address,
            .name = at->ifa_name,
            .loopback = (at->ifa_flags & IFF_LOOPBACK) || rt_addr_is_loopback(&address),
            .link_local = rt_addr_is_link_local(&address),
        };
    }
    return count;
}

/* An address that can be tracked is not told where one that cannot be is there, on the same interface and prefix;
 * link-local IPv6 is of no use beyond the link and is never told, link-local IPv4 when there is nothing else. */
static void drop_unwanted(found *list, size_t count, bool loopback)
{
    size_t global = 0, link_local = 0;
    for (size_t i = 0; i < count; i++) {
        found *f = &list[i];
        for (size_t k = 0; k < count && f->address.family == 6 && !f->temporary; k++)
            f->dropped |= list[k].temporary && !list[k].dropped && strcmp(list[k].name, f->name) == 0 &&
                          memcmp(list[k].address.ip, f->address.ip, 8) == 0;
        f->dropped |= f->link_local && f->address.family == 6;
        global += !f->dropped && !f->loopback && !f->link_local;
        link_local += !f->dropped && !f->loopback && f->link_local;
    }
    for (size_t i = 0; i < count; i++) {
        found *f = &list[i];
        if (f->loopback)
            f->dropped |= !loopback && global + link_local > 0;
        else if (f->link_local)
            f->dropped |= global > 0;
    }
}

/* The next address that is not taken: families take turns, IPv6 first, loopback comes last. */
static found *pick(found *list, size_t count, int family)
{
    for (int loopback = 0; loopback < 2; loopback++) {
        for (int any = 0; any < 2; any++) {
            for (size_t i = 0; i < count; i++) {
                if (!list[i].dropped && list[i].loopback == loopback && (any || list[i].address.family == family))
                    return &list[i];
            }
        }
    }
    return NULL;
}

size_t rt_interfaces(rt_interface *out, size_t max, bool loopback)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return 0;
    found list[MAX_FOUND];
    size_t count = list_addresses(all, list), taken = 0;
#ifdef __linux__
    mark_ip6_states(list, count);
#endif
    drop_unwanted(list, count, loopback);
    int family = 6;
    found *next;
    while (taken < max && (next = pick(list, count, family))) {
        rt_interface *interface = &out[taken];
        *interface = (rt_interface){
            .address = next->address,
            .preference = (uint16_t)(65535 - taken),
            .loopback = next->loopback,
        };
        snprintf(interface->name, sizeof interface->name, "%s", next->name);
        family = next->address.family == 6 ? 4 : 6;
        next->dropped = true;
        taken++;
    }
    freeifaddrs(all);
    return taken;
}
