/* A library of SRTP functions for tests of what stands above it: payloads stay readable, a tag over all bytes shows who
 * wrote them, with which key. Not a secret among them, but what is changed, foreign or made up is refused, and sizes
 * are those of AES-GCM: 16 bytes behind RTP, 20 behind RTCP.
 */
#ifndef RT_TESTS_SRTP_FAKE_H
#define RT_TESTS_SRTP_FAKE_H

#include "proto/srtp.h"

const rt_srtp_library *srtp_fake(void);

/* Material as DTLS would export it, the same for both ends. Returns rt_srtp_material_size(). */
#define SRTP_FAKE_PROFILE RT_SRTP_AEAD_AES_128_GCM
size_t srtp_fake_material(uint8_t out[4 * RT_SRTP_KEYS_MAX]);

#endif
