#include "base/addr.h"

#include <stdio.h>

uint64_t rt_addr_hash(const rt_addr *addr)
{
    uint64_t words[3] = {0};
    memcpy(words, addr->ip, 16);
    words[2] = (uint64_t)addr->port << 40 ^ (uint64_t)addr->scope << 8 ^ addr->family;
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 3; i++) {
        hash ^= words[i];
        hash *= 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash;
}

static size_t format_ip6(const uint8_t *ip, char *out)
{
    /* RFC 5952: the longest run of two or more zero groups, the first of equals, becomes "::". */
    int best = -1, best_size = 1;
    for (int i = 0; i < 8; i++) {
        int size = 0;
        while (i + size < 8 && ip[2 * (i + size)] == 0 && ip[2 * (i + size) + 1] == 0)
            size++;
        if (size > best_size) {
            best = i;
            best_size = size;
        }
        if (size)
            i += size - 1;
    }
    char *at = out;
    if (best == 0 && best_size == 5 && ip[10] == 0xff && ip[11] == 0xff)
        return (size_t)sprintf(out, "::ffff:%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            *at++ = ':';
            *at++ = ':';
            i += best_size - 1;
            continue;
        }
        if (at > out && at[-1] != ':')
            *at++ = ':';
        at += sprintf(at, "%x", (unsigned)(ip[2 * i] << 8 | ip[2 * i + 1]));
    }
    *at = 0;
    return (size_t)(at - out);
}

size_t rt_addr_format_ip(const rt_addr *addr, char out[RT_ADDR_TEXT_MAX])
{
    if (addr->family == 4)
        return (size_t)sprintf(out, "%u.%u.%u.%u", addr->ip[0], addr->ip[1], addr->ip[2], addr->ip[3]);
    if (addr->family == 6)
        return format_ip6(addr->ip, out);
    out[0] = 0;
    return 0;
}

static bool parse_ip4(const char *text, size_t size, uint8_t out[4])
{
    const char *end = text + size;
    for (int i = 0; i < 4; i++) {
        int value = 0, digits = 0;
        while (text < end && *text >= '0' && *text <= '9' && digits < 3) {
            value = value * 10 + (*text++ - '0');
            digits++;
        }
        if (digits == 0 || value > 255)
            return false;
        out[i] = (uint8_t)value;
        if (i < 3 && (text == end || *text++ != '.'))
            return false;
    }
    return text == end;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool parse_ip6(const char *text, size_t size, uint8_t out[16])
{
    const char *end = text + size;
    uint8_t groups[16] = {0};
    int filled = 0, gap = -1;
    if (size >= 2 && text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (text < end) {
        const char *group = text;
        unsigned value = 0;
        while (text < end && text - group < 5 && hex_digit(*text) >= 0)
            value = value << 4 | (unsigned)hex_digit(*text++);
        if (text < end && *text == '.') {
            if (filled > 12 || !parse_ip4(group, (size_t)(end - group), groups + filled))
                return false;
            filled += 4;
            break;
        }
        if (text == group || text - group > 4 || filled > 14)
            return false;
        groups[filled++] = (uint8_t)(value >> 8);
        groups[filled++] = (uint8_t)value;
        if (text == end)
            break;
        if (*text++ != ':' || text == end)
            return false;
        if (*text == ':') {
            if (gap >= 0)
                return false;
            gap = filled;
            text++;
        }
    }
    if (gap < 0 ? filled != 16 : filled > 14)
        return false;
    memset(out, 0, 16);
    if (gap < 0)
        gap = filled;
    memcpy(out, groups, (size_t)gap);
    memcpy(out + 16 - (filled - gap), groups + gap, (size_t)(filled - gap));
    return true;
}

bool rt_addr_parse_ip(const char *text, size_t size, uint16_t port, rt_addr *out)
{
    memset(out, 0, sizeof *out);
    if (parse_ip4(text, size, out->ip)) {
        out->family = 4;
        out->port = port;
        return true;
    }
    memset(out, 0, sizeof *out);
    if (parse_ip6(text, size, out->ip)) {
        out->family = 6;
        out->port = port;
        return true;
    }
    memset(out, 0, sizeof *out);
    return false;
}

bool rt_addr_is_loopback(const rt_addr *addr)
{
    static const uint8_t one[16] = {[15] = 1};
    return addr->family == 4 ? addr->ip[0] == 127 : addr->family == 6 && memcmp(addr->ip, one, 16) == 0;
}

bool rt_addr_is_link_local(const rt_addr *addr)
{
    if (addr->family == 4)
        return addr->ip[0] == 169 && addr->ip[1] == 254;
    return addr->family == 6 && addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

bool rt_addr_is_any(const rt_addr *addr)
{
    static const uint8_t zero[16] = {0};
    return addr->family != 0 && memcmp(addr->ip, zero, 16) == 0;
}
