"""RTP and RTCP packets with aiortc's names (aiortc.rtp); read and written by `rtcore.native`.

Where aiortc leaves the RFCs this does not: the offset of the transmission time has its three bytes
(RFC 5450), id 15 ends a block of one-byte extensions, any profile of RFC 8285 is read. Values that do not fit
their field raise `ValueError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from av import AudioFrame

from rtcore.media.samples import level_of
from rtcore.native import rtp
from rtcore.native.aiortc_rtp import ExtensionIds, PacketFields, pack_elements, unpack_elements

from ._rtcp import (
    PACKETS_LOST_MAX,
    PACKETS_LOST_MIN,
    RTCP_BYE,
    RTCP_HEADER_LENGTH,
    RTCP_PSFB,
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_PSFB_RPSI,
    RTCP_PSFB_SLI,
    RTCP_RR,
    RTCP_RTPFB,
    RTCP_RTPFB_NACK,
    RTCP_SDES,
    RTCP_SR,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    clamp_packets_lost,
    pack_packets_lost,
    pack_remb_fci,
    pack_rtcp_packet,
    unpack_packets_lost,
    unpack_remb_fci,
)

if TYPE_CHECKING:
    from .rtcrtpparameters import RTCRtpParameters

__all__ = [
    "DYNAMIC_PAYLOAD_TYPES",
    "FORBIDDEN_PAYLOAD_TYPES",
    "PACKETS_LOST_MAX",
    "PACKETS_LOST_MIN",
    "RTCP_BYE",
    "RTCP_HEADER_LENGTH",
    "RTCP_PSFB",
    "RTCP_PSFB_APP",
    "RTCP_PSFB_FIR",
    "RTCP_PSFB_PLI",
    "RTCP_PSFB_RPSI",
    "RTCP_PSFB_SLI",
    "RTCP_RR",
    "RTCP_RTPFB",
    "RTCP_RTPFB_NACK",
    "RTCP_SDES",
    "RTCP_SR",
    "RTP_HEADER_LENGTH",
    "RTP_HISTORY_SIZE",
    "AnyRtcpPacket",
    "HeaderExtensions",
    "HeaderExtensionsMap",
    "RtcpByePacket",
    "RtcpPacket",
    "RtcpPsfbPacket",
    "RtcpReceiverInfo",
    "RtcpRrPacket",
    "RtcpRtpfbPacket",
    "RtcpSdesPacket",
    "RtcpSenderInfo",
    "RtcpSourceInfo",
    "RtcpSrPacket",
    "RtpPacket",
    "clamp_packets_lost",
    "compute_audio_level_dbov",
    "is_rtcp",
    "pack_header_extensions",
    "pack_packets_lost",
    "pack_remb_fci",
    "pack_rtcp_packet",
    "padl",
    "unpack_header_extensions",
    "unpack_packets_lost",
    "unpack_remb_fci",
    "unwrap_rtx",
    "wrap_rtx",
]

RTP_HISTORY_SIZE = 128
"""aiortc's; rtcore keeps packets for retransmission by time and bytes, whatever this says."""

FORBIDDEN_PAYLOAD_TYPES = range(72, 77)
DYNAMIC_PAYLOAD_TYPES = range(96, 128)

RTP_HEADER_LENGTH = 12

_FIELDS = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": "mid",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id": "repaired_rtp_stream_id",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id": "rtp_stream_id",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": "abs_send_time",
    "urn:ietf:params:rtp-hdrext:toffset": "transmission_offset",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level": "audio_level",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": "transport_sequence_number",
}
"""The field of `HeaderExtensions` by the extension's name."""


@dataclass
class HeaderExtensions:
    """`audio_level`: (whether it is voice, 0 to 127 in -dBov)."""

    abs_send_time: int | None = None
    audio_level: Any = None
    mid: Any = None
    repaired_rtp_stream_id: Any = None
    rtp_stream_id: Any = None
    transmission_offset: int | None = None
    transport_sequence_number: int | None = None


class HeaderExtensionsMap(ExtensionIds):
    """Which id stands for which field of `HeaderExtensions`."""

    def __init__(self) -> None:
        super().__init__(HeaderExtensions)

    def configure(self, parameters: RTCRtpParameters) -> None:
        """Takes the ids of what `parameters` has of them; the others stay."""
        for extension in parameters.headerExtensions:
            if name := _FIELDS.get(extension.uri):
                self.set_id(name, extension.id)


def is_rtcp(msg: bytes) -> bool:
    """Whether a datagram of RTP or RTCP is RTCP, by its second byte (RFC 5761 section 4)."""
    return rtp.is_rtcp(msg)


def padl(length: int) -> int:
    """How many bytes there are up to the next word of four."""
    return -length % 4


def unpack_header_extensions(extension_profile: int, extension_value: bytes) -> list[tuple[int, bytes]]:
    """(id, content) of each element of an extension block (RFC 8285). `ValueError` if one leaves it."""
    return unpack_elements(extension_profile, extension_value)


def pack_header_extensions(extensions: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Profile and content of the block (RFC 8285), in the two-byte form where an id or a size needs it."""
    return pack_elements(extensions)


def compute_audio_level_dbov(frame: AudioFrame) -> int:
    """The level of a frame of 16-bit samples, -127 (silence) to 0 (RFC 6464)."""
    return level_of(frame.to_ndarray().reshape(-1, 1))


class RtpPacket(PacketFields):
    """`serialize()` raises `ValueError` for a value that does not fit its field."""

    version = 2
    _extensions = HeaderExtensions

    def __repr__(self) -> str:
        return (
            f"RtpPacket(seq={self.sequence_number}, ts={self.timestamp}, marker={self.marker}, "
            f"payload={self.payload_type}, {len(self.payload)} bytes)"
        )


def unwrap_rtx(rtx: RtpPacket, payload_type: int, ssrc: int) -> RtpPacket:
    """The packet that a retransmission (RFC 4588) carries. `ValueError` for a payload too short."""
    if len(rtx.payload) < 2:
        raise ValueError("a retransmission begins with the two bytes of its sequence number")
    packet = RtpPacket(
        payload_type=payload_type,
        marker=rtx.marker,
        sequence_number=int.from_bytes(rtx.payload[:2], "big"),
        timestamp=rtx.timestamp,
        ssrc=ssrc,
        payload=rtx.payload[2:],
    )
    packet.csrc = rtx.csrc
    packet.extensions = rtx.extensions
    return packet


def wrap_rtx(packet: RtpPacket, payload_type: int, sequence_number: int, ssrc: int) -> RtpPacket:
    """The retransmission (RFC 4588) of a packet."""
    rtx = RtpPacket(
        payload_type=payload_type,
        marker=packet.marker,
        sequence_number=sequence_number,
        timestamp=packet.timestamp,
        ssrc=ssrc,
        payload=packet.sequence_number.to_bytes(2, "big") + packet.payload,
    )
    rtx.csrc = packet.csrc
    rtx.extensions = packet.extensions
    return rtx
