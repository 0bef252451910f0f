from libc.stdint cimport uint8_t, uint32_t, uint64_t

from rtcore.native.base cimport rt_span, rt_status


cdef extern from "proto/srtp.h" nogil:
    ctypedef enum rt_srtp_profile:
        RT_SRTP_AES128_CM_SHA1_80
        RT_SRTP_AES128_CM_SHA1_32
        RT_SRTP_AEAD_AES_128_GCM
        RT_SRTP_AEAD_AES_256_GCM

    enum:
        RT_SRTP_TRAILER
        RT_SRTP_KEYS_MAX

    ctypedef struct rt_libsrtp_policy:
        pass

    ctypedef struct rt_srtp_cipher:
        void *fetch
        void *free
        void *context_new
        void *context_free
        void *encrypt_init
        void *encrypt_update
        void *encrypt_final
        void *control

    ctypedef struct rt_srtp_library:
        void *rtp_profile
        void *rtcp_profile
        void *create
        void *dealloc
        void *add_stream
        void *remove_stream
        void *protect
        void *unprotect
        void *protect_rtcp
        void *unprotect_rtcp
        rt_srtp_cipher cipher

    ctypedef struct rt_srtp:
        pass

    ctypedef struct rt_srtp_config:
        const rt_srtp_library *library
        rt_srtp_profile profile
        rt_span keys
        bint outbound
        uint32_t window
        uint32_t max_streams
        bint repeats

    ctypedef struct rt_srtp_item:
        uint8_t *data
        size_t size
        size_t capacity
        rt_status status
        bint old

    ctypedef struct rt_srtp_stats:
        uint64_t packets, unauthenticated, replayed, old, malformed, evicted
        uint32_t streams

    size_t rt_srtp_key_size(rt_srtp_profile profile)
    size_t rt_srtp_salt_size(rt_srtp_profile profile)
    size_t rt_srtp_split(rt_srtp_profile profile, rt_span material, bint client, uint8_t *out)
    void rt_srtp_config_default(rt_srtp_config *config)
    rt_status rt_srtp_new(const rt_srtp_config *config, rt_srtp **out)
    void rt_srtp_free(rt_srtp *session)
    rt_status rt_srtp_protect(rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity)
    rt_status rt_srtp_protect_rtcp(rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity)
    rt_status rt_srtp_unprotect(rt_srtp *session, uint8_t *packet, size_t *size)
    rt_status rt_srtp_unprotect_rtcp(rt_srtp *session, uint8_t *packet, size_t *size)
    size_t rt_srtp_protect_batch(rt_srtp *session, rt_srtp_item *items, size_t count)
    size_t rt_srtp_unprotect_batch(rt_srtp *session, rt_srtp_item *items, size_t count)
    rt_status rt_srtp_add_stream(rt_srtp *session, uint32_t ssrc, uint32_t window, bint repeats)
    rt_status rt_srtp_remove_stream(rt_srtp *session, uint32_t ssrc)
    rt_status rt_srtp_rollover(const rt_srtp *session, uint32_t ssrc, uint32_t *out)
    void rt_srtp_get_stats(const rt_srtp *session, rt_srtp_stats *out)


# The functions of pylibsrtp's libsrtp, for native/peer; the table lives as long as the process. ImportError: a
# libsrtp that is laid out in another way.
cdef const rt_srtp_library *srtp_library() except NULL
