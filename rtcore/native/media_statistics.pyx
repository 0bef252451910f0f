# cython: language_level=3
"""Statistics of a peer's media: copied under the worker's lock, then told as plain dicts."""

from libc.stdlib cimport free, realloc
from libc.string cimport memset

from rtcore.native.media cimport (
    rt_bandwidth_stats,
    rt_media_get_stats,
    rt_media_stream_next,
    rt_receiver_stats,
    rt_sender_stats,
)


cdef bint take_snapshot(rt_media *media, Snapshot *out, rt_time now) noexcept:
    cdef size_t at = 0, room = 0
    cdef rt_media_stream *grown
    memset(out, 0, sizeof(Snapshot))
    rt_media_get_stats(media, &out.media)
    while True:
        if out.count == room:
            room = 2 * room + 8
            grown = <rt_media_stream *>realloc(out.streams, room * sizeof(rt_media_stream))
            if grown is NULL:
                return False
            out.streams = grown
        if not rt_media_stream_next(media, &at, &out.streams[out.count], now):
            return True
        out.count += 1


cdef void free_snapshot(Snapshot *snapshot) noexcept:
    free(snapshot.streams)


cdef dict tell_bandwidth(const rt_bandwidth_stats *bandwidth):
    return {
        "target": bandwidth.target,
        "delay_based": bandwidth.delay_based,
        "loss_based": bandwidth.loss_based,
        "remb": bandwidth.remb,
        "acknowledged": bandwidth.acknowledged,
        "feedback": bandwidth.feedback,
        "feedback_malformed": bandwidth.feedback_malformed,
        "packets_lost": bandwidth.packets_lost,
        "probes": bandwidth.probes,
        "round_trip": bandwidth.round_trip / 1e9,
        "state": bandwidth.state,
    }


cdef dict tell_receiver(const rt_receiver_stats *receiver):
    return {
        "ssrc": receiver.ssrc,
        "payload_type": receiver.payload_type,
        "packets": receiver.packets,
        "bytes": receiver.bytes,
        "header_bytes": receiver.header_bytes,
        "packets_lost": receiver.packets_lost,
        "packets_discarded": receiver.packets_discarded,
        "packets_duplicate": receiver.packets_duplicate,
        "packets_malformed": receiver.packets_malformed,
        "packets_recovered": receiver.packets_recovered,
        "bytes_recovered": receiver.bytes_recovered,
        "unknown_payload_types": receiver.unknown_payload_types,
        "jumps": receiver.jumps,
        "jitter": receiver.jitter,
        "clock_rate": receiver.clock_rate,
        "nacks": receiver.nacks,
        "nack_packets": receiver.nack_packets,
        "plis": receiver.plis,
        "firs": receiver.firs,
        "frames": receiver.frames,
        "key_frames": receiver.key_frames,
        "frames_dropped": receiver.frames_dropped,
        "frames_assembled_multiple": receiver.frames_assembled_multiple,
        "total_assembly_time": receiver.total_assembly_time / 1e9,
        "freezes": receiver.freezes,
        "total_freezes_duration": receiver.total_freezes_duration / 1e9,
        "jitter_buffer_delay": receiver.jitter_buffer_delay / 1e9,
        "jitter_buffer_target_delay": receiver.jitter_buffer_target_delay / 1e9,
        "jitter_buffer_minimum_delay": receiver.jitter_buffer_minimum_delay / 1e9,
        "jitter_buffer_emitted": receiver.jitter_buffer_emitted,
        "target_delay": receiver.target_delay / 1e9,
        "samples": receiver.samples,
        "concealed_samples": receiver.concealed_samples,
        "silent_concealed_samples": receiver.silent_concealed_samples,
        "concealment_events": receiver.concealment_events,
        "inserted_samples": receiver.inserted_samples,
        "removed_samples": receiver.removed_samples,
        "fec_packets": receiver.fec_packets,
        "fec_packets_discarded": receiver.fec_packets_discarded,
        "total_audio_energy": receiver.total_audio_energy,
        "last_packet": receiver.last_packet / 1e9,
        "width": receiver.width,
        "height": receiver.height,
        "audio_level": receiver.audio_level,
        "reports": receiver.reports,
        "remote_packets": receiver.remote_packets,
        "remote_bytes": receiver.remote_bytes,
        "remote_ntp": receiver.remote_ntp,
        "queued_packets": receiver.queued_packets,
        "queued_frames": receiver.queued_frames,
    }


cdef dict tell_sender(const rt_sender_stats *sender):
    return {
        "ssrc": sender.ssrc,
        "rtx_ssrc": sender.rtx_ssrc,
        "payload_type": sender.payload_type,
        "active": sender.active,
        "packets": sender.packets,
        "bytes": sender.bytes,
        "header_bytes": sender.header_bytes,
        "retransmitted_packets": sender.retransmitted_packets,
        "retransmitted_bytes": sender.retransmitted_bytes,
        "frames": sender.frames,
        "key_frames": sender.key_frames,
        "frames_dropped": sender.frames_dropped,
        "nacks": sender.nacks,
        "nacked_packets": sender.nacked_packets,
        "nacks_unanswered": sender.nacks_unanswered,
        "plis": sender.plis,
        "firs": sender.firs,
        "total_send_delay": sender.total_send_delay / 1e9,
        "padding_bytes": sender.padding_bytes,
        "reports": sender.reports,
        "remote_lost": sender.remote_lost,
        "remote_jitter": sender.remote_jitter,
        "remote_fraction_lost": sender.remote_fraction_lost,
        "round_trip": sender.round_trip / 1e9,
        "total_round_trip": sender.total_round_trip / 1e9,
        "round_trip_measurements": sender.round_trip_measurements,
        "clock_rate": sender.clock_rate,
        "queued_packets": sender.queued_packets,
        "queued_bytes": sender.queued_bytes,
        "history_bytes": sender.history_bytes,
    }


cdef dict tell_stream(const rt_media_stream *stream):
    told = tell_receiver(&stream.receiver) if stream.inbound else tell_sender(&stream.sender)
    told["section"] = stream.section
    told["encoding"] = stream.encoding
    told["rid"] = stream.rid.data[:stream.rid.size].decode("ascii", "replace")
    if not stream.inbound:
        told["target_bitrate"] = stream.target_bitrate
    return told


cdef dict tell_snapshot(const Snapshot *snapshot):
    cdef const rt_media_stats *media = &snapshot.media
    cdef size_t i
    inbound = []
    outbound = []
    for i in range(snapshot.count):
        told = tell_stream(&snapshot.streams[i])
        if snapshot.streams[i].inbound:
            inbound.append(told)
        else:
            outbound.append(told)
    transport = {
        "packets_received": media.packets_received,
        "packets_sent": media.packets_sent,
        "rtcp_received": media.rtcp_received,
        "rtcp_sent": media.rtcp_sent,
        "unauthenticated": media.unauthenticated,
        "replayed": media.replayed,
        "malformed": media.malformed,
        "rtcp_malformed": media.rtcp_malformed,
        "unknown_ssrc": media.unknown_ssrc,
        "unknown_payload_type": media.unknown_payload_type,
        "streams_refused": media.streams_refused,
        "collisions": media.collisions,
        "unwanted": media.unwanted,
        "early": media.early,
        "unprotected": media.unprotected,
        "remb_sent": media.remb_sent,
        "twcc_sent": media.twcc_sent,
        "twcc_received": media.twcc_received,
        "available_incoming": media.available_incoming,
        "profile": media.profile,
        "bandwidth": tell_bandwidth(&media.bandwidth),
    }
    return {"transport": transport, "inbound": inbound, "outbound": outbound}
