# cython: language_level=3
"""C side of rtcore.native.ice, for the modules that carry candidates to and from the core."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport rt_addr, rt_batch, rt_random, rt_span, rt_status, rt_time


cdef extern from "proto/ice.h" nogil:
    ctypedef enum rt_ice_type:
        RT_ICE_HOST
        RT_ICE_SRFLX
        RT_ICE_PRFLX
        RT_ICE_RELAY

    ctypedef enum rt_ice_transport:
        RT_ICE_UDP
        RT_ICE_TCP_ACTIVE
        RT_ICE_TCP_PASSIVE
        RT_ICE_TCP_SO

    enum:
        RT_ICE_FOUNDATION_MAX

    ctypedef struct rt_ice_candidate:
        rt_addr address
        rt_addr related
        uint32_t priority
        rt_ice_type type
        rt_ice_transport transport
        uint16_t socket
        uint16_t server
        char foundation[RT_ICE_FOUNDATION_MAX]

    ctypedef enum rt_ice_state:
        pass

    ctypedef enum rt_ice_gathering:
        pass

    ctypedef struct rt_ice_config:
        rt_random *random
        bint controlling
        bint lite
        uint16_t max_pairs
        uint16_t max_remote_candidates
        rt_time pacing
        rt_time rto
        rt_time keepalive
        rt_time disconnected_after
        rt_time failed_after
        rt_time no_candidates_after

    ctypedef enum rt_ice_event_type:
        RT_ICE_EVENT_CANDIDATE
        RT_ICE_EVENT_GATHERING
        RT_ICE_EVENT_STATE
        RT_ICE_EVENT_SELECTED
        RT_ICE_EVENT_ROLE
        RT_ICE_EVENT_CANDIDATE_ERROR

    ctypedef struct rt_ice_event:
        rt_ice_event_type type
        rt_ice_candidate candidate
        rt_ice_gathering gathering
        rt_ice_state state
        uint16_t server
        uint16_t code
        char text[64]

    ctypedef enum rt_ice_pair_state:
        pass

    ctypedef struct rt_ice_pair_stats:
        uint32_t id
        uint32_t local
        uint32_t remote
        rt_ice_pair_state state
        bint nominated
        bint selected
        uint64_t priority
        uint64_t packets_sent, packets_received, bytes_sent, bytes_received
        uint64_t requests_sent, requests_received, responses_sent, responses_received
        uint64_t consent_requests_sent
        rt_time last_packet_sent, last_packet_received
        rt_time current_round_trip
        rt_time total_round_trip

    ctypedef struct rt_ice_stats:
        uint64_t malformed, unauthenticated, unexpected
        uint64_t candidates_refused
        uint32_t local_count, remote_count, pair_count
        uint32_t selected_pair_changes

    ctypedef struct rt_ice:
        pass

    void rt_ice_config_default(rt_ice_config *config)
    rt_ice *rt_ice_new(const rt_ice_config *config)
    void rt_ice_free(rt_ice *ice)
    const char *rt_ice_local_ufrag(const rt_ice *ice)
    const char *rt_ice_local_pwd(const rt_ice *ice)
    rt_status rt_ice_set_controlling(rt_ice *ice, bint controlling)
    bint rt_ice_controlling(const rt_ice *ice)
    void rt_ice_set_remote_lite(rt_ice *ice, bint lite)
    rt_status rt_ice_add_host(
        rt_ice *ice, uint16_t socket, const rt_addr *address, uint16_t preference, rt_time now)
    rt_status rt_ice_add_server(rt_ice *ice, uint16_t server, const rt_addr *address, rt_time now)
    void rt_ice_end_of_local(rt_ice *ice, rt_time now)
    rt_status rt_ice_set_local_credentials(rt_ice *ice, rt_span ufrag, rt_span pwd)
    rt_status rt_ice_set_remote_credentials(rt_ice *ice, rt_span ufrag, rt_span pwd, rt_time now)
    rt_status rt_ice_add_remote(rt_ice *ice, const rt_ice_candidate *candidate, rt_time now)
    void rt_ice_end_of_remote(rt_ice *ice, rt_time now)
    void rt_ice_restart(rt_ice *ice, rt_time now)
    rt_status rt_ice_receive(
        rt_ice *ice, uint16_t socket, const rt_addr *source, rt_span datagram, rt_time now)
    size_t rt_ice_transmit(rt_ice *ice, rt_batch *out, rt_time now)
    rt_time rt_ice_deadline(const rt_ice *ice)
    void rt_ice_expire(rt_ice *ice, rt_time now)
    bint rt_ice_path(const rt_ice *ice, uint16_t *socket, rt_addr *to)
    bint rt_ice_knows(const rt_ice *ice, uint16_t socket, const rt_addr *source)
    void rt_ice_count_data(
        rt_ice *ice, uint16_t socket, const rt_addr *remote, bint sent, uint32_t packets, size_t size,
        rt_time now)
    rt_ice_state rt_ice_get_state(const rt_ice *ice)
    rt_ice_gathering rt_ice_get_gathering(const rt_ice *ice)
    bint rt_ice_event_next(rt_ice *ice, rt_ice_event *out)
    void rt_ice_get_stats(const rt_ice *ice, rt_ice_stats *out)
    const rt_ice_candidate *rt_ice_local(const rt_ice *ice, uint32_t index)
    const rt_ice_candidate *rt_ice_remote(const rt_ice *ice, uint32_t index)
    bint rt_ice_pair(const rt_ice *ice, uint32_t index, rt_ice_pair_stats *out)


cdef class Candidate:
    cdef readonly str foundation
    cdef readonly int component
    cdef readonly str transport
    cdef readonly object priority
    cdef readonly str address
    cdef readonly int port
    cdef readonly str type
    cdef readonly str related_address
    cdef readonly object related_port
    cdef readonly str tcp_type
    cdef readonly object generation
    cdef readonly str ufrag
    cdef readonly tuple extensions
    # The constructor without keywords, which cost more than all the checks.
    cdef int fill(
        self,
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        object type,
        related_address,
        related_port,
        tcp_type,
        generation,
        ufrag,
        extensions,
    ) except -1
    cdef tuple key(self)


# The candidate as Python sees it; `ufrag` is optional.
cdef Candidate candidate_from_c(const rt_ice_candidate *candidate, str ufrag=*)
# Fills `out` (socket and server are 0). ValueError when the address is a name: resolve it first.
cdef int candidate_to_c(Candidate candidate, rt_ice_candidate *out) except -1
# One pair of the check list, as `Agent.pairs()` and `Peer.stats()` tell it: times in seconds, or None.
cdef dict tell_pair(const rt_ice_pair_stats *pair)
