"""Opus (RFC 7587). Stereo is sent as stereo, and mono as mono; what is decoded is always stereo."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import av

from rtcore.media import codecs
from rtcore.sdp import RtpCodec

from ._core import CoreDecoder, CoreEncoder

if TYPE_CHECKING:
    from av.frame import Frame

__all__ = ["OpusDecoder", "OpusEncoder"]

SAMPLE_RATE = 48000
SAMPLES_PER_FRAME = 960
TIME_BASE = Fraction(1, SAMPLE_RATE)

OPUS = RtpCodec("audio", "opus", SAMPLE_RATE, 2)


class OpusDecoder(CoreDecoder):
    core = OPUS
    options: ClassVar[dict[str, Any]] = {"channels": 2}


class OpusEncoder(CoreEncoder):
    core = OPUS
    from_zero = True

    def make(self, codec: RtpCodec, frame: Frame, bitrate: int | None) -> codecs.Encoder:
        mono = isinstance(frame, av.AudioFrame) and frame.layout.name == "mono"
        return codecs.create_encoder(codec, bitrate=bitrate, channels=1 if mono else 2)
