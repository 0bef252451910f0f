"""VP8 (RFC 7741). The three bitrates may be set by programs, and count for what is sent from then on."""

from __future__ import annotations

from dataclasses import dataclass
from operator import length_hint
from typing import Self

from rtcore.sdp import RtpCodec

from .._private import attributes_of
from ._core import PACKET_MAX, CoreDecoder, VideoEncoder

__all__ = [
    "DEFAULT_BITRATE",
    "MAX_BITRATE",
    "MAX_FRAME_RATE",
    "MIN_BITRATE",
    "PACKET_MAX",
    "Vp8Decoder",
    "Vp8Encoder",
    "VpxPayloadDescriptor",
    "vp8_depayload",
]

__getattr__ = attributes_of(__name__)

DEFAULT_BITRATE = 500_000
MIN_BITRATE = 250_000
MAX_BITRATE = 1_500_000

MAX_FRAME_RATE = 30

VP8 = RtpCodec("video", "VP8", 90000)


class Vp8Decoder(CoreDecoder):
    core = VP8


class Vp8Encoder(VideoEncoder):
    core = VP8

    def limits(self) -> tuple[int, int, int]:
        return MIN_BITRATE, DEFAULT_BITRATE, MAX_BITRATE


@dataclass
class VpxPayloadDescriptor:
    """What a payload begins with (RFC 7741 section 4.2). `tid`: temporal layer and its Y bit."""

    partition_start: int
    partition_id: int
    picture_id: int | None = None
    tl0picidx: int | None = None
    tid: tuple[int, int] | None = None
    keyidx: int | None = None

    def __bytes__(self) -> bytes:
        first = self.partition_start << 4 | self.partition_id
        fields = bytearray()
        if self.picture_id is not None:
            fields += (0x8000 | self.picture_id).to_bytes(2)
        if self.tl0picidx is not None:
            fields.append(self.tl0picidx)
        if self.tid is not None or self.keyidx is not None:
            layer, switch = self.tid or (0, 0)
            fields.append(layer << 6 | switch << 5 | (self.keyidx or 0))
        there = (self.picture_id, self.tl0picidx, self.tid, self.keyidx)
        flags = sum((value is not None) << (7 - place) for place, value in enumerate(there))
        return bytes([first | 0x80, flags]) + fields if flags else bytes([first])

    @classmethod
    def parse(cls, data: bytes) -> tuple[Self, bytes]:
        """The descriptor, and what comes after it. `ValueError` if it is cut off."""
        data = bytes(data)
        rest = iter(data)
        try:
            first = next(rest)
            made = cls((first >> 4) & 1, first & 0xF)
            flags = next(rest) if first & 0x80 else 0
            if flags & 0x80:
                number = next(rest)
                made.picture_id = (number & 0x7F) << 8 | next(rest) if number & 0x80 else number
            if flags & 0x40:
                made.tl0picidx = next(rest)
            if flags & 0x30:
                layers = next(rest)
                made.tid = (layers >> 6, (layers >> 5) & 1) if flags & 0x20 else None
                made.keyidx = layers & 0x1F if flags & 0x10 else None
        except StopIteration:
            raise ValueError("the VPX descriptor is cut off") from None
        return made, data[len(data) - length_hint(rest) :]


def vp8_depayload(payload: bytes) -> bytes:
    """What a payload carries. `ValueError` if it is none of VP8."""
    return VpxPayloadDescriptor.parse(payload)[1]
