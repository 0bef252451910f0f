# cython: language_level=3
"""C side of rtcore.native.dtls, for the modules that hand certificates to the core."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from rtcore.native.base cimport rt_batch, rt_buffer, rt_hash, rt_packet, rt_span, rt_status, rt_time


cdef extern from "proto/dtls.h":
    ctypedef struct rt_certificate:
        pass

    rt_certificate *rt_certificate_generate(int64_t wall_seconds, int64_t valid_seconds)
    rt_certificate *rt_certificate_generate_beside(
        const rt_certificate *other, int64_t wall_seconds, int64_t valid_seconds
    )
    rt_status rt_certificate_load(rt_span certificate_pem, rt_span key_pem, rt_certificate **out)
    rt_certificate *rt_certificate_ref(rt_certificate *certificate)
    void rt_certificate_free(rt_certificate *certificate)
    rt_status rt_certificate_fingerprint(const rt_certificate *certificate, rt_hash hash, uint8_t *out)
    rt_span rt_certificate_der(const rt_certificate *certificate)
    int64_t rt_certificate_expires(const rt_certificate *certificate)
    size_t rt_certificate_write_pem(const rt_certificate *certificate, bint key, rt_buffer out)

    ctypedef enum rt_dtls_role:
        RT_DTLS_CLIENT
        RT_DTLS_SERVER

    ctypedef enum rt_dtls_state:
        RT_DTLS_NEW
        RT_DTLS_CONNECTING
        RT_DTLS_CONNECTED
        RT_DTLS_CLOSED
        RT_DTLS_FAILED

    enum:
        RT_DTLS_HEADROOM
        RT_DTLS_OVERHEAD

    ctypedef struct rt_dtls_config:
        rt_certificate *certificate
        rt_dtls_role role
        uint16_t mtu
        uint16_t srtp_profiles[4]
        rt_time first_timeout
        rt_time last_timeout
        rt_time give_up_after

    ctypedef struct rt_dtls_event:
        rt_dtls_state state
        char text[128]

    ctypedef struct rt_dtls_stats:
        uint64_t records_sent, records_received, bytes_sent, bytes_received
        uint64_t malformed, unauthenticated, replayed, unexpected
        uint64_t flights_retransmitted

    ctypedef struct rt_dtls:
        pass

    void rt_dtls_config_default(rt_dtls_config *config)
    rt_dtls *rt_dtls_new(const rt_dtls_config *config)
    void rt_dtls_free(rt_dtls *dtls)
    rt_status rt_dtls_add_fingerprint(rt_dtls *dtls, rt_hash hash, rt_span digest, rt_time now)
    rt_status rt_dtls_start(rt_dtls *dtls, rt_time now)
    rt_status rt_dtls_receive(rt_dtls *dtls, rt_buffer datagram, rt_time now)
    bint rt_dtls_read(rt_dtls *dtls, rt_span *out)
    rt_status rt_dtls_seal(rt_dtls *dtls, rt_packet *packet)
    size_t rt_dtls_transmit(rt_dtls *dtls, rt_batch *out, rt_time now)
    rt_time rt_dtls_deadline(const rt_dtls *dtls)
    void rt_dtls_expire(rt_dtls *dtls, rt_time now)
    void rt_dtls_close(rt_dtls *dtls, rt_time now)
    rt_dtls_state rt_dtls_get_state(const rt_dtls *dtls)
    bint rt_dtls_event_next(rt_dtls *dtls, rt_dtls_event *out)
    rt_status rt_dtls_export(rt_dtls *dtls, rt_span label, rt_buffer out)
    uint16_t rt_dtls_srtp_profile(const rt_dtls *dtls)
    const char *rt_dtls_cipher(const rt_dtls *dtls)
    const char *rt_dtls_group(const rt_dtls *dtls)
    rt_span rt_dtls_remote_der(const rt_dtls *dtls)
    void rt_dtls_get_stats(const rt_dtls *dtls, rt_dtls_stats *out)


cdef class Certificate:
    # A reference of this object's; whoever keeps it longer takes one of its own with rt_certificate_ref().
    cdef rt_certificate *certificate


# "sha-256" and so on; ValueError names those that are known.
cdef rt_hash hash_of(object algorithm) except *
