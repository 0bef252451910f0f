"""Which codecs there are, and encoders and decoders of them by their parameters.

`CODECS` is what connections offer: programs may change it before they make one. rtcore has more codecs:
`RTCPeerConnection(codecs=rtcore.sdp.default_codecs("video"))`."""

from __future__ import annotations

from .._parameters import is_rtx
from .._private import attributes_of
from ..rtcrtpparameters import (
    ParametersDict,
    RTCRtcpFeedback,
    RTCRtpCapabilities,
    RTCRtpCodecCapability,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionCapability,
    RTCRtpHeaderExtensionParameters,
)
from .base import Decoder, Encoder
from .g711 import PcmaDecoder, PcmaEncoder, PcmuDecoder, PcmuEncoder
from .g722 import G722Decoder, G722Encoder
from .h264 import H264Decoder, H264Encoder, h264_depayload
from .opus import OpusDecoder, OpusEncoder
from .vpx import Vp8Decoder, Vp8Encoder, vp8_depayload

__all__ = [
    "CODECS",
    "HEADER_EXTENSIONS",
    "Decoder",
    "Encoder",
    "depayload",
    "get_capabilities",
    "get_decoder",
    "get_encoder",
    "is_rtx",
]

__getattr__ = attributes_of(__name__)

ENCODERS: dict[str, type[Encoder]] = {
    "audio/g722": G722Encoder,
    "audio/opus": OpusEncoder,
    "audio/pcma": PcmaEncoder,
    "audio/pcmu": PcmuEncoder,
    "video/h264": H264Encoder,
    "video/vp8": Vp8Encoder,
}
DECODERS: dict[str, type[Decoder]] = {
    "audio/g722": G722Decoder,
    "audio/opus": OpusDecoder,
    "audio/pcma": PcmaDecoder,
    "audio/pcmu": PcmuDecoder,
    "video/h264": H264Decoder,
    "video/vp8": Vp8Decoder,
}

G722_CODEC = RTCRtpCodecParameters("audio/G722", 8000, 1, 9)
PCMU_CODEC = RTCRtpCodecParameters("audio/PCMU", 8000, 1, 0)
PCMA_CODEC = RTCRtpCodecParameters("audio/PCMA", 8000, 1, 8)

FIRST_VIDEO = 97
"""Payload type; each video codec has the one after its own for retransmissions."""


def _h264(profile: str) -> ParametersDict:
    return {"level-asymmetry-allowed": "1", "packetization-mode": "1", "profile-level-id": profile}


def _video() -> list[RTCRtpCodecParameters]:
    made: list[RTCRtpCodecParameters] = []
    variants: list[tuple[str, ParametersDict]] = [
        ("video/VP8", {}),
        ("video/H264", _h264("42001f")),
        ("video/H264", _h264("42e01f")),
    ]
    for name, parameters in variants:
        number = FIRST_VIDEO + len(made)
        feedback = [RTCRtcpFeedback("nack"), RTCRtcpFeedback("nack", "pli"), RTCRtcpFeedback("goog-remb")]
        made.append(RTCRtpCodecParameters(name, 90000, None, number, feedback, parameters))
        made.append(RTCRtpCodecParameters("video/rtx", 90000, None, number + 1, [], {"apt": number}))
    return made


CODECS: dict[str, list[RTCRtpCodecParameters]] = {
    "audio": [RTCRtpCodecParameters("audio/opus", 48000, 2, 96), G722_CODEC, PCMU_CODEC, PCMA_CODEC],
    "video": _video(),
}

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
HEADER_EXTENSIONS: dict[str, list[RTCRtpHeaderExtensionParameters]] = {
    "audio": [
        RTCRtpHeaderExtensionParameters(1, MID),
        RTCRtpHeaderExtensionParameters(2, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
    ],
    "video": [
        RTCRtpHeaderExtensionParameters(1, MID),
        RTCRtpHeaderExtensionParameters(3, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
    ],
}


def depayload(codec: RTCRtpCodecParameters, payload: bytes) -> bytes:
    """What one RTP payload carries of its frame. `ValueError` if it is none of the codec."""
    if codec.name == "VP8":
        return vp8_depayload(payload)
    return h264_depayload(payload) if codec.name == "H264" else payload


def get_capabilities(kind: str) -> RTCRtpCapabilities:
    """What can be negotiated, RTX once. `ValueError` for another kind than "audio" and "video"."""
    if kind not in CODECS:
        raise ValueError(f'there is nothing of kind {kind!r}, only "audio" and "video"')
    found: list[RTCRtpCodecCapability] = []
    for codec in CODECS[kind]:
        if not is_rtx(codec):
            made = RTCRtpCodecCapability(codec.mimeType, codec.clockRate, codec.channels, codec.parameters)
            found.append(made)
        elif not any(is_rtx(one) for one in found):
            found.append(RTCRtpCodecCapability(codec.mimeType, codec.clockRate))
    extensions = [RTCRtpHeaderExtensionCapability(one.uri) for one in HEADER_EXTENSIONS[kind]]
    return RTCRtpCapabilities(found, extensions)


def get_decoder(codec: RTCRtpCodecParameters) -> Decoder:
    """A new one. `ValueError` if there is none for it."""
    if codec.mimeType.lower() not in DECODERS:
        raise ValueError(f"there is no decoder for {codec.mimeType}")
    return DECODERS[codec.mimeType.lower()]()


def get_encoder(codec: RTCRtpCodecParameters) -> Encoder:
    """A new one. `ValueError` if there is none for it."""
    if codec.mimeType.lower() not in ENCODERS:
        raise ValueError(f"there is no encoder for {codec.mimeType}")
    return ENCODERS[codec.mimeType.lower()]()
