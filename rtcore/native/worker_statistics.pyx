# cython: language_level=3
"""What `Peer.stats()` tells: a peer's machines copied in one moment, and as nested plain dicts."""

from libc.stdlib cimport free, malloc
from libc.string cimport memset, strncpy

from rtcore.native.base cimport from_time
from rtcore.native.dtls cimport (
    rt_dtls,
    rt_dtls_cipher,
    rt_dtls_get_state,
    rt_dtls_get_stats,
    rt_dtls_group,
    rt_dtls_srtp_profile,
)
from rtcore.native.ice cimport (
    candidate_from_c,
    rt_ice,
    rt_ice_controlling,
    rt_ice_get_gathering,
    rt_ice_get_state,
    rt_ice_get_stats,
    rt_ice_local,
    rt_ice_pair,
    rt_ice_remote,
    tell_pair,
)
from rtcore.native.worker_core cimport (
    rt_channels,
    rt_channels_get_stats,
    rt_peer_channels,
    rt_peer_dtls,
    rt_peer_get_stats,
    rt_peer_ice,
    rt_peer_sctp,
    rt_sctp,
    rt_sctp_get_state,
    rt_sctp_get_stats,
    rt_sctp_streams_in,
    rt_sctp_streams_out,
)

cdef tuple ICE_STATES = ("new", "checking", "connected", "completed", "disconnected", "failed", "closed")
cdef tuple GATHERING_STATES = ("new", "gathering", "complete")
cdef tuple DTLS_STATES = ("new", "connecting", "connected", "closed", "failed")
cdef tuple SCTP_STATES = (
    "closed", "cookie-wait", "cookie-echoed", "established",
    "shutdown-pending", "shutdown-sent", "shutdown-received", "shutdown-ack-sent",
)


cdef bint take_snapshot(rt_peer *peer, Snapshot *out) noexcept:
    cdef unsigned int i, pairs = 0
    memset(out, 0, sizeof(Snapshot))
    rt_peer_get_stats(peer, &out.peer)

    cdef rt_ice *ice = rt_peer_ice(peer)
    out.ice_state = rt_ice_get_state(ice)
    out.gathering = rt_ice_get_gathering(ice)
    out.controlling = rt_ice_controlling(ice)
    rt_ice_get_stats(ice, &out.ice)
    out.local = <rt_ice_candidate *>malloc((out.ice.local_count + 1) * sizeof(rt_ice_candidate))
    out.remote = <rt_ice_candidate *>malloc((out.ice.remote_count + 1) * sizeof(rt_ice_candidate))
    out.pairs = <rt_ice_pair_stats *>malloc((out.ice.pair_count + 1) * sizeof(rt_ice_pair_stats))
    if out.local is NULL or out.remote is NULL or out.pairs is NULL:
        return False
    for i in range(out.ice.local_count):
        out.local[i] = rt_ice_local(ice, i)[0]
    for i in range(out.ice.remote_count):
        out.remote[i] = rt_ice_remote(ice, i)[0]
    for i in range(out.ice.pair_count):
        pairs += rt_ice_pair(ice, i, &out.pairs[pairs])
    out.ice.pair_count = pairs

    cdef rt_dtls *dtls = rt_peer_dtls(peer)
    if dtls is not NULL:
        out.has_dtls = True
        out.dtls_state = rt_dtls_get_state(dtls)
        rt_dtls_get_stats(dtls, &out.dtls)
        out.srtp_profile = rt_dtls_srtp_profile(dtls)
        strncpy(out.cipher, rt_dtls_cipher(dtls), sizeof(out.cipher) - 1)
        strncpy(out.group, rt_dtls_group(dtls), sizeof(out.group) - 1)

    cdef rt_sctp *sctp = rt_peer_sctp(peer)
    cdef rt_channels *channels = rt_peer_channels(peer)
    if sctp is not NULL and channels is not NULL:
        out.has_sctp = True
        out.sctp_state = rt_sctp_get_state(sctp)
        out.streams_in = rt_sctp_streams_in(sctp)
        out.streams_out = rt_sctp_streams_out(sctp)
        rt_sctp_get_stats(sctp, &out.sctp)
        rt_channels_get_stats(channels, &out.channels)
    return True


cdef void free_snapshot(Snapshot *snapshot) noexcept:
    free(snapshot.local)
    free(snapshot.remote)
    free(snapshot.pairs)


cdef dict tell_dtls(const Snapshot *snapshot):
    cdef const rt_dtls_stats *dtls = &snapshot.dtls
    return {
        "state": DTLS_STATES[snapshot.dtls_state],
        "cipher": snapshot.cipher.decode("ascii"),
        "group": snapshot.group.decode("ascii"),
        "srtp_profile": snapshot.srtp_profile or None,
        "records_sent": dtls.records_sent,
        "records_received": dtls.records_received,
        "bytes_sent": dtls.bytes_sent,
        "bytes_received": dtls.bytes_received,
        "malformed": dtls.malformed,
        "unauthenticated": dtls.unauthenticated,
        "replayed": dtls.replayed,
        "unexpected": dtls.unexpected,
        "flights_retransmitted": dtls.flights_retransmitted,
    }


cdef dict tell_sctp(const Snapshot *snapshot):
    cdef const rt_sctp_stats *sctp = &snapshot.sctp
    return {
        "state": SCTP_STATES[snapshot.sctp_state],
        "streams_in": snapshot.streams_in,
        "streams_out": snapshot.streams_out,
        "packets_sent": sctp.packets_sent,
        "packets_received": sctp.packets_received,
        "bytes_sent": sctp.bytes_sent,
        "bytes_received": sctp.bytes_received,
        "messages_sent": sctp.messages_sent,
        "messages_received": sctp.messages_received,
        "payload_sent": sctp.payload_sent,
        "payload_received": sctp.payload_received,
        "chunks_retransmitted": sctp.chunks_retransmitted,
        "fast_retransmits": sctp.fast_retransmits,
        "timeouts": sctp.timeouts,
        "tail_probes": sctp.tail_probes,
        "spurious_retransmits": sctp.spurious_retransmits,
        "messages_abandoned": sctp.messages_abandoned,
        "duplicate_chunks": sctp.duplicate_chunks,
        "malformed": sctp.malformed,
        "bad_checksum": sctp.bad_checksum,
        "bad_tag": sctp.bad_tag,
        "unexpected": sctp.unexpected,
        "out_of_window": sctp.out_of_window,
        "congestion_window": sctp.congestion_window,
        "slow_start_threshold": sctp.slow_start_threshold,
        "peer_window": sctp.peer_window,
        "bytes_in_flight": sctp.bytes_in_flight,
        "unsent": sctp.unsent,
        "mtu": sctp.mtu,
        "smoothed_round_trip": sctp.smoothed_round_trip / 1e9 if sctp.smoothed_round_trip else None,
        "rto": from_time(sctp.rto),
        "receive_buffered": sctp.receive_buffered,
        "zero_checksum_in": sctp.zero_checksum_in,
        "zero_checksum_out": sctp.zero_checksum_out,
        "interleaving": sctp.interleaving,
        "partial_reliability": sctp.partial_reliability,
        "stream_reset": sctp.stream_reset,
        "channels_opened": snapshot.channels.opened,
        "channels_closed": snapshot.channels.closed,
        "channels_refused": snapshot.channels.refused,
        "channel_messages_malformed": snapshot.channels.malformed,
        "channel_messages_unexpected": snapshot.channels.unexpected,
    }


cdef dict tell_snapshot(const Snapshot *snapshot):
    cdef unsigned int i
    cdef const rt_ice_stats *ice = &snapshot.ice
    selected = None
    for i in range(ice.pair_count):
        if snapshot.pairs[i].selected:
            selected = snapshot.pairs[i].id
    return {
        "transport": {
            "packets_sent": snapshot.peer.packets_sent,
            "packets_received": snapshot.peer.packets_received,
            "bytes_sent": snapshot.peer.bytes_sent,
            "bytes_received": snapshot.peer.bytes_received,
            "unknown": snapshot.peer.unknown,
            "early": snapshot.peer.early,
            "foreign": snapshot.peer.foreign,
        },
        "ice": {
            "state": ICE_STATES[snapshot.ice_state],
            "gathering_state": GATHERING_STATES[snapshot.gathering],
            "controlling": snapshot.controlling,
            "selected_pair": selected,
            "selected_pair_changes": ice.selected_pair_changes,
            "malformed": ice.malformed,
            "unauthenticated": ice.unauthenticated,
            "unexpected": ice.unexpected,
            "candidates_refused": ice.candidates_refused,
        },
        "local_candidates": [
            {"candidate": candidate_from_c(&snapshot.local[i], None), "server": snapshot.local[i].server}
            for i in range(ice.local_count)
        ],
        "remote_candidates": [
            {"candidate": candidate_from_c(&snapshot.remote[i], None)} for i in range(ice.remote_count)
        ],
        "pairs": [tell_pair(&snapshot.pairs[i]) for i in range(ice.pair_count)],
        "dtls": tell_dtls(snapshot) if snapshot.has_dtls else None,
        "sctp": tell_sctp(snapshot) if snapshot.has_sctp else None,
    }
