/* SRTP and SRTCP sessions (RFC 3711, RFC 7714) over libsrtp.
 *
 * The library itself is borrowed: whoever makes sessions passes a table of its functions (proto/srtp_library.h). So the
 * audited code does the cryptography, and packets are protected in place, in batches, without Python. One way goes by
 * the library, yet not by its cipher: RTP out under AES-GCM, a server's bulk (proto/srtp_gcm.h).
 *
 * A session has one direction and any number of streams (SSRCs), which it learns from packets: those that it sends
 * at once, those that it receives when their first packet is authentic. Their number is bounded. Inbound, the stream
 * longest unused makes room for a new one (its replay window is forgotten with it); outbound, a new one is refused,
 * and one that was removed stays refused: beginning it anew would use its nonces twice. One thread at a time per
 * session.
 */
#ifndef RT_PROTO_SRTP_H
#define RT_PROTO_SRTP_H

#include "base/span.h"
#include "base/status.h"
#include "proto/srtp_library.h"

/* IANA DTLS-SRTP protection profiles (RFC 5764 section 4.1.2, RFC 7714 section 14.2). */
typedef enum rt_srtp_profile {
    RT_SRTP_AES128_CM_SHA1_80 = 1,
    RT_SRTP_AES128_CM_SHA1_32 = 2,
    RT_SRTP_AEAD_AES_128_GCM = 7,
    RT_SRTP_AEAD_AES_256_GCM = 8,
} rt_srtp_profile;

/* Room behind a packet for tag and SRTCP index. */
#define RT_SRTP_TRAILER 32
#define RT_SRTP_KEYS_MAX (32 + 14)

typedef struct rt_srtp rt_srtp;

/* Bytes of master key and of salt; 0: unknown profile. */
size_t rt_srtp_key_size(rt_srtp_profile profile);
size_t rt_srtp_salt_size(rt_srtp_profile profile);
/* Bytes to export from DTLS under "EXTRACTOR-dtls_srtp": client key, server key, client salt, server salt. */
static inline size_t rt_srtp_material_size(rt_srtp_profile profile)
{
    return 2 * (rt_srtp_key_size(profile) + rt_srtp_salt_size(profile));
}
/* Key and salt of one side out of that, in libsrtp's order. `out` has RT_SRTP_KEYS_MAX; returns the size. */
size_t rt_srtp_split(rt_srtp_profile profile, rt_span material, bool client, uint8_t *out);

typedef struct rt_srtp_config {
    const rt_srtp_library *library; /* must outlive the session */
    rt_srtp_profile profile;
    rt_span keys;         /* master key and salt, one after the other */
    bool outbound;        /* protects; else unprotects */
    uint32_t window;      /* replay window in packets, 64 to 32,767; moving a wide one costs as much as a tenth of the
                             cipher. 0, the default: 1,024 inbound, 128 outbound */
    uint32_t max_streams; /* default 512 */
    bool repeats;         /* outbound: the same packet may be protected again (retransmission in place) */
} rt_srtp_config;

void rt_srtp_config_default(rt_srtp_config *config);
/* RT_INVALID: keys of the wrong size; RT_UNSUPPORTED: no such profile in this library. */
rt_status rt_srtp_new(const rt_srtp_config *config, rt_srtp **out);
void rt_srtp_free(rt_srtp *session);

/* In place: `capacity` of the memory at `packet` must leave RT_SRTP_TRAILER behind `*size`. RT_MALFORMED: no RTP
 * (RTCP) packet; RT_TOO_LARGE: no room; RT_CLOSED: the key has protected as many packets as it may (2^48 SRTP per
 * stream, 2^31 SRTCP), or the stream was removed; RT_AGAIN: too many streams. */
rt_status rt_srtp_protect(rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity);
rt_status rt_srtp_protect_rtcp(rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity);
/* RT_UNAUTHENTICATED, RT_REPLAYED (seen before, or older than the window), RT_MALFORMED. */
rt_status rt_srtp_unprotect(rt_srtp *session, uint8_t *packet, size_t *size);
rt_status rt_srtp_unprotect_rtcp(rt_srtp *session, uint8_t *packet, size_t *size);

/* What the next packet of one of the two streams used last takes, but for the library's own; three steps
 * (base/prefetch.h). */
void rt_srtp_prefetch(const rt_srtp *session, int step);

/* Many packets, each with its own status. */
typedef struct rt_srtp_item {
    uint8_t *data;
    size_t size, capacity;
    rt_status status;
    bool old; /* with RT_REPLAYED: older than the window, rather than seen */
} rt_srtp_item;
/* Returns how many went well. RTP and RTCP may be mixed (RFC 5761). */
size_t rt_srtp_protect_batch(rt_srtp *session, rt_srtp_item *items, size_t count);
size_t rt_srtp_unprotect_batch(rt_srtp *session, rt_srtp_item *items, size_t count);

/* Streams need not be added: packets do that. One that is may differ from the session's others: outbound, `repeats`
 * lets its packets be protected again for as long as they are within `window` (0: the session's). */
rt_status rt_srtp_add_stream(rt_srtp *session, uint32_t ssrc, uint32_t window, bool repeats); /* RT_EXISTS, RT_AGAIN */
rt_status rt_srtp_remove_stream(rt_srtp *session, uint32_t ssrc);                             /* RT_NOT_FOUND */
/* The roll-over counter of a stream (RFC 3711 section 3.3.1), of its highest packet. RT_NOT_FOUND. */
rt_status rt_srtp_rollover(const rt_srtp *session, uint32_t ssrc, uint32_t *out);

typedef struct rt_srtp_stats {
    uint64_t packets, unauthenticated, replayed, old, malformed, evicted;
    uint32_t streams;
} rt_srtp_stats;
void rt_srtp_get_stats(const rt_srtp *session, rt_srtp_stats *out);

#endif
