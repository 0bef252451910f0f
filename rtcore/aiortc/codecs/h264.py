"""H.264 (RFC 6184). The three bitrates may be set by programs, and count for what is sent from then on."""

from __future__ import annotations

from dataclasses import dataclass
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
    "H264Decoder",
    "H264Encoder",
    "H264PayloadDescriptor",
    "h264_depayload",
]

__getattr__ = attributes_of(__name__)

DEFAULT_BITRATE = 1_000_000
MIN_BITRATE = 500_000
MAX_BITRATE = 3_000_000

MAX_FRAME_RATE = 30

NAL_TYPE_STAP_A, NAL_TYPE_FU_A = 24, 28
START_CODE = b"\0\0\0\1"

PARAMETERS = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
H264 = RtpCodec("video", "H264", 90000, 1, PARAMETERS)


class H264Decoder(CoreDecoder):
    core = H264


class H264Encoder(VideoEncoder):
    core = H264

    def limits(self) -> tuple[int, int, int]:
        return MIN_BITRATE, DEFAULT_BITRATE, MAX_BITRATE


@dataclass
class H264PayloadDescriptor:
    """What a payload begins with. `first_fragment`: whether a unit begins in it."""

    first_fragment: bool

    @classmethod
    def parse(cls, data: bytes) -> tuple[Self, bytes]:
        """The descriptor, and what the payload carries in Annex B form (RFC 6184 sections 5.6 to 5.8).
        `ValueError` for what is cut off, or of another packetization mode."""
        if len(data) < 2:
            raise ValueError("the NAL unit is cut off")
        kind = data[0] & 0x1F
        if 1 <= kind < NAL_TYPE_STAP_A:
            return cls(True), START_CODE + data
        if kind == NAL_TYPE_FU_A:
            begins = bool(data[1] & 0x80)
            header = START_CODE + bytes([data[0] & 0xE0 | data[1] & 0x1F]) if begins else b""
            return cls(begins), header + data[2:]
        if kind == NAL_TYPE_STAP_A:
            return cls(True), _aggregated(data)
        raise ValueError(f"NAL units of type {kind} are not for packetization mode 1")


def _aggregated(data: bytes) -> bytes:
    """The units of a STAP-A."""
    made, place = b"", 1
    while place < len(data):
        begin = place + 2
        place = begin + int.from_bytes(data[place:begin])
        if begin > len(data) or place > len(data):
            raise ValueError("the STAP-A is cut off")
        made += START_CODE + data[begin:place]
    return made


def h264_depayload(payload: bytes) -> bytes:
    """What a payload carries, in Annex B form. `ValueError` if it is none of H.264."""
    return H264PayloadDescriptor.parse(payload)[1]
