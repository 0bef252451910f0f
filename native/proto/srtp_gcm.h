/* AES-GCM for the RTP of one session that leaves (RFC 7714), on OpenSSL's cipher directly.
 *
 *   nonce     00 00 | SSRC (32) | roll-over counter (32) | sequence (16), the session's salt added (section 8.1)
 *   covered   header, CSRCs and extensions in clear (section 9.2), then the payload, encrypted
 *   packet    | header ... | payload, as long as it was ... | tag (16) |
 *
 * What libsrtp's srtp_protect() makes, bit for bit, in half of its time: it looks its stream up, moves a window, sets
 * the cipher up through four layers, and keeps a cipher per stream, whose memory is not in the cache when a server's
 * peers are visited in turn. Here all streams of a session share one: their keys are the same (RFC 3711 section 4.3).
 * The cipher is that of the OpenSSL which libsrtp itself calls.
 */
#ifndef RT_PROTO_SRTP_GCM_H
#define RT_PROTO_SRTP_GCM_H

#include "base/span.h"
#include "base/status.h"
#include "proto/srtp_library.h"

#define RT_SRTP_GCM_TAG 16

typedef struct rt_srtp_gcm rt_srtp_gcm;

/* Derives the session's key and salt from the master's, `keys`. NULL: there is no such cipher, or no memory. */
rt_srtp_gcm *rt_srtp_gcm_new(const rt_srtp_cipher *library, rt_span keys);
void rt_srtp_gcm_free(rt_srtp_gcm *gcm);
/* What sealing takes, as far as it is known here; two steps (base/prefetch.h). */
void rt_srtp_gcm_prefetch(const rt_srtp_gcm *gcm, int step);
/* In place, the tag behind: `size` grows by it. `index`: roll-over counter and sequence number; that no two packets of
 * an SSRC have the same one is the caller's part. RT_MALFORMED: no RTP header; the packet is as it was. */
rt_status rt_srtp_gcm_seal(rt_srtp_gcm *gcm, uint8_t *packet, size_t *size, uint64_t index);

#endif
