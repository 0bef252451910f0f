/* STUN messages (RFC 8489), with the attributes of ICE (RFC 8445): parsing, building, integrity,
 * fingerprint. Pure functions over spans; a parsed message borrows from the datagram. Any thread.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |0 0|  M M M M M C M M M C M M M M |   length without this header  |   section 5
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                   magic cookie 0x2112A442                     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                  transaction id (96 bits)                     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         type                  |         length                |   section 14, once per attribute,
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+   the value padded to four bytes
 *   |                         value ...                             |
 */
#ifndef RT_WIRE_STUN_H
#define RT_WIRE_STUN_H

#include "base/addr.h"
#include "base/crypto.h"
#include "base/span.h"
#include "base/status.h"

#define RT_STUN_HEADER 20
#define RT_STUN_COOKIE 0x2112a442u
#define RT_STUN_TRANSACTION 12
#define RT_STUN_UNKNOWN_MAX 16

typedef enum rt_stun_class { /* the two class bits of the message type */
                             RT_STUN_REQUEST = 0,
                             RT_STUN_INDICATION = 1,
                             RT_STUN_SUCCESS = 2,
                             RT_STUN_ERROR = 3,
} rt_stun_class;

enum { RT_STUN_BINDING = 1 }; /* the only method of RFC 8489 */

enum { /* attribute types; those below 0x8000 must be understood */
       RT_STUN_MAPPED_ADDRESS = 0x0001,
       RT_STUN_USERNAME = 0x0006,
       RT_STUN_MESSAGE_INTEGRITY = 0x0008,
       RT_STUN_ERROR_CODE = 0x0009,
       RT_STUN_UNKNOWN_ATTRIBUTES = 0x000a,
       RT_STUN_REALM = 0x0014,
       RT_STUN_NONCE = 0x0015,
       RT_STUN_MESSAGE_INTEGRITY_SHA256 = 0x001c,
       RT_STUN_PASSWORD_ALGORITHM = 0x001d,
       RT_STUN_USERHASH = 0x001e,
       RT_STUN_XOR_MAPPED_ADDRESS = 0x0020,
       RT_STUN_PRIORITY = 0x0024,
       RT_STUN_USE_CANDIDATE = 0x0025,
       RT_STUN_PASSWORD_ALGORITHMS = 0x8002,
       RT_STUN_ALTERNATE_DOMAIN = 0x8003,
       RT_STUN_SOFTWARE = 0x8022,
       RT_STUN_ALTERNATE_SERVER = 0x8023,
       RT_STUN_FINGERPRINT = 0x8028,
       RT_STUN_ICE_CONTROLLED = 0x8029,
       RT_STUN_ICE_CONTROLLING = 0x802a,
};

enum { /* error codes */
       RT_STUN_TRY_ALTERNATE = 300,
       RT_STUN_BAD_REQUEST = 400,
       RT_STUN_UNAUTHENTICATED = 401,
       RT_STUN_FORBIDDEN = 403,
       RT_STUN_UNKNOWN_ATTRIBUTE = 420,
       RT_STUN_ROLE_CONFLICT = 487,
};

/* The grammar is checked, FINGERPRINT too; integrity is for rt_stun_verify. Of an attribute that comes
 * twice the first counts; those behind the integrity are ignored (sections 14 and 14.5). */
typedef struct rt_stun {
    rt_span message;
    rt_stun_class class;
    uint16_t method;
    const uint8_t *transaction; /* 12 bytes, in the message */

    rt_span username, realm, nonce, software; /* `data` is NULL when absent */
    rt_addr mapped;                           /* XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS; family 0: none */
    rt_addr alternate;                        /* ALTERNATE-SERVER */
    rt_span reason;
    uint16_t error; /* 300 to 699, 0: no ERROR-CODE */

    bool has_priority, use_candidate, has_controlling, has_controlled, has_fingerprint;
    uint32_t priority;
    uint64_t tie_breaker; /* of ICE-CONTROLLING or ICE-CONTROLLED */

    uint16_t integrity, integrity256;      /* offset of the attribute in the message, 0: none */
    uint16_t integrity256_size;            /* of its value, 16 to 32: it may be truncated */
    uint16_t unknown_count;                /* attributes that must be understood and are not */
    uint16_t unknown[RT_STUN_UNKNOWN_MAX]; /* the first of them */
} rt_stun;

/* Whether a datagram is a STUN message by its first byte (0 to 3, RFC 7983: so methods up to 0xff), cookie
 * and length; costs nothing. */
static inline bool rt_stun_is(rt_span datagram)
{
    return datagram.size >= RT_STUN_HEADER && datagram.data[0] < 4 && rt_load32(datagram.data + 4) == RT_STUN_COOKIE &&
           (size_t)rt_load16(datagram.data + 2) + RT_STUN_HEADER == datagram.size && datagram.size % 4 == 0;
}

/* RT_MALFORMED, or RT_UNAUTHENTICATED when FINGERPRINT does not match. */
rt_status rt_stun_parse(rt_span datagram, rt_stun *out);

/* Checks MESSAGE-INTEGRITY (RT_SHA1) or MESSAGE-INTEGRITY-SHA256 (RT_SHA256) with a context keyed by the
 * password. RT_UNAUTHENTICATED when it is absent or does not match. */
rt_status rt_stun_verify(const rt_stun *stun, rt_hash hash, rt_hmac *hmac);

/* The attributes one by one, all of them. Start with `*offset` = 0; false at the end. */
bool rt_stun_next(rt_span message, size_t *offset, uint16_t *type, rt_span *value);

/* The first attribute of that type, `data` NULL when there is none: for routing by USERNAME, without the
 * price of a whole parse. Ask rt_stun_is() before. */
rt_span rt_stun_find(rt_span message, uint16_t type);

/* An address in the form of MAPPED-ADDRESS, `xor` for the XOR- attributes; family 0 if it is not one. */
rt_addr rt_stun_read_address(rt_span value, const uint8_t transaction[RT_STUN_TRANSACTION], bool xor);

/* Key of the long-term mechanism (section 9.2.2): hash(user ":" realm ":" password), RT_MD5 or RT_SHA256. */
rt_status rt_stun_long_term_key(rt_hash hash, rt_span user, rt_span realm, rt_span password, uint8_t out[RT_HASH_MAX]);

/* Building, into memory of the caller: begin, attributes in order, then sign and fingerprint if wanted. */
rt_writer rt_stun_begin(rt_buffer out, rt_stun_class class, uint16_t method,
                        const uint8_t transaction[RT_STUN_TRANSACTION]);
void rt_stun_add(rt_writer *w, uint16_t type, rt_span value);
void rt_stun_add32(rt_writer *w, uint16_t type, uint32_t value);
void rt_stun_add64(rt_writer *w, uint16_t type, uint64_t value);
/* XOR-ed for RT_STUN_XOR_MAPPED_ADDRESS, plain for the others. */
void rt_stun_add_address(rt_writer *w, uint16_t type, const rt_addr *addr);
void rt_stun_add_error(rt_writer *w, uint16_t code, const char *reason);
void rt_stun_add_unknown(rt_writer *w, const uint16_t *types, size_t count);
void rt_stun_sign(rt_writer *w, rt_hash hash, rt_hmac *hmac); /* RT_SHA1 or RT_SHA256 */
void rt_stun_add_fingerprint(rt_writer *w);
/* Sets the length; returns the message's size, 0 when it did not fit. */
size_t rt_stun_end(rt_writer *w);

/* CRC-32 as in ISO 3309 and Ethernet, which FINGERPRINT is made of. */
uint32_t rt_crc32(rt_span data);

#endif
