"""H.264 (RFC 6184). The three bitrates may be set by programs, and count for what is sent from then on."""

from __future__ import annotations

from rtcore.sdp import RtpCodec

from ._core import PACKET_MAX, CoreDecoder, VideoEncoder, depayloaded

__all__ = [
    "DEFAULT_BITRATE",
    "MAX_BITRATE",
    "MAX_FRAME_RATE",
    "MIN_BITRATE",
    "PACKET_MAX",
    "H264Decoder",
    "H264Encoder",
    "h264_depayload",
]

DEFAULT_BITRATE = 1_000_000
MIN_BITRATE = 500_000
MAX_BITRATE = 3_000_000

MAX_FRAME_RATE = 30

PARAMETERS = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
H264 = RtpCodec("video", "H264", 90000, 1, PARAMETERS)


class H264Decoder(CoreDecoder):
    core = H264


class H264Encoder(VideoEncoder):
    core = H264

    def limits(self) -> tuple[int, int, int]:
        return MIN_BITRATE, DEFAULT_BITRATE, MAX_BITRATE


def h264_depayload(payload: bytes) -> bytes:
    """What a payload carries, in Annex B form. `ValueError` if it is none of H.264."""
    return depayloaded("H264", payload)
