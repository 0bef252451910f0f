#include "wire/stun.h"

#define FINGERPRINT_MASK 0x5354554eu
#define SIZE_SHA1 20
#define SIZE_SHA256 32
#define SIZE_FINGERPRINT 4

static size_t padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

bool rt_stun_next(rt_span message, size_t *offset, uint16_t *type, rt_span *value)
{
    size_t at = *offset ? *offset : RT_STUN_HEADER;
    if (message.size < at || message.size - at < 4)
        return false;
    size_t size = rt_load16(message.data + at + 2);
    if (padded(size) > message.size - at - 4)
        return false;
    *type = rt_load16(message.data + at);
    *value = rt_span_of(message.data + at + 4, size);
    *offset = at + 4 + padded(size);
    return true;
}

rt_span rt_stun_find(rt_span message, uint16_t type)
{
    size_t offset = 0;
    uint16_t found;
    rt_span value;
    while (rt_stun_next(message, &offset, &found, &value)) {
        if (found == type)
            return value;
    }
    return (rt_span){0};
}

rt_addr rt_stun_read_address(rt_span value, const uint8_t transaction[RT_STUN_TRANSACTION], bool xor)
{
    rt_addr addr = {0};
    if (value.size < 4)
        return addr;
    size_t size = value.data[1] == 1 ? 4 : value.data[1] == 2 ? 16 : 0;
    if (size == 0 || value.size != 4 + size)
        return addr;
    uint8_t mask[16] = {0};
    if (xor) {
        rt_store32(mask, RT_STUN_COOKIE);
        memcpy(mask + 4, transaction, RT_STUN_TRANSACTION);
    }
    addr.family = size == 4 ? 4 : 6;
    addr.port = (uint16_t)(rt_load16(value.data + 2) ^ rt_load16(mask));
    for (size_t i = 0; i < size; i++)
        addr.ip[i] = value.data[4 + i] ^ mask[i];
    return addr;
}

static uint32_t fingerprint(rt_span message, size_t offset)
{
    return rt_crc32(rt_span_of(message.data, offset)) ^ FINGERPRINT_MASK;
}

static bool read_error(rt_span value, rt_stun *out)
{
    if (value.size < 4)
        return false;
    unsigned hundreds = value.data[2] & 7, rest = value.data[3];
    if (hundreds < 3 || hundreds > 6 || rest > 99)
        return false;
    out->error = (uint16_t)(hundreds * 100 + rest);
    out->reason = rt_span_of(value.data + 4, value.size - 4);
    return true;
}

/* An attribute before the integrity; false when it breaks its own grammar. */
static bool read_attribute(rt_stun *out, uint16_t type, rt_span value, bool *xor_mapped)
{
    switch (type) {
    case RT_STUN_MAPPED_ADDRESS:
        if (out->mapped.family == 0)
            out->mapped = rt_stun_read_address(value, out->transaction, false);
        return true;
    case RT_STUN_XOR_MAPPED_ADDRESS:
        if (!*xor_mapped)
            out->mapped = rt_stun_read_address(value, out->transaction, true);
        *xor_mapped = true;
        return out->mapped.family != 0;
    case RT_STUN_ALTERNATE_SERVER:
        if (out->alternate.family == 0)
            out->alternate = rt_stun_read_address(value, out->transaction, false);
        return out->alternate.family != 0;
    case RT_STUN_USERNAME:
        if (!out->username.data)
            out->username = value;
        return value.size <= 513;
    case RT_STUN_REALM:
        if (!out->realm.data)
            out->realm = value;
        return true;
    case RT_STUN_NONCE:
        if (!out->nonce.data)
            out->nonce = value;
        return true;
    case RT_STUN_SOFTWARE:
        if (!out->software.data)
            out->software = value;
        return true;
    case RT_STUN_ERROR_CODE: return out->error || read_error(value, out);
    case RT_STUN_PRIORITY:
        if (value.size != 4)
            return false;
        if (!out->has_priority)
            out->priority = rt_load32(value.data);
        out->has_priority = true;
        return true;
    case RT_STUN_USE_CANDIDATE: out->use_candidate = true; return value.size == 0;
    case RT_STUN_ICE_CONTROLLED:
    case RT_STUN_ICE_CONTROLLING:
        if (value.size != 8)
            return false;
        if (!out->has_controlled && !out->has_controlling) {
            out->tie_breaker = rt_load64(value.data);
            *(type == RT_STUN_ICE_CONTROLLED ? &out->has_controlled : &out->has_controlling) = true;
        }
        return true;
    case RT_STUN_UNKNOWN_ATTRIBUTES:
    case RT_STUN_PASSWORD_ALGORITHM:
    case RT_STUN_USERHASH: return true;
    default:
        if (type < 0x8000) {
            if (out->unknown_count < RT_STUN_UNKNOWN_MAX)
                out->unknown[out->unknown_count] = type;
            out->unknown_count++;
        }
        return true;
    }
}

rt_status rt_stun_parse(rt_span datagram, rt_stun *out)
{
    *out = (rt_stun){.message = datagram};
    if (!rt_stun_is(datagram))
        return RT_MALFORMED;
    uint16_t head = rt_load16(datagram.data);
    out->class = (rt_stun_class)((head >> 7 & 2) | (head >> 4 & 1));
    out->method = (uint16_t)((head & 0x000f) | (head & 0x00e0) >> 1 | (head & 0x3e00) >> 2);
    out->transaction = datagram.data + 8;

    size_t offset = 0, at = RT_STUN_HEADER;
    uint16_t type;
    rt_span value;
    bool xor_mapped = false;
    while (rt_stun_next(datagram, &offset, &type, &value)) {
        if (out->has_fingerprint)
            return RT_MALFORMED; /* it must be the last (section 14.7) */
        if (type == RT_STUN_FINGERPRINT) {
            if (value.size != SIZE_FINGERPRINT)
                return RT_MALFORMED;
            if (rt_load32(value.data) != fingerprint(datagram, at))
                return RT_UNAUTHENTICATED;
            out->has_fingerprint = true;
        } else if (type == RT_STUN_MESSAGE_INTEGRITY_SHA256) {
            if (value.size < 16 || value.size > SIZE_SHA256 || value.size % 4)
                return RT_MALFORMED;
            if (!out->integrity256) {
                out->integrity256 = (uint16_t)at;
                out->integrity256_size = (uint16_t)value.size;
            }
        } else if (!out->integrity && !out->integrity256) {
            if (type == RT_STUN_MESSAGE_INTEGRITY) {
                if (value.size != SIZE_SHA1)
                    return RT_MALFORMED;
                out->integrity = (uint16_t)at;
            } else if (!read_attribute(out, type, value, &xor_mapped)) {
                return RT_MALFORMED;
            }
        }
        at = offset;
    }
    if (at != datagram.size)
        return RT_MALFORMED;
    if (out->class == RT_STUN_ERROR && !out->error)
        return RT_MALFORMED;
    return RT_OK;
}

/* The MAC covers the message up to the attribute, its length counted as if the attribute were the last
 * (section 14.5). */
static rt_status integrity(rt_span message, size_t offset, size_t size, rt_hmac *hmac, uint8_t out[RT_HASH_MAX])
{
    uint8_t head[4];
    memcpy(head, message.data, 2);
    rt_store16(head + 2, (uint16_t)(offset + 4 + size - RT_STUN_HEADER));
    rt_span parts[2] = {rt_span_of(head, 4), rt_span_of(message.data + 4, offset - 4)};
    return rt_hmac_sign(hmac, parts, 2, out);
}

rt_status rt_stun_verify(const rt_stun *stun, rt_hash hash, rt_hmac *hmac)
{
    bool sha256 = hash == RT_SHA256;
    size_t offset = sha256 ? stun->integrity256 : stun->integrity;
    size_t size = sha256 ? stun->integrity256_size : SIZE_SHA1;
    uint8_t mac[RT_HASH_MAX];
    if (offset == 0)
        return RT_UNAUTHENTICATED;
    rt_status status = integrity(stun->message, offset, size, hmac, mac);
    if (status != RT_OK)
        return status;
    return rt_equal_secret(mac, stun->message.data + offset + 4, size) ? RT_OK : RT_UNAUTHENTICATED;
}

rt_status rt_stun_long_term_key(rt_hash hash, rt_span user, rt_span realm, rt_span password, uint8_t out[RT_HASH_MAX])
{
    uint8_t text[1600];
    rt_writer w = rt_writer_of(rt_buffer_of(text, sizeof text));
    rt_write_span(&w, user);
    rt_write8(&w, ':');
    rt_write_span(&w, realm);
    rt_write8(&w, ':');
    rt_write_span(&w, password);
    rt_status status =
        rt_writer_ok(&w) ? rt_hash_digest(hash, rt_span_of(text, rt_writer_size(&w)), out) : RT_TOO_LARGE;
    rt_wipe(text, sizeof text);
    return status;
}

rt_writer rt_stun_begin(rt_buffer out, rt_stun_class class, uint16_t method,
                        const uint8_t transaction[RT_STUN_TRANSACTION])
{
    rt_writer w = rt_writer_of(out);
    unsigned c = (unsigned)class;
    unsigned head = (method & 0x000f) | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | (c & 1) << 4 | (c & 2) << 7;
    rt_write16(&w, (uint16_t)head);
    rt_write16(&w, 0);
    rt_write32(&w, RT_STUN_COOKIE);
    rt_write_span(&w, rt_span_of(transaction, RT_STUN_TRANSACTION));
    return w;
}

/* Header of an attribute; the value and its padding follow. */
static uint8_t *add_room(rt_writer *w, uint16_t type, size_t size)
{
    if (size > 0xfffc) {
        w->failed = true;
        return NULL;
    }
    rt_write16(w, type);
    rt_write16(w, (uint16_t)size);
    uint8_t *room = rt_write_room(w, padded(size));
    if (room)
        memset(room + size, 0, padded(size) - size);
    return room;
}

void rt_stun_add(rt_writer *w, uint16_t type, rt_span value)
{
    uint8_t *room = add_room(w, type, value.size);
    if (room && value.size)
        memcpy(room, value.data, value.size);
}

void rt_stun_add32(rt_writer *w, uint16_t type, uint32_t value)
{
    uint8_t *room = add_room(w, type, 4);
    if (room)
        rt_store32(room, value);
}

void rt_stun_add64(rt_writer *w, uint16_t type, uint64_t value)
{
    uint8_t *room = add_room(w, type, 8);
    if (room)
        rt_store64(room, value);
}

void rt_stun_add_address(rt_writer *w, uint16_t type, const rt_addr *addr)
{
    size_t size = addr->family == 4 ? 4 : 16;
    uint8_t *room = add_room(w, type, 4 + size);
    if (!room)
        return;
    uint8_t mask[16] = {0};
    if (type == RT_STUN_XOR_MAPPED_ADDRESS)
        memcpy(mask, w->start + 4, 16); /* cookie and transaction id */
    room[0] = 0;
    room[1] = addr->family == 4 ? 1 : 2;
    rt_store16(room + 2, (uint16_t)(addr->port ^ rt_load16(mask)));
    for (size_t i = 0; i < size; i++)
        room[4 + i] = addr->ip[i] ^ mask[i];
}

void rt_stun_add_error(rt_writer *w, uint16_t code, const char *reason)
{
    size_t size = strlen(reason);
    uint8_t *room = add_room(w, RT_STUN_ERROR_CODE, 4 + size);
    if (!room)
        return;
    rt_store16(room, 0);
    room[2] = (uint8_t)(code / 100);
    room[3] = (uint8_t)(code % 100);
    memcpy(room + 4, reason, size);
}

void rt_stun_add_unknown(rt_writer *w, const uint16_t *types, size_t count)
{
    uint8_t *room = add_room(w, RT_STUN_UNKNOWN_ATTRIBUTES, 2 * count);
    for (size_t i = 0; room && i < count; i++)
        rt_store16(room + 2 * i, types[i]);
}

static void set_length(rt_writer *w, size_t more)
{
    rt_store16(w->start + 2, (uint16_t)(rt_writer_size(w) + more - RT_STUN_HEADER));
}

void rt_stun_sign(rt_writer *w, rt_hash hash, rt_hmac *hmac)
{
    bool sha256 = hash == RT_SHA256;
    size_t size = sha256 ? SIZE_SHA256 : SIZE_SHA1;
    size_t offset = rt_writer_size(w);
    uint8_t *room = add_room(w, sha256 ? RT_STUN_MESSAGE_INTEGRITY_SHA256 : RT_STUN_MESSAGE_INTEGRITY, size);
    uint8_t mac[RT_HASH_MAX];
    if (!room)
        return;
    if (integrity(rt_span_of(w->start, offset), offset, size, hmac, mac) != RT_OK) {
        w->failed = true;
        return;
    }
    memcpy(room, mac, size);
}

void rt_stun_add_fingerprint(rt_writer *w)
{
    size_t offset = rt_writer_size(w);
    uint8_t *room = add_room(w, RT_STUN_FINGERPRINT, SIZE_FINGERPRINT);
    if (!room)
        return;
    set_length(w, 0);
    rt_store32(room, fingerprint(rt_span_of(w->start, offset), offset));
}

size_t rt_stun_end(rt_writer *w)
{
    if (!rt_writer_ok(w) || rt_writer_size(w) > 0xffff)
        return 0;
    set_length(w, 0);
    return rt_writer_size(w);
}
