/* What the files of proto/dtls share.
 *
 *   dtls.c              the machine: states, events, timers, what happens to each record
 *   dtls_handshake.c    OpenSSL: a handshake fed with records, whose messages we carry
 *   dtls_flight.c       the messages of our last flight: cut into records and datagrams, sent again
 *   dtls_record.c       keys, sealing, opening, replay window
 *   dtls_certificate.c  rt_certificate
 *   dtls_library.c      OpenSSL with the algorithms that we need, and no more
 *
 * OpenSSL only ever sees the handshake. Its writes go nowhere: each message that it makes is taken where
 * OpenSSL announces it (the message callback), in the clear, and leaves in records of ours. So a flight is
 * sent again whenever our clock says so, under fresh record numbers, also its encrypted end, and there is
 * one sequence of record numbers per epoch from the first Finished to the last alert. When OpenSSL says
 * that the handshake is complete we take the master secret and free OpenSSL's connection with its buffers.
 */
#ifndef RT_PROTO_DTLS_INTERNAL_H
#define RT_PROTO_DTLS_INTERNAL_H

#include "proto/dtls.h"

#include <openssl/ssl.h>

#define DTLS_1_0 0xfeff
#define DTLS_1_2 0xfefd

enum { /* RFC 5246 section 6.2.1 */
       CONTENT_CHANGE_CIPHER_SPEC = 20,
       CONTENT_ALERT = 21,
       CONTENT_HANDSHAKE = 22,
       CONTENT_APPLICATION = 23,
};

enum { ALERT_WARNING = 1, ALERT_FATAL = 2 };
enum { ALERT_CLOSE_NOTIFY = 0, ALERT_BAD_CERTIFICATE = 42 };
enum { HANDSHAKE_CLIENT_HELLO = 1, HANDSHAKE_FINISHED = 20 };

/* A record (RFC 6347 section 4.1), in epoch 1 with the explicit nonce and tag of RFC 5288:
 *
 *    0       1           3           5                       11          13
 *   +-------+-----------+-----------+-----------------------+-----------+---------------+---------+-----+
 *   | type  |  version  |   epoch   |     sequence (48)     |  length   | [nonce (64)]  | payload |[tag]|
 *   +-------+-----------+-----------+-----------------------+-----------+---------------+---------+-----+
 */
#define RECORD_HEADER 13
#define RECORD_NONCE RT_GCM_NUMBER
#define RECORD_SEALED (RECORD_NONCE + RT_GCM_TAG) /* what encryption adds */
#define RECORD_MAX 16384                          /* plaintext, RFC 5246 section 6.2.1 */
#define SEQUENCE_MAX ((UINT64_C(1) << 48) - 1)
#define HANDSHAKE_HEADER 12
#define MASTER_SECRET 48
#define HELLO_RANDOM 32

/* Which record numbers came already (RFC 6347 section 4.1.2.6), as a ring of blocks (RFC 6479): the
 * numbers up to WINDOW_SIZE below the highest are told apart. */
#define WINDOW_BLOCKS 8
#define WINDOW_SIZE ((WINDOW_BLOCKS - 1) * 64)

typedef struct rt_dtls_window {
    uint64_t top; /* highest number seen + 1 */
    uint64_t blocks[WINDOW_BLOCKS];
} rt_dtls_window;

/* The messages of the flight sent last, each as {type, epoch, size}, bytes. */
typedef struct rt_dtls_flight {
    uint8_t *data;
    size_t size, capacity;
    size_t at;     /* next message to be sent; `size` when all are */
    size_t offset; /* bytes of its body that left in fragments */
} rt_dtls_flight;

#define FINGERPRINTS_MAX 8

/* What a handshake needs and an open connection does not. */
typedef struct rt_dtls_handshake {
    SSL *ssl; /* NULL when OpenSSL is done and only the fingerprint is missing */
    BIO *input;
    uint16_t next_message; /* message number that OpenSSL has not used yet */
    uint8_t write_epoch;   /* 1 after our ChangeCipherSpec */
    bool renewed;          /* OpenSSL has begun a new flight in this call */
    bool no_memory;
    bool mismatch;          /* a late fingerprint did not match: fails with the next drain */
    int16_t received_alert; /* -1: none */
    rt_time timeout, retransmit_at, give_up_at;
    unsigned timeouts; /* in all: a path that loses much may be one that loses large datagrams */
    struct {
        rt_hash hash;
        uint8_t digest[RT_HASH_MAX];
    } fingerprints[FINGERPRINTS_MAX];
    size_t fingerprint_count;
} rt_dtls_handshake;

#define EVENTS_MAX 4 /* CONNECTING, CONNECTED, FAILED, CLOSED: each once at the most */

struct rt_dtls {
    rt_certificate *certificate;
    rt_dtls_config config;
    rt_dtls_state state;
    rt_dtls_handshake *handshake; /* NULL before the start and when it is over */
    rt_dtls_flight flight;
    uint8_t alert[2]; /* to be sent; level 0: none */
    uint8_t alert_epoch;
    uint8_t alert_copies; /* to follow the first one */

    /* Records */
    rt_gcm *sealer, *opener;
    uint64_t sequence[2]; /* next record number per epoch */
    rt_dtls_window window;
    uint8_t *at, *end; /* application records of the last datagram not read yet */
    uint8_t *held;     /* records that came before the connection opened */
    size_t held_size, held_at;

    /* The session */
    uint8_t master[MASTER_SECRET];
    uint8_t client_random[HELLO_RANDOM], server_random[HELLO_RANDOM];
    const char *hash; /* of the PRF */
    const char *cipher;
    const char *group;
    uint16_t srtp_profile;
    uint8_t *remote_der;
    size_t remote_der_size;

    uint8_t event_first, event_count;
    rt_dtls_state events[EVENTS_MAX];
    char *reason; /* why it closed or failed */
    rt_dtls_stats stats;
};

/* dtls_certificate.c */
/* A new connection that has this certificate; NULL when OpenSSL fails. */
SSL *rt_certificate_ssl(const rt_certificate *certificate);

/* dtls_library.c */
/* Shared by certificates, each of which holds a reference as long as it, or a key of it in OpenSSL, is there. */
typedef struct rt_dtls_library rt_dtls_library;
rt_dtls_library *rt_dtls_library_new(void); /* NULL when OpenSSL fails */
rt_dtls_library *rt_dtls_library_ref(rt_dtls_library *library);
void rt_dtls_library_free(rt_dtls_library *library);
SSL *rt_dtls_library_ssl(const rt_dtls_library *library);

/* dtls_handshake.c */
/* What all connections have in common, whatever their certificate. */
SSL_CTX *rt_dtls_context_new(OSSL_LIB_CTX *openssl);
rt_status rt_dtls_handshake_new(rt_dtls *dtls, rt_time now);
void rt_dtls_handshake_free(rt_dtls *dtls);
/* Frees OpenSSL's part. */
void rt_dtls_handshake_end(rt_dtls *dtls);
/* One record, or nothing to begin. Afterwards the handshake may be complete (ssl is NULL, the session is
 * there) or have failed. */
rt_status rt_dtls_handshake_feed(rt_dtls *dtls, rt_span record);
/* Whether the peer's certificate has one of the fingerprints. */
bool rt_dtls_fingerprint_matches(const rt_dtls *dtls, rt_span der);

/* dtls_flight.c */
bool rt_dtls_flight_append(rt_dtls_flight *flight, uint8_t type, uint8_t epoch, rt_span message);
void rt_dtls_flight_clear(rt_dtls_flight *flight);
void rt_dtls_flight_rewind(rt_dtls_flight *flight);
static inline bool rt_dtls_flight_waits(const rt_dtls_flight *flight)
{
    return flight->at < flight->size;
}
/* Datagrams of up to `mtu` bytes; stops when the batch is full. */
size_t rt_dtls_flight_transmit(rt_dtls *dtls, size_t mtu, rt_batch *out);

/* dtls_record.c */
rt_status rt_dtls_prf(const rt_dtls *dtls, rt_span label, bool client_first, rt_buffer out);
/* Both directions of epoch 1 from the session. */
rt_status rt_dtls_derive_keys(rt_dtls *dtls, size_t key_size);
static inline size_t rt_dtls_record_overhead(unsigned epoch)
{
    return epoch ? RECORD_HEADER + RECORD_SEALED : RECORD_HEADER;
}
/* Makes a record of a payload that stands RECORD_HEADER, in epoch 1 RT_DTLS_HEADROOM, behind `record`. */
rt_status rt_dtls_record_seal(rt_dtls *dtls, uint8_t *record, uint8_t type, uint16_t version, unsigned epoch,
                              size_t size);
/* A record of epoch 1, `size` bytes behind its header. The payload is then between nonce and tag. */
rt_status rt_dtls_record_open(rt_dtls *dtls, uint8_t *record, size_t size);
bool rt_dtls_window_fresh(const rt_dtls_window *window, uint64_t sequence);
void rt_dtls_window_mark(rt_dtls_window *window, uint64_t sequence);

/* dtls.c */
/* FAILED, with a fatal alert of ours unless `alert` is negative. */
void rt_dtls_fail(rt_dtls *dtls, int alert, const char *format, ...) __attribute__((format(printf, 3, 4)));
void rt_dtls_fail_fingerprint(rt_dtls *dtls, int alert);

#endif
