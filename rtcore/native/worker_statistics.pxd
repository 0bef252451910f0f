# cython: language_level=3
"""C side of rtcore.native.worker_statistics, for rtcore.native.worker."""

from rtcore.native.dtls cimport rt_dtls_stats
from rtcore.native.ice cimport rt_ice_candidate, rt_ice_pair_stats, rt_ice_stats
from rtcore.native.worker_core cimport (
    rt_channels_stats,
    rt_peer,
    rt_peer_stats,
    rt_sctp_stats,
)

from libc.stdint cimport uint16_t


# Everything about a peer at one moment.
cdef struct Snapshot:
    rt_peer_stats peer
    int ice_state, gathering
    bint controlling
    rt_ice_stats ice
    rt_ice_candidate *local
    rt_ice_candidate *remote
    rt_ice_pair_stats *pairs
    bint has_dtls
    int dtls_state
    rt_dtls_stats dtls
    uint16_t srtp_profile
    char cipher[64]
    char group[32]
    bint has_sctp
    int sctp_state
    uint16_t streams_in, streams_out
    rt_sctp_stats sctp
    rt_channels_stats channels


# Under the worker's lock. False when there is no memory. Either way, free_snapshot() after.
cdef bint take_snapshot(rt_peer *peer, Snapshot *out) noexcept
cdef void free_snapshot(Snapshot *snapshot) noexcept
cdef dict tell_snapshot(const Snapshot *snapshot)
