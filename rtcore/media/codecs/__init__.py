"""Codecs: which there are, and encoders and decoders of them. The libraries are those of PyAV.

    encoder = codecs.create_encoder(codec, bitrate=1_000_000)
    for encoded in await lane.run(encoder.encode, picture): ...

A codec is an `RtpCodec`, as negotiated: its format parameters, which are the other end's wishes, are
followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import av

from . import ffmpeg, libopus, libvpx, opus, telephony, video, vpx
from .base import Decoder, Encoder

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = [
    "Decoder",
    "DecoderMaker",
    "Encoder",
    "EncoderMaker",
    "can_decode",
    "can_encode",
    "create_decoder",
    "create_encoder",
    "encoders",
]


class EncoderMaker(Protocol):
    """`create_encoder`, or what is in its place (`RtpSender.encoder`)."""

    def __call__(self, codec: RtpCodec, *, bitrate: int | None = None) -> Encoder: ...


class DecoderMaker(Protocol):
    """`create_decoder`, or what is in its place (`RemoteTrack.decoder`)."""

    def __call__(self, codec: RtpCodec, /) -> Decoder: ...


def encoders(name: str) -> list[str]:
    """FFmpeg's video encoders for the codec of this name that work here, hardware ones among them: what
    `library` of `create_encoder` may be. Opens each of them once, so the first call takes a while."""
    return [library for library in ffmpeg.LIBRARIES.get(name.lower(), {}) if ffmpeg.usable(name, library)]


def can_encode(codec: RtpCodec) -> bool:
    """Whether `create_encoder` has one for it."""
    name = codec.name.lower()
    if name == "opus":
        return libopus.available() and codec.clock_rate == libopus.RATE
    if name in telephony.LIBRARY:
        return True
    if name == "vp9" and codec.parameter_map.get("profile-id", "0") != "0":
        return False  # 10 bits, or more colour
    if name == "vp8" or name == "vp9":
        return libvpx.available(name.upper()) or ffmpeg.library_for(name) is not None
    return ffmpeg.library_for(name) is not None


def can_decode(codec: RtpCodec) -> bool:
    """Whether `create_decoder` has one for it."""
    name = codec.name.lower()
    if name == "opus":
        return libopus.available() and codec.clock_rate == libopus.RATE
    return name in telephony.LIBRARY or any(
        one in av.codecs_available for one in video.LIBRARIES.get(name, ())
    )


def create_encoder(codec: RtpCodec, *, bitrate: int | None = None, **options: Any) -> Encoder:
    """An encoder for a call. `bitrate` in bit/s; None: the codec's usual one.

    Options of all video encoders: `scale`, `max_frame_rate`; the others are those of the classes
    `opus.Encoder`, `telephony.Encoder`, `vpx.Encoder` (VP8, VP9) and `ffmpeg.Encoder` (the rest, and any
    with `library`). `ValueError` if there is no encoder for it or an option is out of range, `TypeError`
    for one it does not have."""
    name = codec.name.lower()
    if not can_encode(codec):
        raise ValueError(f"there is no encoder for {codec.mime_type}")
    if name == "opus":
        return opus.Encoder(codec, bitrate=bitrate, **options)
    if name in telephony.LIBRARY:
        return telephony.Encoder(codec, bitrate=bitrate, **options)
    if name in ("vp8", "vp9") and "library" not in options and libvpx.available(name.upper()):
        return vpx.Encoder(codec, bitrate=bitrate, **options)
    return ffmpeg.Encoder(codec, bitrate=bitrate, **options)


def create_decoder(codec: RtpCodec, **options: Any) -> Decoder:
    """A decoder. Options: `library` of the video decoders, FFmpeg's name of one; `channels` of Opus.
    `ValueError` if there is none."""
    name = codec.name.lower()
    if not can_decode(codec):
        raise ValueError(f"there is no decoder for {codec.mime_type}")
    if name == "opus":
        return opus.Decoder(codec, **options)
    if name in telephony.LIBRARY:
        return telephony.Decoder(codec, **options)
    return video.Decoder(codec, **options)
