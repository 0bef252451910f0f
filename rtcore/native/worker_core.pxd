# cython: language_level=3
"""The C declarations of the worker, and of the machines inside its peers, for the modules that use them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport rt_addr, rt_hash, rt_message, rt_span, rt_status, rt_time
from rtcore.native.dtls cimport rt_certificate, rt_dtls, rt_dtls_config, rt_dtls_event, rt_dtls_role
from rtcore.native.frame cimport rt_frame
from rtcore.native.ice cimport rt_ice, rt_ice_config, rt_ice_event


cdef extern from "proto/sctp.h" nogil:
    ctypedef struct rt_sctp:
        pass

    ctypedef struct rt_sctp_config:
        uint16_t mtu
        uint16_t max_mtu
        uint32_t receive_buffer
        uint32_t send_buffer
        uint32_t max_message_size
        bint zero_checksum
        bint interleaving

    ctypedef struct rt_sctp_stats:
        uint64_t packets_sent, packets_received, bytes_sent, bytes_received
        uint64_t messages_sent, messages_received, payload_sent, payload_received
        uint64_t chunks_retransmitted, fast_retransmits, timeouts, tail_probes, spurious_retransmits
        uint64_t messages_abandoned, duplicate_chunks
        uint64_t malformed, bad_checksum, bad_tag, unexpected, out_of_window
        uint32_t congestion_window, slow_start_threshold, peer_window, bytes_in_flight, unsent, mtu
        rt_time smoothed_round_trip, rto
        uint32_t receive_buffered
        bint zero_checksum_in, zero_checksum_out, interleaving, partial_reliability, stream_reset

    int rt_sctp_get_state(const rt_sctp *sctp)
    uint16_t rt_sctp_streams_in(const rt_sctp *sctp)
    uint16_t rt_sctp_streams_out(const rt_sctp *sctp)
    uint32_t rt_sctp_send_room(const rt_sctp *sctp)
    void rt_sctp_get_stats(const rt_sctp *sctp, rt_sctp_stats *out)


cdef extern from "proto/channel.h" nogil:
    enum:
        RT_CHANNEL_ID_NONE
        RT_CHANNEL_LABEL_MAX
        RT_CHANNEL_EVENT_INCOMING
        RT_CHANNEL_EVENT_OPEN
        RT_CHANNEL_EVENT_MESSAGE
        RT_CHANNEL_EVENT_BUFFERED_LOW
        RT_CHANNEL_EVENT_SEND_ROOM
        RT_CHANNEL_EVENT_CLOSING
        RT_CHANNEL_EVENT_CLOSED
        RT_CHANNEL_EVENT_CONNECTED
        RT_CHANNEL_EVENT_DISCONNECTED

    ctypedef struct rt_channels:
        pass

    ctypedef struct rt_channel_options:
        rt_span label
        rt_span subprotocol
        bint ordered
        bint negotiated
        uint16_t id
        int32_t max_retransmits
        int32_t max_lifetime_ms
        uint16_t priority

    ctypedef struct rt_channel_info:
        rt_span label, subprotocol
        int state
        uint16_t id
        uint16_t priority
        bint ordered, negotiated, incoming
        int32_t max_retransmits, max_lifetime_ms
        uint64_t messages_sent, messages_received, bytes_sent, bytes_received

    ctypedef struct rt_channel_event:
        int type
        uint32_t handle
        rt_message *message
        bint binary
        uint32_t charge
        uint16_t error
        char text[64]

    ctypedef struct rt_channels_stats:
        uint64_t opened, closed
        uint64_t malformed, unexpected
        uint64_t refused

    rt_status rt_channel_open(
        rt_channels *channels, const rt_channel_options *options, uint32_t *handle, rt_time now)
    rt_status rt_channel_send(rt_channels *channels, uint32_t handle, rt_span data, bint binary, rt_time now)
    rt_status rt_channel_close(rt_channels *channels, uint32_t handle, rt_time now)
    uint32_t rt_channel_buffered(const rt_channels *channels, uint32_t handle)
    rt_status rt_channel_set_buffered_low(rt_channels *channels, uint32_t handle, uint32_t threshold)
    rt_status rt_channel_get(const rt_channels *channels, uint32_t handle, rt_channel_info *out)
    void rt_channel_forget(rt_channels *channels, uint32_t handle)
    void rt_channels_release(rt_channels *channels, size_t size, rt_time now)
    void rt_channels_get_stats(const rt_channels *channels, rt_channels_stats *out)


cdef extern from "peer/media.h" nogil:
    enum:
        RT_MEDIA_EVENT_FRAME
        RT_MEDIA_EVENT_STREAM
        RT_MEDIA_EVENT_ENDED
        RT_MEDIA_EVENT_KEY_FRAME
        RT_MEDIA_EVENT_BITRATE
        RT_MEDIA_EVENT_DROPPED

    ctypedef struct rt_media:
        pass

    ctypedef struct rt_media_event:
        int type
        uint8_t section, encoding
        uint32_t ssrc
        uint32_t count
        uint64_t bitrate
        rt_frame *frame


cdef extern from "peer/peer.h" nogil:
    enum:
        RT_PEER_EVENT_ICE
        RT_PEER_EVENT_DTLS
        RT_PEER_EVENT_CHANNEL
        RT_PEER_EVENT_MEDIA

    ctypedef struct rt_peer_config:
        rt_ice_config ice
        rt_dtls_config dtls
        rt_sctp_config sctp
        uint32_t max_channels

    ctypedef struct rt_peer_event:
        int type
        rt_ice_event ice
        rt_dtls_event dtls
        rt_channel_event channel
        rt_media_event media

    ctypedef struct rt_peer_stats:
        uint64_t packets_sent, packets_received, bytes_sent, bytes_received
        uint64_t unknown
        uint64_t early
        uint64_t foreign

    ctypedef struct rt_peer:
        pass

    void rt_peer_config_default(rt_peer_config *config)
    rt_ice *rt_peer_ice(rt_peer *peer)
    rt_dtls *rt_peer_dtls(rt_peer *peer)
    rt_sctp *rt_peer_sctp(rt_peer *peer)
    rt_channels *rt_peer_channels(rt_peer *peer)
    rt_media *rt_peer_media(rt_peer *peer)
    rt_status rt_peer_add_fingerprint(rt_peer *peer, rt_hash hash, rt_span digest, rt_time now)
    rt_status rt_peer_set_certificate(rt_peer *peer, rt_certificate *certificate)
    rt_status rt_peer_set_dtls_role(rt_peer *peer, rt_dtls_role role, rt_time now)
    rt_status rt_peer_set_sctp_port(rt_peer *peer, uint16_t local_port)
    rt_status rt_peer_start_sctp(
        rt_peer *peer, uint16_t remote_port, uint32_t remote_max_message_size, rt_time now)
    void rt_peer_get_stats(const rt_peer *peer, rt_peer_stats *out)


cdef extern from "io/worker.h" nogil:
    ctypedef struct rt_worker:
        pass

    ctypedef struct rt_worker_peer:
        pass

    ctypedef struct rt_worker_config:
        bint threaded
        bint poll
        bint no_mmsg
        bint no_gso
        bint no_gro
        uint32_t socket_buffer

    ctypedef struct rt_worker_event:
        uint64_t tag
        rt_peer_event event

    ctypedef struct rt_worker_stats:
        uint64_t datagrams_received, datagrams_sent, bytes_received, bytes_sent
        uint64_t receive_calls, send_calls, gso_runs, gro_runs
        uint64_t unroutable
        uint64_t send_errors, send_blocked, receive_errors
        uint64_t iterations, wakeups
        uint32_t peers, sockets
        bint gso, gro, mmsg, epoll, threaded

    enum:
        RT_INTERFACES

    ctypedef struct rt_interface:
        rt_addr address
        uint16_t preference
        bint loopback
        char name[32]

    void rt_worker_config_default(rt_worker_config *config)
    rt_status rt_worker_new(const rt_worker_config *config, rt_worker **out)
    void rt_worker_free(rt_worker *worker)
    int rt_worker_fd(const rt_worker *worker)
    void rt_worker_run(rt_worker *worker)
    rt_time rt_worker_deadline(rt_worker *worker)
    rt_time rt_worker_now()
    void rt_worker_lock(rt_worker *worker)
    bint rt_worker_try_lock(rt_worker *worker)
    void rt_worker_unlock(rt_worker *worker)
    rt_status rt_worker_bind(rt_worker *worker, const rt_addr *address, uint16_t port_min, uint16_t port_max,
                             bint shared, uint32_t *socket, rt_addr *bound)
    rt_status rt_worker_unbind(rt_worker *worker, uint32_t socket)
    rt_status rt_worker_add_peer(
        rt_worker *worker, rt_peer_config *config, uint64_t tag, rt_worker_peer **out)
    rt_status rt_worker_peer_add_socket(rt_worker_peer *peer, uint32_t socket, const rt_addr *announced,
                                        uint16_t preference)
    uint32_t rt_worker_peer_sockets(const rt_worker_peer *peer)
    rt_status rt_worker_peer_gather(rt_worker_peer *peer)
    rt_peer *rt_worker_peer_machine(rt_worker_peer *peer)
    rt_status rt_worker_peer_restarted(rt_worker_peer *peer)
    rt_status rt_worker_peer_set_credentials(rt_worker_peer *peer, rt_span ufrag, rt_span pwd)
    void rt_worker_remove_peer(rt_worker_peer *peer)
    void rt_worker_flush(rt_worker_peer *peer)
    void rt_worker_flush_soon(rt_worker_peer *peer)
    size_t rt_worker_events(rt_worker *worker, rt_worker_event *out, size_t max)
    void rt_worker_event_drop(rt_worker_event *event)
    void rt_worker_recall(rt_worker *worker)
    void rt_worker_get_stats(rt_worker *worker, rt_worker_stats *out)
    size_t rt_worker_interfaces(rt_worker *worker, const rt_interface **out, bint loopback)
