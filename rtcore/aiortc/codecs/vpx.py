"""VP8 (RFC 7741). The three bitrates may be set by programs, and count for what is sent from then on."""

from __future__ import annotations

from rtcore.sdp import RtpCodec

from ._core import PACKET_MAX, CoreDecoder, VideoEncoder, depayloaded

__all__ = [
    "DEFAULT_BITRATE",
    "MAX_BITRATE",
    "MAX_FRAME_RATE",
    "MIN_BITRATE",
    "PACKET_MAX",
    "Vp8Decoder",
    "Vp8Encoder",
    "vp8_depayload",
]

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


def vp8_depayload(payload: bytes) -> bytes:
    """What a payload carries. `ValueError` if it is none of VP8."""
    return depayloaded("VP8", payload)
