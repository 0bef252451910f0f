/* The few primitives that several protocols share, on OpenSSL 3: HMAC with keyed contexts, hashes,
 * AES-GCM records, the operating system's randomness.
 *
 * A context is keyed once and used for every packet (keying costs more than a short packet's MAC).
 * One thread at a time per context. Only this file and proto/dtls see OpenSSL's headers.
 */
#ifndef RT_BASE_CRYPTO_H
#define RT_BASE_CRYPTO_H

#include "base/random.h"
#include "base/span.h"
#include "base/status.h"

typedef enum rt_hash { RT_MD5, RT_SHA1, RT_SHA256, RT_SHA384, RT_SHA512 } rt_hash;

#define RT_HASH_MAX 64

size_t rt_hash_size(rt_hash hash);
/* Writes rt_hash_size() bytes. */
rt_status rt_hash_digest(rt_hash hash, rt_span data, uint8_t out[RT_HASH_MAX]);

typedef struct rt_hmac rt_hmac;

rt_hmac *rt_hmac_new(rt_hash hash, rt_span key); /* NULL when there is no memory */
void rt_hmac_free(rt_hmac *hmac);
/* MAC over the parts one after the other; writes rt_hash_size() bytes. */
rt_status rt_hmac_sign(rt_hmac *hmac, const rt_span *parts, size_t count, uint8_t out[RT_HASH_MAX]);

/* AES-GCM for records of (D)TLS 1.2 (RFC 5288), in place. The key is 16 or 32 bytes.
 *
 *    0              8
 *   +--------------+---------------------- ... ----+------------+
 *   | number (64)  |           text (size)         | tag (128)  |
 *   +--------------+---------------------- ... ----+------------+
 *
 * The nonce is `salt` and the number, which a sealer writes itself and counts up: none is used twice. `head` is
 * what the tag covers beside the text (RFC 5246 section 6.2.3.3) up to the size, which is put behind it.
 */
typedef struct rt_gcm rt_gcm;

#define RT_GCM_SALT 4
#define RT_GCM_NUMBER 8
#define RT_GCM_TAG 16
#define RT_GCM_HEAD 11 /* sequence number, type, version */

rt_gcm *rt_gcm_sealer_new(rt_span key, const uint8_t salt[RT_GCM_SALT], uint64_t first_number);
rt_gcm *rt_gcm_opener_new(rt_span key, const uint8_t salt[RT_GCM_SALT]);
void rt_gcm_free(rt_gcm *gcm);
/* The text stands behind the room for the number, and before that for the tag. */
rt_status rt_gcm_seal(rt_gcm *gcm, const uint8_t head[RT_GCM_HEAD], uint8_t *record, size_t size);
/* `size` is that of the text alone. RT_UNAUTHENTICATED leaves the text undefined. */
rt_status rt_gcm_open(rt_gcm *gcm, const uint8_t head[RT_GCM_HEAD], uint8_t *record, size_t size);

/* Compares in constant time. */
bool rt_equal_secret(const void *a, const void *b, size_t size);
/* Zeroes memory in a way that the compiler keeps. */
void rt_wipe(void *data, size_t size);
/* 32 bytes from OpenSSL's generator, to seed an rt_random. */
rt_status rt_seed(uint8_t seed[RT_RANDOM_SEED]);

#endif
