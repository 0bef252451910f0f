/* DTLS 1.2 (RFC 6347) for WebRTC (RFC 8827, 5763, 5764): handshake by OpenSSL, records by us.
 *
 * OpenSSL does the handshake over memory, with retransmission timers from our clock and flights cut to
 * the MTU. When it is done, both AES-GCM keys are derived from the master secret, and application records
 * are sealed and opened in place, in the batch's slot or the datagram's memory, with no copy between.
 * Alerts are ours too, so that one sequence number space is used per direction.
 * Suites: ECDHE with AES-128-GCM or AES-256-GCM, X25519 or P-256. Certificates: ECDSA P-256 of our own
 * making, or the caller's. Nothing is delivered upwards before the peer's certificate matched one of the
 * given fingerprints.
 * One thread at a time per connection; a certificate may be shared between threads.
 */
#ifndef RT_PROTO_DTLS_H
#define RT_PROTO_DTLS_H

#include "base/batch.h"
#include "base/crypto.h"
#include "base/span.h"
#include "base/status.h"
#include "base/time.h"
#include "proto/srtp.h"

typedef struct rt_certificate rt_certificate; /* reference counted, with its private key */

/* A self-signed ECDSA P-256 certificate. `valid` counts from `wall` (seconds since 1970), which the
 * caller reads; `random` is OpenSSL's. NULL when OpenSSL fails. */
rt_certificate *rt_certificate_generate(int64_t wall_seconds, int64_t valid_seconds);
/* The same, with the OpenSSL context of another certificate, which may be in use by any thread: takes
 * 0.1 ms and 5 KiB instead of 0.3 ms and 20 KiB. For programs that make a certificate per connection. */
rt_certificate *rt_certificate_generate_beside(const rt_certificate *other, int64_t wall_seconds,
                                               int64_t valid_seconds);
/* PEM texts; RT_MALFORMED, RT_UNSUPPORTED (kind of key), RT_INVALID (key does not match). */
rt_status rt_certificate_load(rt_span certificate_pem, rt_span key_pem, rt_certificate **out);
rt_certificate *rt_certificate_ref(rt_certificate *certificate);
void rt_certificate_free(rt_certificate *certificate);
rt_status rt_certificate_fingerprint(const rt_certificate *certificate, rt_hash hash, uint8_t out[RT_HASH_MAX]);
/* Borrowed for the certificate's life. */
rt_span rt_certificate_der(const rt_certificate *certificate);
int64_t rt_certificate_expires(const rt_certificate *certificate); /* seconds since 1970 */
/* Writes PEM; returns the size needed, writes only if it fits. */
size_t rt_certificate_write_pem(const rt_certificate *certificate, bool key, rt_buffer out);

typedef enum rt_dtls_role { RT_DTLS_CLIENT, RT_DTLS_SERVER } rt_dtls_role;

typedef enum rt_dtls_state { /* W3C RTCDtlsTransportState */
                             RT_DTLS_NEW,
                             RT_DTLS_CONNECTING,
                             RT_DTLS_CONNECTED,
                             RT_DTLS_CLOSED,
                             RT_DTLS_FAILED,
} rt_dtls_state;

typedef struct rt_dtls_config {
    rt_certificate *certificate; /* a reference is taken */
    rt_dtls_role role;
    uint16_t mtu;              /* largest datagram of the handshake, default 1200 */
    uint16_t srtp_profiles[4]; /* rt_srtp_profile, in order of preference, 0 ends; none: no use_srtp extension */
    rt_time first_timeout;     /* default 400 ms; doubles up to */
    rt_time last_timeout;      /* default 8 s */
    rt_time give_up_after;     /* handshake not complete: FAILED, default 30 s */
} rt_dtls_config;

void rt_dtls_config_default(rt_dtls_config *config);

typedef struct rt_dtls rt_dtls;

rt_dtls *rt_dtls_new(const rt_dtls_config *config); /* NULL when OpenSSL or memory fails */
void rt_dtls_free(rt_dtls *dtls);

/* One of the peer's a=fingerprint values, SHA-256 or longer (else RT_UNSUPPORTED). Up to 8 may be added; one
 * must match. May come while the handshake runs, or after its end: the connection does not open before, and
 * fails with the next drain if none of those added matches. When it opens here, rt_dtls_read() has what was
 * held back. After CONNECTED: RT_UNAUTHENTICATED if it is another one than the peer's. */
rt_status rt_dtls_add_fingerprint(rt_dtls *dtls, rt_hash hash, rt_span digest, rt_time now);
/* A client sends its first flight. RT_INVALID for an unknown SRTP profile. A server may also be started by
 * its first datagram. */
rt_status rt_dtls_start(rt_dtls *dtls, rt_time now);

/* One datagram (first byte 20..63), decrypted in place. Application records are then read one by one. The
 * status is the last one that was not RT_OK, of any record; the others are delivered nevertheless. */
rt_status rt_dtls_receive(rt_dtls *dtls, rt_buffer datagram, rt_time now);
/* The next application record of the last datagram, borrowed from its memory until the next call; false
 * when there is none. Up to 8 KiB of records that come before the connection is open are kept for it. */
bool rt_dtls_read(rt_dtls *dtls, rt_span *out);

/* Around a plaintext in a batch: header and explicit nonce before it, tag behind it. */
#define RT_DTLS_HEADROOM 21
#define RT_DTLS_TAILROOM 16
#define RT_DTLS_OVERHEAD (RT_DTLS_HEADROOM + RT_DTLS_TAILROOM)

/* Turns a committed packet of plaintext into one application record, in place: `data` moves back by the
 * headroom, `size` grows by the overhead. RT_UNEXPECTED unless connected. */
rt_status rt_dtls_seal(rt_dtls *dtls, rt_packet *packet);

size_t rt_dtls_transmit(rt_dtls *dtls, rt_batch *out, rt_time now); /* handshake flights and alerts */
rt_time rt_dtls_deadline(const rt_dtls *dtls);
void rt_dtls_expire(rt_dtls *dtls, rt_time now);

/* close_notify is queued, three times, since nothing repeats it if it is lost; CLOSED at once. Idempotent. */
void rt_dtls_close(rt_dtls *dtls, rt_time now);

rt_dtls_state rt_dtls_get_state(const rt_dtls *dtls);

typedef enum rt_dtls_event_type { RT_DTLS_EVENT_STATE } rt_dtls_event_type;

typedef struct rt_dtls_event {
    rt_dtls_event_type type;
    rt_dtls_state state;
    char text[128]; /* FAILED: why ("the certificate's sha-256 fingerprint does not match", an alert, ...) */
} rt_dtls_event;

bool rt_dtls_event_next(rt_dtls *dtls, rt_dtls_event *out);
/* What a drain of a connection with nothing to do reads (base/prefetch.h). */
void rt_dtls_prefetch(const rt_dtls *dtls);

/* After CONNECTED. Keying material (RFC 5705) with a label and no context. */
rt_status rt_dtls_export(rt_dtls *dtls, rt_span label, rt_buffer out);
uint16_t rt_dtls_srtp_profile(const rt_dtls *dtls); /* 0 if none was agreed */
const char *rt_dtls_cipher(const rt_dtls *dtls);    /* IANA name, "" before */
const char *rt_dtls_group(const rt_dtls *dtls);     /* "X25519", "P-256", "" if unknown */
rt_span rt_dtls_remote_der(const rt_dtls *dtls);    /* the peer's certificate, empty before; borrowed */
rt_dtls_role rt_dtls_get_role(const rt_dtls *dtls);

typedef struct rt_dtls_stats {
    uint64_t records_sent, records_received, bytes_sent, bytes_received; /* application data, plaintext */
    uint64_t malformed, unauthenticated, replayed, unexpected;           /* records dropped, by reason */
    uint64_t flights_retransmitted;
} rt_dtls_stats;

void rt_dtls_get_stats(const rt_dtls *dtls, rt_dtls_stats *out);

#endif
