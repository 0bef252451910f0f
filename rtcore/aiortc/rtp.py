"""RTP and RTCP packets with aiortc's names (aiortc.rtp); read and written by `rtcore.native`.

Where aiortc leaves the RFCs this does not: the offset of the transmission time has its three bytes
(RFC 5450), id 15 ends a block of one-byte extensions, any profile of RFC 8285 is read. Values that do not fit
their field raise `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from av import AudioFrame

from rtcore.media.samples import level_of
from rtcore.native import rtp

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

ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000

_FIELDS = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": "mid",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id": "repaired_rtp_stream_id",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id": "rtp_stream_id",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": "abs_send_time",
    "urn:ietf:params:rtp-hdrext:toffset": "transmission_offset",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level": "audio_level",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": "transport_sequence_number",
}
"""The field of `HeaderExtensions` by the extension's name, in the order in which they are written."""


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


class HeaderExtensionsMap:
    """Which id stands for which field of `HeaderExtensions`."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._writers: list[tuple[str, int, _Writer]] = []

    def configure(self, parameters: RTCRtpParameters) -> None:
        ids = {name: id_ for id_, name in self._names.items()}
        for extension in parameters.headerExtensions:
            if name := _FIELDS.get(extension.uri):
                ids[name] = extension.id
        self._names = {id_: name for name, id_ in ids.items()}
        self._writers = [(name, id_, _writer(name)) for name in _FIELDS.values() if (id_ := ids.get(name))]

    def get(self, extension_profile: int, extension_value: bytes) -> HeaderExtensions:
        """The values of an extension block. `ValueError` for a malformed one."""
        values = HeaderExtensions()
        for id_, content in unpack_header_extensions(extension_profile, extension_value):
            if name := self._names.get(id_):
                setattr(values, name, _read(name, content))
        return values

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        """Profile and content of the extension block; (0, b"") without values."""
        elements = []
        for name, id_, write in self._writers:
            value = getattr(values, name)
            if value is not None:
                elements.append((id_, write(value)))
        return pack_header_extensions(elements)


_Writer = Callable[[Any], bytes]

_SIZES = {"abs_send_time": 3, "transmission_offset": 3, "audio_level": 1, "transport_sequence_number": 2}


def _read(name: str, content: bytes) -> Any:
    size = _SIZES.get(name)
    if size is None:
        return content.decode()
    if len(content) != size:
        raise ValueError(f"the header extension {name} has {size} bytes, not {len(content)}")
    number = int.from_bytes(content, "big", signed=name == "transmission_offset")
    return (number >= 0x80, number & 0x7F) if name == "audio_level" else number


def _writer(name: str) -> _Writer:
    size = _SIZES.get(name)
    if name == "audio_level":
        return _write_level
    return str.encode if size is None else partial(_write_number, name, size)


def _write_level(value: tuple[bool, int]) -> bytes:
    voice, level = value
    return bytes([(0x80 if voice else 0) | (level & 0x7F)])


def _write_number(name: str, size: int, value: int) -> bytes:
    try:
        return value.to_bytes(size, "big", signed=name == "transmission_offset")
    except OverflowError:
        raise ValueError(f"{value} does not fit the {size} bytes of {name}") from None


def is_rtcp(msg: bytes) -> bool:
    """Whether a datagram of RTP or RTCP is RTCP, by its second byte (RFC 5761 section 4)."""
    return rtp.is_rtcp(msg)


def padl(length: int) -> int:
    """How many bytes there are up to the next word of four."""
    return -length % 4


def unpack_header_extensions(extension_profile: int, extension_value: bytes) -> list[tuple[int, bytes]]:
    """(id, content) of each element of an extension block (RFC 8285). `ValueError` if one leaves it."""
    packet = rtp.RtpPacket()
    # padding may stand before elements, too: so one that is cut off stays cut off
    packet.block = (extension_profile, bytes(padl(len(extension_value))) + extension_value)
    return list(packet.elements)


def pack_header_extensions(extensions: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Profile and content of the block (RFC 8285), in the two-byte form where an id or a size needs it."""
    if not extensions:
        return 0, b""
    one_byte = True
    for id_, content in extensions:
        size = len(content)
        if not 0 < id_ < 256 or size > 255:
            raise ValueError(f"a header extension has an id from 1 to 255 and up to 255 bytes, not {id_}")
        one_byte = one_byte and id_ < 15 and 1 <= size <= 16
    block = bytearray()
    for id_, content in extensions:
        if one_byte:
            block.append(id_ << 4 | len(content) - 1)
        else:
            block += bytes((id_, len(content)))
        block += content
    block += bytes(padl(len(block)))
    return ONE_BYTE_PROFILE if one_byte else TWO_BYTE_PROFILE, bytes(block)


def compute_audio_level_dbov(frame: AudioFrame) -> int:
    """The level of a frame of 16-bit samples, -127 (silence) to 0 (RFC 6464)."""
    return level_of(frame.to_ndarray().reshape(-1, 1))


class RtpPacket:
    """`serialize()` raises `ValueError` for a value that does not fit its field."""

    version = 2

    def __init__(
        self,
        payload_type: int = 0,
        marker: int = 0,
        sequence_number: int = 0,
        timestamp: int = 0,
        ssrc: int = 0,
        payload: bytes = b"",
    ) -> None:
        self.marker = marker
        self.payload_type = payload_type
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.csrc: list[int] = []
        self.extensions = HeaderExtensions()
        self.payload = payload
        self.padding_size = 0

    def __repr__(self) -> str:
        return (
            f"RtpPacket(seq={self.sequence_number}, ts={self.timestamp}, marker={self.marker}, "
            f"payload={self.payload_type}, {len(self.payload)} bytes)"
        )

    @classmethod
    def parse(cls, data: bytes, extensions_map: HeaderExtensionsMap | None = None) -> RtpPacket:
        """Reads one datagram. `ValueError` when it is malformed."""
        found = rtp.RtpPacket.parse(data)
        packet = cls(
            payload_type=found.payload_type,
            marker=int(found.marker),
            sequence_number=found.sequence,
            timestamp=found.timestamp,
            ssrc=found.ssrc,
            payload=found.payload,
        )
        packet.csrc = list(found.csrcs)
        packet.padding_size = found.padding
        if found.block is not None and extensions_map is not None:
            packet.extensions = extensions_map.get(*found.block)
        return packet

    def serialize(self, extensions_map: HeaderExtensionsMap | None = None) -> bytes:
        """The packet's bytes; its padding is zeros."""
        packet = rtp.RtpPacket(
            self.payload,
            payload_type=self.payload_type,
            sequence=self.sequence_number,
            timestamp=self.timestamp,
            ssrc=self.ssrc,
            marker=bool(self.marker),
            csrcs=self.csrc,
            padding=self.padding_size,
        )
        if extensions_map is not None:
            profile, content = extensions_map.set(self.extensions)
            packet.block = (profile, content) if content else None
        return packet.serialize()


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
