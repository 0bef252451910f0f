# cython: language_level=3
"""C side of rtcore.native.media: the declarations of a peer's media, and its class."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport rt_span, rt_status, rt_time
from rtcore.native.frame cimport rt_frame
from rtcore.native.rtp cimport rt_rtp_extension_map, rt_rtp_text
from rtcore.native.srtp cimport rt_srtp_library
from rtcore.native.worker cimport Peer
from rtcore.native.worker_core cimport rt_media, rt_worker_event, rt_worker_peer
from rtcore.native.worker_loop cimport Tenant


cdef extern from "wire/payload.h" nogil:
    ctypedef struct rt_payload_format:
        int codec
        uint32_t clock_rate
        uint8_t channels
        uint8_t h264_mode
        uint8_t ptime


cdef extern from "proto/bandwidth.h" nogil:
    ctypedef struct rt_bandwidth_stats:
        uint64_t target, delay_based, loss_based, remb, acknowledged
        uint64_t feedback, feedback_malformed, packets_lost, probes
        rt_time round_trip
        int state


cdef extern from "proto/receiver.h" nogil:
    ctypedef struct rt_receiver_stats:
        uint32_t ssrc
        uint8_t payload_type
        uint64_t packets, bytes, header_bytes
        int64_t packets_lost
        uint64_t packets_discarded
        uint64_t packets_duplicate, packets_malformed, packets_recovered, bytes_recovered
        uint64_t unknown_payload_types, jumps
        uint32_t jitter
        uint32_t clock_rate
        uint64_t nacks, nack_packets, plis, firs
        uint64_t frames, key_frames, frames_dropped, frames_assembled_multiple
        rt_time total_assembly_time
        uint64_t freezes
        rt_time total_freezes_duration
        rt_time jitter_buffer_delay, jitter_buffer_target_delay, jitter_buffer_minimum_delay
        uint64_t jitter_buffer_emitted
        rt_time target_delay
        uint64_t samples, concealed_samples, silent_concealed_samples, concealment_events
        uint64_t inserted_samples, removed_samples
        uint64_t fec_packets, fec_packets_discarded
        double total_audio_energy
        rt_time last_packet
        uint16_t width, height
        uint8_t audio_level
        uint64_t reports, remote_packets, remote_bytes, remote_ntp
        uint32_t queued_packets, queued_frames


cdef extern from "proto/sender.h" nogil:
    ctypedef struct rt_sender_stats:
        uint32_t ssrc, rtx_ssrc
        uint8_t payload_type
        bint active
        uint64_t packets, bytes, header_bytes
        uint64_t retransmitted_packets, retransmitted_bytes
        uint64_t frames, key_frames, frames_dropped
        uint64_t nacks, nacked_packets, nacks_unanswered, plis, firs
        rt_time total_send_delay
        uint64_t padding_bytes
        uint64_t reports
        int64_t remote_lost
        uint32_t remote_jitter
        uint8_t remote_fraction_lost
        rt_time round_trip, total_round_trip
        uint64_t round_trip_measurements
        uint32_t clock_rate
        uint32_t queued_packets
        size_t queued_bytes, history_bytes


cdef extern from "peer/media.h" nogil:
    enum:
        RT_MEDIA_CNAME_MAX
        RT_MEDIA_ENCODINGS
        RT_MEDIA_MTU_MIN
        RT_MEDIA_NO_FORMAT
        RT_MEDIA_SECTIONS

    ctypedef struct rt_media_config:
        const rt_srtp_library *srtp
        char *cname
        uint32_t mtu
        uint64_t min_bitrate, start_bitrate, max_bitrate
        uint32_t max_frames

    ctypedef struct rt_media_format:
        uint8_t payload_type
        uint8_t rtx_payload_type
        bint nack, pli, fir, twcc, remb
        rt_payload_format payload

    ctypedef struct rt_media_source:
        uint32_t ssrc, rtx_ssrc

    ctypedef struct rt_media_encoding:
        uint32_t ssrc, rtx_ssrc
        rt_rtp_text rid
        bint active
        uint64_t max_bitrate

    ctypedef struct rt_media_section:
        rt_rtp_text mid
        bint video
        bint receive, send
        bint reduced_size
        rt_rtp_extension_map extensions
        const rt_media_format *formats
        size_t format_count
        const rt_media_source *sources
        size_t source_count
        const rt_rtp_text *rids
        size_t rid_count
        rt_time min_delay, max_delay
        bint passthrough
        rt_media_format send_format
        const rt_media_encoding *encodings
        size_t encoding_count

    ctypedef struct rt_media_stats:
        uint64_t packets_received, packets_sent, rtcp_received, rtcp_sent
        uint64_t unauthenticated, replayed, malformed, rtcp_malformed
        uint64_t unknown_ssrc, unknown_payload_type, streams_refused, collisions, unwanted, early, unprotected
        rt_bandwidth_stats bandwidth
        uint64_t remb_sent, twcc_sent, twcc_received
        uint64_t available_incoming
        int profile

    ctypedef struct rt_media_stream:
        uint8_t section, encoding
        rt_rtp_text rid
        bint inbound
        rt_receiver_stats receiver
        rt_sender_stats sender
        uint64_t target_bitrate

    void rt_media_config_default(rt_media_config *config)
    void rt_media_remove_section(rt_media *media, uint8_t section, rt_time now)
    rt_status rt_media_send(
        rt_media *media, uint8_t section, uint8_t encoding, const rt_frame *frame, rt_span data,
        rt_time captured, rt_time now)
    rt_status rt_media_set_encoding(
        rt_media *media, uint8_t section, uint8_t encoding, bint active, uint64_t max_bitrate, rt_time now)
    void rt_media_set_bitrate(rt_media *media, uint64_t min, uint64_t start, uint64_t max, rt_time now)
    rt_status rt_media_request_key_frame(rt_media *media, uint8_t section, uint8_t encoding, rt_time now)
    rt_status rt_media_set_delay(rt_media *media, uint8_t section, rt_time min_delay, rt_time max_delay)
    void rt_media_get_stats(const rt_media *media, rt_media_stats *out)
    bint rt_media_stream_next(rt_media *media, size_t *at, rt_media_stream *out, rt_time now)


cdef extern from "io/worker.h" nogil:
    rt_status rt_worker_start_media(rt_worker_peer *peer, rt_media_config *config)
    rt_status rt_worker_set_section(rt_worker_peer *peer, uint8_t section, const rt_media_section *config)


@cython.final
cdef class Media(Tenant):
    cdef Peer peer
    cdef list receivers  # by section
    cdef unsigned long long min_bitrate, start_bitrate, max_bitrate

    # Takes the worker's lock and gives the machine. ConnectionError when the peer is closed.
    cdef rt_media *enter(self) except NULL
    cdef int leave(self, rt_status status, str what) except -1


# From the Format of the stub, whose arguments it checks.
cdef int to_format(object format, rt_media_format *out) except -1
