"""What containers and RTP call the same thing: codecs of streams in files as `RtpCodec`, and the other way
round."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from rtcore.sdp import RtpCodec

__all__ = ["ANNEX_B_FILTERS", "codec_of_stream", "file_codec", "name_of", "opus_header", "parameter_sets"]

NAMES = {
    "vp8": "VP8",
    "vp9": "VP9",
    "h264": "H264",
    "hevc": "H265",
    "av1": "AV1",
    "opus": "opus",
    "pcm_mulaw": "PCMU",
    "pcm_alaw": "PCMA",
    "adpcm_g722": "G722",
    "g722": "G722",
    "pcm_s16be": "L16",
}
"""FFmpeg's names of codecs, and SDP's."""

FILE_CODECS = {
    "vp8": "vp8",
    "vp9": "vp9",
    "h264": "h264",
    "h265": "hevc",
    "av1": "av1",
    "opus": "opus",
    "pcmu": "pcm_mulaw",
    "pcma": "pcm_alaw",
    "g722": "adpcm_g722",
    "l16": "pcm_s16be",
}

ANNEX_B_FILTERS = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
"""Bit stream filters that put start codes before the units, and parameter sets before key frames."""

H264_SPS, H264_PPS = 7, 8
H265_PARAMETER_SETS = (32, 33, 34)


def name_of(file: str | Path | BinaryIO) -> str:
    """What a file is called in messages."""
    return (
        file if isinstance(file, str) else str(getattr(file, "name", file) if hasattr(file, "read") else file)
    )


def file_codec(codec: RtpCodec) -> str | None:
    """FFmpeg's name of a codec; None if a file cannot have it."""
    return FILE_CODECS.get(codec.name.lower())


def codec_of_stream(stream: Any) -> RtpCodec | None:
    """What the packets of a stream are over RTP; None if RTP has no payload format for them here."""
    context = stream.codec_context
    name = NAMES.get(context.name) or NAMES.get(context.codec.canonical_name)
    if name is None:
        return None
    if stream.type == "video":
        parameters = _h264_parameters(bytes(context.extradata or b"")) if name == "H264" else ""
        return RtpCodec("video", name, 90_000, 1, parameters)
    rate, channels = int(context.sample_rate), int(context.layout.nb_channels)
    if name == "opus":
        return RtpCodec("audio", name, 48_000, 2, "sprop-stereo=1;stereo=1" if channels == 2 else "")
    if name in ("PCMU", "PCMA", "G722") and (channels != 1 or rate != (16_000 if name == "G722" else 8000)):
        return None
    return RtpCodec("audio", name, 8000 if name == "G722" else rate, channels)


def _h264_parameters(header: bytes) -> str:
    """`header`: as in MP4 (avcC, ISO 14496-15), where the profile is told first; or parameter sets in Annex
    B form."""
    if header[:1] == b"\1":
        profile = header[1:4].hex()
    else:
        sps = next((unit for unit in _units(header) if unit and unit[0] & 0x1F == H264_SPS), b"")
        profile = sps[1:4].hex() if len(sps) > 3 else "42e01f"
    return f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}"


def _units(data: bytes) -> list[bytes]:
    """The units of Annex B data without their start codes."""
    return [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")[1:]]


def parameter_sets(name: str, data: bytes) -> bytes:
    """Those of an H.264 or H.265 key frame, in Annex B form: what a file's header needs."""
    if name == "H264":
        kept = [unit for unit in _units(data) if unit and unit[0] & 0x1F in (H264_SPS, H264_PPS)]
    else:
        kept = [unit for unit in _units(data) if unit and unit[0] >> 1 & 0x3F in H265_PARAMETER_SETS]
    return b"".join(b"\0\0\0\1" + unit for unit in kept)


def opus_header(channels: int) -> bytes:
    """OpusHead (RFC 7845 section 5.1), at 48 kHz with 6.5 ms to skip."""
    return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 312, 48_000, 0, 0)
