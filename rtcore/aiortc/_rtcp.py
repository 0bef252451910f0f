"""RTCP packets with aiortc's names; read and written by `rtcore.native.rtcp`.

Where aiortc leaves the RFCs this does not: the chunks of an SDES end on a word each (RFC 3550 section 6.5), a
NACK's numbers turn over from 65535 to 0, and feedback other than NACK keeps what it says (`fci`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import pack
from typing import Any

from rtcore.native import rtcp

__all__ = [
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
    "AnyRtcpPacket",
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
    "clamp_packets_lost",
    "pack_packets_lost",
    "pack_remb_fci",
    "pack_rtcp_packet",
    "unpack_packets_lost",
    "unpack_remb_fci",
]

RTCP_HEADER_LENGTH = 4
FEEDBACK_HEADER_LENGTH = 12

PACKETS_LOST_MIN = -(1 << 23)
PACKETS_LOST_MAX = (1 << 23) - 1

RTCP_SR = 200
RTCP_RR = 201
RTCP_SDES = 202
RTCP_BYE = 203
RTCP_RTPFB = 205
RTCP_PSFB = 206

RTCP_RTPFB_NACK = 1

RTCP_PSFB_PLI = 1
RTCP_PSFB_SLI = 2
RTCP_PSFB_RPSI = 3
RTCP_PSFB_FIR = 4
RTCP_PSFB_APP = 15


def clamp_packets_lost(count: int) -> int:
    return max(PACKETS_LOST_MIN, min(count, PACKETS_LOST_MAX))


def pack_packets_lost(count: int) -> bytes:
    return count.to_bytes(3, "big", signed=True)


def unpack_packets_lost(d: bytes) -> int:
    return int.from_bytes(d, "big", signed=True)


def pack_rtcp_packet(packet_type: int, count: int, payload: bytes) -> bytes:
    """The packet. `ValueError` for a payload that does not end on a word."""
    if len(payload) % 4:
        raise ValueError(f"the payload of an RTCP packet ends on a word of 4 bytes, not at {len(payload)}")
    return bytes(rtcp.Unknown(packet_type, count, payload))


def pack_remb_fci(bitrate: int, ssrcs: list[int]) -> bytes:
    """What a REMB says (draft-alvestrand-rmcat-remb-03), behind the header of its feedback."""
    return bytes(rtcp.Remb(0, bitrate, ssrcs))[FEEDBACK_HEADER_LENGTH:]


def unpack_remb_fci(data: bytes) -> tuple[int, list[int]]:
    """The bitrate and the SSRCs of a REMB. `ValueError` for what is none."""
    packet = _parse(RTCP_PSFB, RTCP_PSFB_APP, bytes(8) + data)
    if not isinstance(packet, rtcp.Remb):
        raise ValueError("Invalid REMB prefix")
    return packet.bitrate, list(packet.sources)


def _parse(packet_type: int, count: int, payload: bytes) -> rtcp.RtcpPacket:
    (packet,) = rtcp.parse_compound(pack_rtcp_packet(packet_type, count, payload))
    return packet


@dataclass
class RtcpReceiverInfo:
    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    lsr: int
    dlsr: int

    def __bytes__(self) -> bytes:
        return bytes(rtcp.Rr(0, [self._block()]))[8:]

    @classmethod
    def parse(cls, data: bytes) -> RtcpReceiverInfo:
        (report,) = RtcpRrPacket.parse(bytes(4) + data, 1).reports
        return report

    @classmethod
    def _of(cls, block: rtcp.ReportBlock) -> RtcpReceiverInfo:
        return cls(
            ssrc=block.ssrc,
            fraction_lost=block.fraction_lost,
            packets_lost=block.lost,
            highest_sequence=block.highest,
            jitter=block.jitter,
            lsr=block.last_sr,
            dlsr=block.delay,
        )

    def _block(self) -> rtcp.ReportBlock:
        return rtcp.ReportBlock(
            self.ssrc,
            fraction_lost=self.fraction_lost,
            lost=self.packets_lost,
            highest=self.highest_sequence,
            jitter=self.jitter,
            last_sr=self.lsr,
            delay=self.dlsr,
        )


@dataclass
class RtcpSenderInfo:
    ntp_timestamp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int

    def __bytes__(self) -> bytes:
        return bytes(RtcpSrPacket(0, self))[8:]

    @classmethod
    def parse(cls, data: bytes) -> RtcpSenderInfo:
        return RtcpSrPacket.parse(bytes(4) + data, 0).sender_info


@dataclass
class RtcpSourceInfo:
    ssrc: int
    items: list[tuple[Any, bytes]]


@dataclass
class RtcpByePacket:
    sources: list[int]

    def __bytes__(self) -> bytes:
        return bytes(rtcp.Bye(self.sources))

    @classmethod
    def parse(cls, data: bytes, count: int) -> RtcpByePacket:
        return cls._of(_parse(RTCP_BYE, count, data))

    @classmethod
    def _of(cls, packet: rtcp.RtcpPacket) -> RtcpByePacket:
        assert isinstance(packet, rtcp.Bye)
        return cls(sources=list(packet.sources))


@dataclass
class RtcpPsfbPacket:
    """Feedback about the payload (RFC 4585 section 6.3): PLI, FIR, REMB, ..."""

    fmt: int
    ssrc: int
    media_ssrc: int
    fci: bytes = b""

    def __bytes__(self) -> bytes:
        if self.fmt == RTCP_PSFB_PLI and not self.fci:
            return bytes(rtcp.Pli(self.ssrc, self.media_ssrc))
        return pack_rtcp_packet(RTCP_PSFB, self.fmt, pack("!LL", self.ssrc, self.media_ssrc) + self.fci)

    @classmethod
    def parse(cls, data: bytes, fmt: int) -> RtcpPsfbPacket:
        return cls(fmt, *_feedback(data))


@dataclass
class RtcpRrPacket:
    ssrc: int
    reports: list[RtcpReceiverInfo] = field(default_factory=list)

    def __bytes__(self) -> bytes:
        return bytes(rtcp.Rr(self.ssrc, [report._block() for report in self.reports]))

    @classmethod
    def parse(cls, data: bytes, count: int) -> RtcpRrPacket:
        return cls._of(_parse(RTCP_RR, count, data))

    @classmethod
    def _of(cls, packet: rtcp.RtcpPacket) -> RtcpRrPacket:
        assert isinstance(packet, rtcp.Rr)
        return cls(packet.ssrc, [RtcpReceiverInfo._of(block) for block in packet.blocks])


@dataclass
class RtcpRtpfbPacket:
    """Feedback about the transport (RFC 4585 section 6.2): `lost` of a NACK, `fci` of all others."""

    fmt: int
    ssrc: int
    media_ssrc: int
    lost: list[int] = field(default_factory=list)
    fci: bytes = b""

    def __bytes__(self) -> bytes:
        fci = self.fci
        if self.lost:
            nack = bytes(rtcp.Nack(self.ssrc, self.media_ssrc, self.lost))
            if self.fmt == RTCP_RTPFB_NACK:
                return nack
            fci = nack[FEEDBACK_HEADER_LENGTH:]
        return pack_rtcp_packet(RTCP_RTPFB, self.fmt, pack("!LL", self.ssrc, self.media_ssrc) + fci)

    @classmethod
    def parse(cls, data: bytes, fmt: int) -> RtcpRtpfbPacket:
        ssrc, media_ssrc, fci = _feedback(data)
        if fmt != RTCP_RTPFB_NACK or not fci:
            return cls(fmt, ssrc, media_ssrc, fci=fci)
        nack = _parse(RTCP_RTPFB, fmt, data)
        assert isinstance(nack, rtcp.Nack)
        return cls(fmt, ssrc, media_ssrc, list(nack.lost))


@dataclass
class RtcpSdesPacket:
    """Chunks without items are left out."""

    chunks: list[RtcpSourceInfo] = field(default_factory=list)

    def __bytes__(self) -> bytes:
        return bytes(
            rtcp.Sdes(
                rtcp.SdesItem(chunk.ssrc, type_, value)
                for chunk in self.chunks
                for type_, value in chunk.items
            )
        )

    @classmethod
    def parse(cls, data: bytes, count: int) -> RtcpSdesPacket:
        return cls._of(_parse(RTCP_SDES, count, data))

    @classmethod
    def _of(cls, packet: rtcp.RtcpPacket) -> RtcpSdesPacket:
        assert isinstance(packet, rtcp.Sdes)
        chunks: list[RtcpSourceInfo] = []
        for item in packet.items:
            if not chunks or chunks[-1].ssrc != item.ssrc:
                chunks.append(RtcpSourceInfo(ssrc=item.ssrc, items=[]))
            chunks[-1].items.append((item.type, item.text))
        return cls(chunks)


@dataclass
class RtcpSrPacket:
    ssrc: int
    sender_info: RtcpSenderInfo
    reports: list[RtcpReceiverInfo] = field(default_factory=list)

    def __bytes__(self) -> bytes:
        info = self.sender_info
        return bytes(
            rtcp.Sr(
                self.ssrc,
                ntp=info.ntp_timestamp,
                rtp_time=info.rtp_timestamp,
                packets=info.packet_count,
                octets=info.octet_count,
                blocks=[report._block() for report in self.reports],
            )
        )

    @classmethod
    def parse(cls, data: bytes, count: int) -> RtcpSrPacket:
        return cls._of(_parse(RTCP_SR, count, data))

    @classmethod
    def _of(cls, packet: rtcp.RtcpPacket) -> RtcpSrPacket:
        assert isinstance(packet, rtcp.Sr)
        info = RtcpSenderInfo(packet.ntp, packet.rtp_time, packet.packets, packet.octets)
        return cls(packet.ssrc, info, [RtcpReceiverInfo._of(block) for block in packet.blocks])


AnyRtcpPacket = (
    RtcpByePacket | RtcpPsfbPacket | RtcpRrPacket | RtcpRtpfbPacket | RtcpSdesPacket | RtcpSrPacket
)

_REPORTS: dict[type[rtcp.RtcpPacket], Callable[[rtcp.RtcpPacket], AnyRtcpPacket]] = {
    rtcp.Sr: RtcpSrPacket._of,
    rtcp.Rr: RtcpRrPacket._of,
    rtcp.Sdes: RtcpSdesPacket._of,
    rtcp.Bye: RtcpByePacket._of,
}
_FEEDBACK: dict[int, Callable[[bytes, int], AnyRtcpPacket]] = {
    RTCP_RTPFB: RtcpRtpfbPacket.parse,
    RTCP_PSFB: RtcpPsfbPacket.parse,
}


class RtcpPacket:
    @classmethod
    def parse(cls, data: bytes) -> list[AnyRtcpPacket]:
        """The packets of a datagram that have a class here. `ValueError` if one is malformed."""
        packets: list[AnyRtcpPacket] = []
        for packet, (packet_type, count, payload) in zip(
            rtcp.parse_compound(data), _payloads(data), strict=True
        ):
            if report := _REPORTS.get(type(packet)):
                packets.append(report(packet))
            elif feedback := _FEEDBACK.get(packet_type):
                packets.append(feedback(payload, count))
        return packets


def _payloads(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, count or format, payload without padding) of each packet of a well-formed datagram."""
    at = 0
    while at < len(data):
        end = at + RTCP_HEADER_LENGTH + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        padding = data[end - 1] if data[at] & 0x20 else 0
        yield data[at + 1], data[at] & 0x1F, data[at + RTCP_HEADER_LENGTH : end - padding]
        at = end


def _feedback(payload: bytes) -> tuple[int, int, bytes]:
    """The sender, the source of media, and what is said about it (RFC 4585 section 6.1)."""
    if len(payload) < 8:
        raise ValueError("RTCP feedback length is invalid")
    return int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big"), payload[8:]
