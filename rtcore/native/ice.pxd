# cython: language_level=3
"""C side of rtcore.native.ice, for the modules that carry candidates to and from the core."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef extern from "base/addr.h":
    ctypedef struct rt_addr:
        uint8_t ip[16]
        uint32_t scope
        uint16_t port
        uint8_t family

    enum:
        RT_ADDR_TEXT_MAX

    size_t rt_addr_format_ip(const rt_addr *addr, char *out)
    bint rt_addr_parse_ip(const char *text, size_t size, uint16_t port, rt_addr *out)


cdef extern from "proto/ice.h":
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
    cdef tuple key(self)


# The candidate as Python sees it; `ufrag` is optional.
cdef Candidate candidate_from_c(const rt_ice_candidate *candidate, str ufrag=*)
# Fills `out` (socket and server are 0). ValueError when the address is a name, not a number: resolve it first.
cdef int candidate_to_c(Candidate candidate, rt_ice_candidate *out) except -1
