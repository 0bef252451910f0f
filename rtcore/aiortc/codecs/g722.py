"""G.722: samples at 16 kHz, RTP times at 8 kHz (RFC 3551 section 4.5.2)."""

from __future__ import annotations

from fractions import Fraction

from rtcore.sdp import RtpCodec

from ._core import CoreDecoder, CoreEncoder

__all__ = ["G722Decoder", "G722Encoder"]

SAMPLE_RATE = 16000
SAMPLE_WIDTH = 2
SAMPLES_PER_FRAME = 320
TIME_BASE = Fraction(1, 16000)
CLOCK_BASE = Fraction(1, 8000)

G722 = RtpCodec("audio", "G722", 8000)


class G722Decoder(CoreDecoder):
    core = G722


class G722Encoder(CoreEncoder):
    core = G722
    from_zero = True
