"""The statistics of media: codec, media-source, outbound-rtp, remote-inbound-rtp, inbound-rtp,
remote-outbound-rtp and media-playout, of what the core counts per stream and the senders per source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rtcore.sdp import RtpCodec

if TYPE_CHECKING:
    from .rtp_transceiver import RtpTransceiver
    from .stats import Builder

__all__ = ["SRTP_CIPHERS", "add_media", "audio_level"]

SRTP_CIPHERS = {
    1: "AES_CM_128_HMAC_SHA1_80",
    2: "AES_CM_128_HMAC_SHA1_32",
    7: "AEAD_AES_128_GCM",
    8: "AEAD_AES_256_GCM",
}
"""IANA names by number (RFC 5764, RFC 7714)."""
NO_LEVEL = 127
NTP_TO_UNIX = 2208988800


def audio_level(dbov: int) -> float | None:
    """0 to 1, of a level below full scale (RFC 6464); None where there is none."""
    return None if dbov == NO_LEVEL else 10.0 ** (-abs(dbov) / 20)


def add_media(builder: Builder, native: Mapping[str, Any], transceivers: Sequence[RtpTransceiver]) -> None:
    """`native` is what `Media.stats()` gives, empty while there is no media."""
    by_section = {one._data.index: one for one in transceivers if one._data.index is not None}
    adder = _Adder(builder)
    for one in transceivers:
        adder.source(one)
    for stream in native.get("outbound", ()):
        if stream["section"] in by_section:
            adder.outbound(stream, by_section[stream["section"]])
    sounds: list[Mapping[str, Any]] = []
    for stream in native.get("inbound", ()):
        if stream["section"] in by_section:
            adder.inbound(stream, by_section[stream["section"]])
            if by_section[stream["section"]].kind == "audio":
                sounds.append(stream)
    if sounds:
        adder.playout(sounds)


class _Adder:
    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def _add(self, id: str, type: str, **members: Any) -> str:
        return self._builder.add(id, type, **members)

    def codec(self, side: str, payload_type: int, codecs: Mapping[int, RtpCodec]) -> str | None:
        codec = codecs.get(payload_type)
        if codec is None:
            return None
        return self._add(
            f"C{side}T0_{payload_type}",
            "codec",
            transportId=self._builder.transport_id,
            payloadType=payload_type,
            mimeType=codec.mime_type,
            clockRate=codec.clock_rate,
            channels=codec.channels if codec.kind == "audio" else None,
            sdpFmtpLine=codec.parameters or None,
        )

    # What is sent

    def source(self, transceiver: RtpTransceiver) -> None:
        sender = transceiver.sender
        track, counted = sender.track, sender._source
        if track is None:
            return
        members: dict[str, Any] = {"trackIdentifier": track.id, "kind": track.kind}
        if track.kind == "audio":
            members["audioLevel"] = counted.audio_level
            members["totalAudioEnergy"] = counted.audio_energy
            members["totalSamplesDuration"] = counted.audio_duration
        else:
            members["width"], members["height"] = counted.width or None, counted.height or None
            members["frames"] = counted.frames
            members["framesPerSecond"] = counted.frames_per_second
        self._add(_source_id(transceiver), "media-source", **members)

    def outbound(self, stream: Mapping[str, Any], transceiver: RtpTransceiver) -> None:
        section = transceiver.receiver._section
        formats = section.send_formats if section is not None else ()
        codecs = {form.payload_type: form.codec for form in formats}
        codec_id = self.codec("O", stream["payload_type"], codecs)
        ssrc, kind = stream["ssrc"], transceiver.kind
        video = kind == "video"
        id, remote_id = f"OT0{kind[0].upper()}{ssrc}", f"RI{kind[0].upper()}{ssrc}"
        counted = transceiver.sender._source
        self._add(
            id,
            "outbound-rtp",
            ssrc=ssrc,
            kind=kind,
            transportId=self._builder.transport_id,
            codecId=codec_id,
            mid=transceiver.mid,
            rid=stream["rid"] or None,
            mediaSourceId=_source_id(transceiver) if transceiver.sender.track is not None else None,
            remoteId=remote_id if stream["reports"] else None,
            encodingIndex=stream["encoding"],
            active=stream["active"],
            packetsSent=stream["packets"],
            bytesSent=stream["bytes"],
            headerBytesSent=stream["header_bytes"],
            retransmittedPacketsSent=stream["retransmitted_packets"],
            retransmittedBytesSent=stream["retransmitted_bytes"],
            rtxSsrc=stream["rtx_ssrc"] or None,
            targetBitrate=stream["target_bitrate"],
            totalPacketSendDelay=stream["total_send_delay"],
            nackCount=stream["nacks"],
            firCount=stream["firs"] if video else None,
            pliCount=stream["plis"] if video else None,
            framesSent=stream["frames"] if video else None,
            framesEncoded=stream["frames"] if video else None,
            keyFramesEncoded=stream["key_frames"] if video else None,
            frameWidth=_scaled(counted.width, transceiver, stream) if video else None,
            frameHeight=_scaled(counted.height, transceiver, stream) if video else None,
            framesPerSecond=counted.frames_per_second if video else None,
            rtcore=stream,
        )
        if stream["reports"]:
            self._remote_inbound(remote_id, id, codec_id, stream, kind)

    def _remote_inbound(
        self, id: str, local_id: str, codec_id: str | None, stream: Mapping[str, Any], kind: str
    ) -> None:
        measured = stream["round_trip_measurements"]
        self._add(
            id,
            "remote-inbound-rtp",
            ssrc=stream["ssrc"],
            kind=kind,
            transportId=self._builder.transport_id,
            codecId=codec_id,
            localId=local_id,
            packetsReceived=max(0, stream["packets"] - stream["remote_lost"]),
            packetsLost=stream["remote_lost"],
            jitter=stream["remote_jitter"] / _rate(stream),
            fractionLost=stream["remote_fraction_lost"] / 256,
            roundTripTime=stream["round_trip"] if measured else None,
            totalRoundTripTime=stream["total_round_trip"],
            roundTripTimeMeasurements=measured,
        )

    # What is received

    def inbound(self, stream: Mapping[str, Any], transceiver: RtpTransceiver) -> None:
        section = transceiver.receiver._section
        formats = section.formats if section is not None else ()
        codecs = {form.payload_type: form.codec for form in formats}
        codec_id = self.codec("I", stream["payload_type"], codecs)
        ssrc, kind = stream["ssrc"], transceiver.kind
        id, remote_id = f"IT0{kind[0].upper()}{ssrc}", f"RO{kind[0].upper()}{ssrc}"
        rate = _rate(stream)
        emitted = stream["jitter_buffer_emitted"]
        self._add(
            id,
            "inbound-rtp",
            ssrc=ssrc,
            kind=kind,
            transportId=self._builder.transport_id,
            codecId=codec_id,
            mid=transceiver.mid,
            trackIdentifier=transceiver.receiver._track_of(stream["encoding"]).id,
            remoteId=remote_id if stream["reports"] else None,
            packetsReceived=stream["packets"],
            packetsLost=stream["packets_lost"],
            jitter=stream["jitter"] / rate,
            packetsDiscarded=stream["packets_discarded"],
            bytesReceived=stream["bytes"],
            headerBytesReceived=stream["header_bytes"],
            retransmittedPacketsReceived=stream["packets_recovered"],
            retransmittedBytesReceived=stream["bytes_recovered"],
            lastPacketReceivedTimestamp=self._builder.wall(stream["last_packet"] or None),
            nackCount=stream["nacks"],
            fecPacketsReceived=stream["fec_packets"],
            fecPacketsDiscarded=stream["fec_packets_discarded"],
            jitterBufferDelay=stream["jitter_buffer_delay"],
            jitterBufferTargetDelay=stream["jitter_buffer_target_delay"],
            jitterBufferMinimumDelay=stream["jitter_buffer_minimum_delay"],
            jitterBufferEmittedCount=emitted,
            **(_audio(stream, rate) if kind == "audio" else _video(stream, transceiver)),
            rtcore=stream,
        )
        if stream["reports"]:
            self._add(
                remote_id,
                "remote-outbound-rtp",
                ssrc=ssrc,
                kind=kind,
                transportId=self._builder.transport_id,
                codecId=codec_id,
                localId=id,
                packetsSent=stream["remote_packets"],
                bytesSent=stream["remote_bytes"],
                remoteTimestamp=(stream["remote_ntp"] / 2**32 - NTP_TO_UNIX) * 1000,
                reportsSent=stream["reports"],
            )

    def playout(self, sounds: Sequence[Mapping[str, Any]]) -> None:
        """What the jitter buffers let go: the playout itself is the application's."""
        self._add(
            "AP",
            "media-playout",
            kind="audio",
            synthesizedSamplesDuration=sum(one["concealed_samples"] / _rate(one) for one in sounds),
            synthesizedSamplesEvents=sum(one["concealment_events"] for one in sounds),
            totalSamplesDuration=sum(one["samples"] / _rate(one) for one in sounds),
            totalSamplesCount=sum(one["samples"] for one in sounds),
        )


def _rate(stream: Mapping[str, Any]) -> int:
    """Of its clock; 1 before a packet told it."""
    return int(stream["clock_rate"]) or 1


def _audio(stream: Mapping[str, Any], rate: int) -> dict[str, Any]:
    return {
        "audioLevel": audio_level(stream["audio_level"]),
        "totalAudioEnergy": stream["total_audio_energy"],
        "totalSamplesReceived": stream["samples"],
        "totalSamplesDuration": stream["samples"] / rate,
        "concealedSamples": stream["concealed_samples"],
        "silentConcealedSamples": stream["silent_concealed_samples"],
        "concealmentEvents": stream["concealment_events"],
        "insertedSamplesForDeceleration": stream["inserted_samples"],
        "removedSamplesForAcceleration": stream["removed_samples"],
        "playoutId": "AP",
    }


def _video(stream: Mapping[str, Any], transceiver: RtpTransceiver) -> dict[str, Any]:
    track = transceiver.receiver._track_of(stream["encoding"])
    return {
        "firCount": stream["firs"],
        "pliCount": stream["plis"],
        "framesReceived": stream["frames"],
        "framesDecoded": track.frames_decoded,
        "framesDropped": stream["frames_dropped"] + track.frames_dropped,
        "keyFramesDecoded": stream["key_frames"],
        "frameWidth": stream["width"] or None,
        "frameHeight": stream["height"] or None,
        "freezeCount": stream["freezes"],
        "totalFreezesDuration": stream["total_freezes_duration"],
        "totalAssemblyTime": stream["total_assembly_time"],
        "framesAssembledFromMultiplePackets": stream["frames_assembled_multiple"],
    }


def _source_id(transceiver: RtpTransceiver) -> str:
    return f"S{transceiver.kind[0].upper()}{transceiver._number}"


def _scaled(size: int, transceiver: RtpTransceiver, stream: Mapping[str, Any]) -> int | None:
    encodings = transceiver.sender._encodings()
    if not size or stream["encoding"] >= len(encodings):
        return None
    return max(2, int(size / encodings[stream["encoding"]].scale_resolution_down_by) & ~1)
