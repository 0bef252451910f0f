#include "srtp_fake.h"

#include <stdlib.h>

enum { TAG = 16, INDEX = 4 };

typedef struct session {
    uint64_t key;
} session;

static uint64_t mix(uint64_t hash, const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8)
        hash = (hash ^ rt_load64(data)) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001B3u;
    return hash ^ hash >> 32;
}

static int profile(rt_libsrtp_crypto *policy, int number)
{
    (void)number;
    *policy = (rt_libsrtp_crypto){.cipher_key_len = 28, .auth_tag_len = TAG};
    return RT_LIBSRTP_OK;
}

static int create(rt_libsrtp_session *out, const rt_libsrtp_policy *policy)
{
    session *s = malloc(sizeof *s);
    if (!s)
        return RT_LIBSRTP_ALLOC_FAIL;
    s->key = mix(1, policy->key, (size_t)policy->rtp.cipher_key_len);
    *out = s;
    return RT_LIBSRTP_OK;
}

static int dealloc(rt_libsrtp_session session)
{
    free(session);
    return RT_LIBSRTP_OK;
}

static int add_stream(rt_libsrtp_session session, const rt_libsrtp_policy *policy)
{
    (void)session;
    (void)policy;
    return RT_LIBSRTP_OK;
}

static int remove_stream(rt_libsrtp_session session, uint32_t ssrc)
{
    (void)session;
    (void)ssrc;
    return RT_LIBSRTP_OK;
}

static void write_tag(const session *s, const uint8_t *data, size_t size, uint8_t *tag)
{
    uint64_t hash = mix(s->key, data, size);
    rt_store64(tag, hash);
    rt_store64(tag + 8, ~hash);
}

static int append(rt_libsrtp_session opaque, uint8_t *packet, int *size, int extra)
{
    memset(packet + *size, 0, (size_t)extra);
    *size += extra;
    write_tag(opaque, packet, (size_t)*size, packet + *size);
    *size += TAG;
    return RT_LIBSRTP_OK;
}

static int check(rt_libsrtp_session opaque, const uint8_t *packet, int *size, int extra, int header)
{
    uint8_t tag[TAG];
    if (*size < header + extra + TAG)
        return RT_LIBSRTP_PARSE;
    *size -= TAG;
    write_tag(opaque, packet, (size_t)*size, tag);
    if (memcmp(tag, packet + *size, TAG) != 0)
        return RT_LIBSRTP_AUTH_FAIL;
    *size -= extra;
    return RT_LIBSRTP_OK;
}

static int protect(rt_libsrtp_session session, void *packet, int *size)
{
    return append(session, packet, size, 0);
}

static int unprotect(rt_libsrtp_session session, void *packet, int *size)
{
    return check(session, packet, size, 0, 12);
}

static int protect_rtcp(rt_libsrtp_session session, void *packet, int *size)
{
    return append(session, packet, size, INDEX);
}

static int unprotect_rtcp(rt_libsrtp_session session, void *packet, int *size)
{
    return check(session, packet, size, INDEX, 8);
}

const rt_srtp_library *srtp_fake(void)
{
    static const rt_srtp_library library = {
        .rtp_profile = profile,
        .rtcp_profile = profile,
        .create = create,
        .dealloc = dealloc,
        .add_stream = add_stream,
        .remove_stream = remove_stream,
        .protect = protect,
        .unprotect = unprotect,
        .protect_rtcp = protect_rtcp,
        .unprotect_rtcp = unprotect_rtcp,
    };
    return &library;
}

size_t srtp_fake_material(uint8_t out[4 * RT_SRTP_KEYS_MAX])
{
    size_t size = rt_srtp_material_size(SRTP_FAKE_PROFILE);
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(i * 7 + 1);
    return size;
}
