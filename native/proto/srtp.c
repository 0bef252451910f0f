#include "proto/srtp.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/map.h"
#include "base/prefetch.h"
#include "base/seq.h"
#include "proto/srtp_gcm.h"
#include "proto/srtp_index.h"
#include "wire/rtp.h"

enum { RTCP_HEADER = 8, STREAMS = 512 };
enum { WINDOW_MIN = 64, WINDOW_MAX = 32767, WINDOW_INBOUND = 1024, WINDOW_OUTBOUND = 128 };

/* Beside the library's own stream: what it does not tell. */
typedef struct stream {
    uint64_t used; /* the session's packet count then */
    rt_srtp_index index;
    uint32_t ssrc;
    bool removed; /* outbound: never again */
    uint64_t sent[];
} stream;

struct rt_srtp {
    const rt_srtp_library *library;
    rt_libsrtp_session session;
    rt_srtp_gcm *gcm;         /* of RTP that leaves under AES-GCM; NULL: that is libsrtp's, as is all else */
    rt_libsrtp_policy policy; /* of an added stream; the key points to `keys` */
    bool outbound;
    uint32_t max_streams;
    rt_map streams;        /* SSRC -> stream */
    stream *last, *before; /* those used last: packets come in runs, of one stream and another */
    rt_srtp_stats stats;
    uint64_t clock;
    uint8_t keys[RT_SRTP_KEYS_MAX];
};

/* ---- profiles and keys ---- */

typedef struct profile_sizes {
    rt_srtp_profile profile;
    uint8_t key, salt;
} profile_sizes;

static const profile_sizes profiles[] = {
    {RT_SRTP_AES128_CM_SHA1_80, 16, 14},
    {RT_SRTP_AES128_CM_SHA1_32, 16, 14},
    {RT_SRTP_AEAD_AES_128_GCM, 16, 12},
    {RT_SRTP_AEAD_AES_256_GCM, 32, 12},
};

static const profile_sizes *find_profile(rt_srtp_profile profile)
{
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        if (profiles[i].profile == profile)
            return &profiles[i];
    }
    return NULL;
}

size_t rt_srtp_key_size(rt_srtp_profile profile)
{
    const profile_sizes *found = find_profile(profile);
    return found ? found->key : 0;
}

size_t rt_srtp_salt_size(rt_srtp_profile profile)
{
    const profile_sizes *found = find_profile(profile);
    return found ? found->salt : 0;
}

size_t rt_srtp_split(rt_srtp_profile profile, rt_span material, bool client, uint8_t *out)
{
    size_t key = rt_srtp_key_size(profile), salt = rt_srtp_salt_size(profile);
    if (key == 0 || material.size != 2 * (key + salt))
        return 0;
    memcpy(out, material.data + (client ? 0 : key), key);
    memcpy(out + key, material.data + 2 * key + (client ? 0 : salt), salt);
    return key + salt;
}

/* ---- life ---- */

void rt_srtp_config_default(rt_srtp_config *config)
{
    *config = (rt_srtp_config){.max_streams = STREAMS};
}

static bool is_window(uint32_t window)
{
    return window == 0 || (window >= WINDOW_MIN && window <= WINDOW_MAX);
}

static bool is_gcm(rt_srtp_profile profile)
{
    return profile == RT_SRTP_AEAD_AES_128_GCM || profile == RT_SRTP_AEAD_AES_256_GCM;
}

rt_status rt_srtp_new(const rt_srtp_config *config, rt_srtp **out)
{
    const profile_sizes *sizes = find_profile(config->profile);
    if (!sizes)
        return RT_UNSUPPORTED;
    if (config->keys.size != (size_t)sizes->key + sizes->salt || config->max_streams == 0 || !is_window(config->window))
        return RT_INVALID;
    rt_srtp *session = calloc(1, sizeof *session);
    if (!session)
        return RT_NO_MEMORY;
    session->library = config->library;
    session->outbound = config->outbound;
    session->max_streams = config->max_streams;
    memcpy(session->keys, config->keys.data, config->keys.size);
    rt_map_init(&session->streams, rt_hash_bytes(0, config->keys)); /* SSRCs are the other end's choice */
    rt_libsrtp_policy *policy = &session->policy;
    policy->ssrc_type = config->outbound ? RT_LIBSRTP_ANY_OUTBOUND : RT_LIBSRTP_ANY_INBOUND;
    policy->key = session->keys;
    unsigned long usual = config->outbound ? WINDOW_OUTBOUND : WINDOW_INBOUND;
    policy->window_size = config->window ? config->window : usual;
    policy->allow_repeat_tx = config->repeats;
    if (session->library->rtp_profile(&policy->rtp, (int)config->profile) != RT_LIBSRTP_OK ||
        session->library->rtcp_profile(&policy->rtcp, (int)config->profile) != RT_LIBSRTP_OK ||
        session->library->create(&session->session, policy) != RT_LIBSRTP_OK) {
        session->session = NULL;
        rt_srtp_free(session);
        return RT_UNSUPPORTED;
    }
    policy->ssrc_type = RT_LIBSRTP_SPECIFIC;
    if (config->outbound && is_gcm(config->profile))
        session->gcm = rt_srtp_gcm_new(&session->library->cipher, config->keys);
    *out = session;
    return RT_OK;
}

void rt_srtp_free(rt_srtp *session)
{
    if (!session)
        return;
    if (session->session)
        session->library->dealloc(session->session);
    rt_srtp_gcm_free(session->gcm);
    size_t at = 0;
    stream *found;
    while ((found = rt_map_next(&session->streams, &at, NULL)))
        free(found);
    rt_map_free(&session->streams);
    rt_wipe(session->keys, sizeof session->keys);
    free(session);
}

/* ---- streams ---- */

static stream *find_stream(rt_srtp *session, uint32_t ssrc)
{
    if (session->last && session->last->ssrc == ssrc)
        return session->last;
    if (session->before && session->before->ssrc == ssrc)
        return session->before;
    return rt_map_get(&session->streams, ssrc);
}

/* The library compares the four bytes as they lie in the packet. */
static int library_remove(rt_srtp *session, uint32_t ssrc)
{
    uint8_t bytes[4];
    uint32_t as_memory;
    rt_store32(bytes, ssrc);
    memcpy(&as_memory, bytes, sizeof as_memory);
    return session->library->remove_stream(session->session, as_memory);
}

static void forget_stream(rt_srtp *session, stream *old)
{
    (void)library_remove(session, old->ssrc); /* not there: it had RTCP of another SSRC only */
    rt_map_remove(&session->streams, old->ssrc);
    if (session->last == old)
        session->last = NULL;
    if (session->before == old)
        session->before = NULL;
    free(old);
    session->stats.streams--;
}

static void evict_stream(rt_srtp *session)
{
    stream *oldest = NULL, *each;
    size_t at = 0;
    while ((each = rt_map_next(&session->streams, &at, NULL))) {
        if (!oldest || each->used < oldest->used)
            oldest = each;
    }
    assert(oldest);
    forget_stream(session, oldest);
    session->stats.evicted++;
}

static stream *new_stream(rt_srtp *session, uint32_t ssrc, uint32_t window, bool repeats)
{
    size_t words = session->gcm && !repeats ? rt_srtp_index_words(window) : 0;
    stream *added = calloc(1, sizeof *added + words * sizeof *added->sent);
    if (!added)
        return NULL;
    added->ssrc = ssrc;
    added->index = (rt_srtp_index){.sent = added->sent, .window = window, .repeats = repeats};
    if (rt_map_put(&session->streams, ssrc, added) != RT_OK) {
        free(added);
        return NULL;
    }
    session->stats.streams++;
    return added;
}

/* Before a packet of ours: the stream is ours for good from here on. */
static rt_status outbound_stream(rt_srtp *session, uint32_t ssrc, stream **out)
{
    *out = find_stream(session, ssrc);
    if (*out)
        return (*out)->removed ? RT_CLOSED : RT_OK;
    if (session->stats.streams >= session->max_streams)
        return RT_AGAIN;
    *out = new_stream(session, ssrc, (uint32_t)session->policy.window_size, session->policy.allow_repeat_tx);
    return *out ? RT_OK : RT_NO_MEMORY;
}

/* After an authentic packet: the library has a stream for it now, so we have one, too. */
static stream *inbound_stream(rt_srtp *session, uint32_t ssrc)
{
    stream *found = find_stream(session, ssrc);
    if (found)
        return found;
    if (session->stats.streams >= session->max_streams)
        evict_stream(session);
    found = new_stream(session, ssrc, 0, false);
    if (!found)
        (void)library_remove(session, ssrc); /* no memory: not one that nobody bounds */
    return found;
}

/* Both ends of a stream count roll-overs in the same way (RFC 3711 section 3.3.1). */
static void note_packet(rt_srtp *session, stream *used, uint16_t sequence, bool no_index)
{
    used->used = ++session->clock;
    if (session->last != used)
        session->before = session->last;
    session->last = used;
    if (no_index)
        return;
    rt_srtp_index *indices = &used->index;
    uint64_t index = indices->started ? rt_seq16_unwrap(indices->highest, sequence) : sequence;
    if (!indices->started || (int64_t)index > (int64_t)indices->highest)
        indices->highest = index;
    indices->started = true;
}

rt_status rt_srtp_add_stream(rt_srtp *session, uint32_t ssrc, uint32_t window, bool repeats)
{
    if (!is_window(window))
        return RT_INVALID;
    if (find_stream(session, ssrc))
        return RT_EXISTS;
    if (session->stats.streams >= session->max_streams)
        return RT_AGAIN;
    rt_libsrtp_policy policy = session->policy;
    policy.ssrc = ssrc;
    policy.allow_repeat_tx = repeats;
    if (window)
        policy.window_size = window;
    if (session->library->add_stream(session->session, &policy) != RT_LIBSRTP_OK)
        return RT_SYSTEM;
    if (!new_stream(session, ssrc, (uint32_t)policy.window_size, repeats)) {
        (void)library_remove(session, ssrc);
        return RT_NO_MEMORY;
    }
    return RT_OK;
}

rt_status rt_srtp_remove_stream(rt_srtp *session, uint32_t ssrc)
{
    stream *found = find_stream(session, ssrc);
    if (!found || found->removed)
        return RT_NOT_FOUND;
    if (session->outbound) {
        (void)library_remove(session, ssrc);
        found->removed = true;
    } else {
        forget_stream(session, found);
    }
    return RT_OK;
}

rt_status rt_srtp_rollover(const rt_srtp *session, uint32_t ssrc, uint32_t *out)
{
    const stream *found = rt_map_get(&session->streams, ssrc);
    if (!found || found->removed)
        return RT_NOT_FOUND;
    *out = (uint32_t)(found->index.highest >> 16);
    return RT_OK;
}

/* ---- packets ---- */

static rt_status seal(rt_srtp *session, rt_srtp_index *indices, uint8_t *packet, size_t *size, bool *old)
{
    uint64_t index;
    rt_status status = rt_srtp_index_claim(indices, rt_load16(packet + 2), &index, old);
    if (status == RT_OK)
        status = rt_srtp_gcm_seal(session->gcm, packet, size, index);
    if (status == RT_OK)
        rt_srtp_index_note(indices, index);
    session->stats.old += *old;
    session->stats.replayed += status == RT_REPLAYED && !*old;
    session->stats.malformed += status == RT_MALFORMED;
    return status;
}

static rt_status to_status(rt_srtp *session, int error, bool *old)
{
    *old = error == RT_LIBSRTP_REPLAY_OLD;
    switch (error) {
    case RT_LIBSRTP_OK: return RT_OK;
    case RT_LIBSRTP_AUTH_FAIL: session->stats.unauthenticated++; return RT_UNAUTHENTICATED;
    case RT_LIBSRTP_REPLAY_OLD: session->stats.old++; return RT_REPLAYED;
    case RT_LIBSRTP_REPLAY_FAIL: session->stats.replayed++; return RT_REPLAYED;
    case RT_LIBSRTP_KEY_EXPIRED: return RT_CLOSED;
    case RT_LIBSRTP_ALLOC_FAIL: return RT_NO_MEMORY;
    default: session->stats.malformed++; return RT_MALFORMED;
    }
}

static bool has_header(rt_srtp *session, const uint8_t *packet, size_t size, bool rtcp)
{
    if (size >= (rtcp ? RTCP_HEADER : RT_RTP_HEADER) && size <= 65535 && packet[0] >> 6 == 2)
        return true;
    session->stats.malformed++;
    return false;
}

static inline uint32_t ssrc_of(const uint8_t *packet, bool rtcp)
{
    return rt_load32(packet + (rtcp ? 4 : 8));
}

static rt_status protect(rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity, bool rtcp, bool *old)
{
    assert(session->outbound);
    *old = false;
    if (!has_header(session, packet, *size, rtcp))
        return RT_MALFORMED;
    if (capacity < *size + RT_SRTP_TRAILER)
        return RT_TOO_LARGE;
    stream *used;
    rt_status status = outbound_stream(session, ssrc_of(packet, rtcp), &used);
    if (status != RT_OK)
        return status;
    uint16_t sequence = rt_load16(packet + 2);
    bool own = session->gcm && !rtcp;
    if (own) {
        status = seal(session, &used->index, packet, size, old);
    } else {
        int length = (int)*size;
        rt_libsrtp_transform *transform = rtcp ? session->library->protect_rtcp : session->library->protect;
        status = to_status(session, transform(session->session, packet, &length), old);
        *size = status == RT_OK ? (size_t)length : *size;
    }
    if (status != RT_OK)
        return status;
    session->stats.packets++;
    note_packet(session, used, sequence, own || rtcp);
    return RT_OK;
}

static rt_status unprotect(rt_srtp *session, uint8_t *packet, size_t *size, bool rtcp, bool *old)
{
    assert(!session->outbound);
    *old = false;
    if (!has_header(session, packet, *size, rtcp))
        return RT_MALFORMED;
    int length = (int)*size;
    const rt_srtp_library *library = session->library;
    rt_status status = to_status(
        session, (rtcp ? library->unprotect_rtcp : library->unprotect)(session->session, packet, &length), old);
    if (status != RT_OK)
        return status;
    stream *used = inbound_stream(session, ssrc_of(packet, rtcp));
    if (!used)
        return RT_NO_MEMORY;
    *size = (size_t)length;
    session->stats.packets++;
    note_packet(session, used, rt_load16(packet + 2), rtcp);
    return RT_OK;
}

void rt_srtp_prefetch(const rt_srtp *session, int step)
{
    if (step == 0) {
        RT_PREFETCH_FROM(session, rt_srtp, library, session);
        RT_PREFETCH_FROM(session, rt_srtp, outbound, clock);
        return;
    }
    if (session->gcm)
        rt_srtp_gcm_prefetch(session->gcm, step - 1);
    if (step > 1)
        return;
    if (session->last)
        rt_prefetch(session->last, sizeof *session->last);
    if (session->before)
        rt_prefetch(session->before, sizeof *session->before);
}

rt_status rt_srtp_protect(rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity)
{
    bool old;
    return protect(session, packet, size, capacity, false, &old);
}

rt_status rt_srtp_protect_rtcp(rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity)
{
    bool old;
    return protect(session, packet, size, capacity, true, &old);
}

rt_status rt_srtp_unprotect(rt_srtp *session, uint8_t *packet, size_t *size)
{
    bool old;
    return unprotect(session, packet, size, false, &old);
}

rt_status rt_srtp_unprotect_rtcp(rt_srtp *session, uint8_t *packet, size_t *size)
{
    bool old;
    return unprotect(session, packet, size, true, &old);
}

size_t rt_srtp_protect_batch(rt_srtp *session, rt_srtp_item *items, size_t count)
{
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        rt_srtp_item *item = &items[i];
        bool rtcp = rt_is_rtcp(rt_span_of(item->data, item->size));
        item->status = protect(session, item->data, &item->size, item->capacity, rtcp, &item->old);
        good += item->status == RT_OK;
    }
    return good;
}

size_t rt_srtp_unprotect_batch(rt_srtp *session, rt_srtp_item *items, size_t count)
{
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        rt_srtp_item *item = &items[i];
        bool rtcp = rt_is_rtcp(rt_span_of(item->data, item->size));
        item->status = unprotect(session, item->data, &item->size, rtcp, &item->old);
        good += item->status == RT_OK;
    }
    return good;
}

void rt_srtp_get_stats(const rt_srtp *session, rt_srtp_stats *out)
{
    *out = session->stats;
}
