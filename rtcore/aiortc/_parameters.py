"""Codecs as aiortc writes them, and as `rtcore.sdp` does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from rtcore.sdp import RtpCodec, default_codecs
from rtcore.sdp.codecs import matches

from .rtcrtpparameters import ParametersDict, RTCRtcpFeedback, RTCRtpCodecCapability, RTCRtpCodecParameters

__all__ = ["capability_of", "codec_of", "is_rtx", "offered", "to_codec"]

INTEGERS = frozenset({"apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec"})


def codec_of(codec: RtpCodec, payload_type: int | None) -> RTCRtpCodecParameters:
    """As parameters, with the payload type that was negotiated."""
    return RTCRtpCodecParameters(
        codec.mime_type,
        codec.clock_rate,
        _channels(codec),
        payload_type,
        [_feedback(one) for one in codec.feedback],
        _parameters(codec),
    )


def capability_of(codec: RtpCodec) -> RTCRtpCodecCapability:
    """As a capability."""
    return RTCRtpCodecCapability(codec.mime_type, codec.clock_rate, _channels(codec), _parameters(codec))


def to_codec(codec: RTCRtpCodecCapability | RTCRtpCodecParameters) -> RtpCodec:
    """As rtcore has it: with the feedback and, where none are given, the parameters of the default codec that
    matches, if one does. What feedback parameters have themselves counts."""
    given = codec.rtcpFeedback if isinstance(codec, RTCRtpCodecParameters) else []
    feedback = tuple(f"{one.type} {one.parameter}" if one.parameter else one.type for one in given)
    return _made(codec.mimeType, codec.clockRate, codec.channels, tuple(codec.parameters.items()), feedback)


def offered(codecs: Iterable[RTCRtpCodecParameters]) -> list[RtpCodec]:
    """What a connection offers: with all the feedback that rtcore knows."""
    return [
        _made(one.mimeType, one.clockRate, one.channels, tuple(one.parameters.items()), ())
        for one in codecs
        if not is_rtx(one)
    ]


@lru_cache(256)
def _made(
    mime_type: str,
    clock_rate: int,
    channels: int | None,
    parameters: tuple[tuple[str, int | str | None], ...],
    feedback: tuple[str, ...],
) -> RtpCodec:
    kind, name = mime_type.split("/")
    text = ";".join(key if value is None else f"{key}={value}" for key, value in parameters)
    made = RtpCodec(kind, name, clock_rate, channels or 1, text, feedback)
    known = next((one for one in default_codecs(kind) if matches(one, made)), None)
    if known is None:
        return made
    return replace(known, parameters=text or known.parameters, feedback=feedback or known.feedback)


def is_rtx(codec: RTCRtpCodecCapability | RTCRtpCodecParameters) -> bool:
    """Whether it is the format of retransmissions, which rtcore adds by itself."""
    return codec.mimeType[-4:].lower() == "/rtx"


def _channels(codec: RtpCodec) -> int | None:
    return codec.channels if codec.kind == "audio" else None


def _feedback(text: str) -> RTCRtcpFeedback:
    kind, _, parameter = text.partition(" ")
    return RTCRtcpFeedback(kind, parameter or None)


def _parameters(codec: RtpCodec) -> ParametersDict:
    made: ParametersDict = {}
    for part in filter(None, (one.strip() for one in codec.parameters.split(";"))):
        name, equals, value = part.partition("=")
        made[name] = None if not equals else int(value) if name in INTEGERS and value.isdecimal() else value
    return made
