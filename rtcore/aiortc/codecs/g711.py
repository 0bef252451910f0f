"""G.711 (RFC 3551 section 4.5.14)."""

from __future__ import annotations

from fractions import Fraction

from rtcore.sdp import RtpCodec

from ._core import CoreDecoder, CoreEncoder

__all__ = ["PcmDecoder", "PcmEncoder", "PcmaDecoder", "PcmaEncoder", "PcmuDecoder", "PcmuEncoder"]

SAMPLE_RATE = 8000
SAMPLE_WIDTH = 2
SAMPLES_PER_FRAME = 160
TIME_BASE = Fraction(1, 8000)

PCMA = RtpCodec("audio", "PCMA", SAMPLE_RATE)
PCMU = RtpCodec("audio", "PCMU", SAMPLE_RATE)


class PcmDecoder(CoreDecoder):
    """Of either law."""


class PcmEncoder(CoreEncoder):
    """Of either law."""


class PcmaDecoder(PcmDecoder):
    core = PCMA


class PcmaEncoder(PcmEncoder):
    core = PCMA


class PcmuDecoder(PcmDecoder):
    core = PCMU


class PcmuEncoder(PcmEncoder):
    core = PCMU
