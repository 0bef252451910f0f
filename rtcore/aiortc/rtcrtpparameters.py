"""Capabilities and parameters of media, as values: the dictionaries of ORTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "ParametersDict",
    "RTCRtcpFeedback",
    "RTCRtcpParameters",
    "RTCRtpCapabilities",
    "RTCRtpCodecCapability",
    "RTCRtpCodecParameters",
    "RTCRtpCodingParameters",
    "RTCRtpDecodingParameters",
    "RTCRtpEncodingParameters",
    "RTCRtpHeaderExtensionCapability",
    "RTCRtpHeaderExtensionParameters",
    "RTCRtpParameters",
    "RTCRtpReceiveParameters",
    "RTCRtpRtxParameters",
    "RTCRtpSendParameters",
]

ParametersDict: TypeAlias = dict[str, int | str | None]
"""Of a=fmtp, by name. None: a name without a value."""


@dataclass
class RTCRtpCodecCapability:
    """A codec that can be negotiated. `mimeType`: "audio/PCMU"; `clockRate` in Hz; `channels`: None for
    video."""

    mimeType: str
    clockRate: int
    channels: int | None = None
    parameters: ParametersDict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Without its kind: "PCMU"."""
        return self.mimeType.split("/")[1]


@dataclass
class RTCRtpCodecParameters:
    """A codec that was negotiated: a capability with its payload type and the feedback it takes."""

    mimeType: str
    clockRate: int
    channels: int | None = None
    payloadType: int | None = None
    rtcpFeedback: list[RTCRtcpFeedback] = field(default_factory=list)
    parameters: ParametersDict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Without its kind: "PCMU"."""
        return self.mimeType.split("/")[1]

    def __str__(self) -> str:
        return f"{self.name}/{self.clockRate}/2" if self.channels == 2 else f"{self.name}/{self.clockRate}"


@dataclass
class RTCRtpRtxParameters:
    """The stream of retransmissions (RFC 4588)."""

    ssrc: int


@dataclass
class RTCRtpCodingParameters:
    """One stream."""

    ssrc: int
    payloadType: int
    rtx: RTCRtpRtxParameters | None = None


class RTCRtpDecodingParameters(RTCRtpCodingParameters):
    """One stream that comes."""


class RTCRtpEncodingParameters(RTCRtpCodingParameters):
    """One stream that is sent."""


@dataclass
class RTCRtpHeaderExtensionCapability:
    """A header extension that can be negotiated."""

    uri: str


@dataclass
class RTCRtpHeaderExtensionParameters:
    """A header extension with its id in packets."""

    id: int
    uri: str


@dataclass
class RTCRtpCapabilities:
    """What can be sent or received of one kind."""

    codecs: list[RTCRtpCodecCapability] = field(default_factory=list)
    headerExtensions: list[RTCRtpHeaderExtensionCapability] = field(default_factory=list)


@dataclass
class RTCRtcpFeedback:
    """a=rtcp-fb: "nack", or "nack" with the parameter "pli"."""

    type: str
    parameter: str | None = None


@dataclass
class RTCRtcpParameters:
    """How RTCP goes. `mux`: on the same transport as RTP."""

    cname: str | None = None
    mux: bool = False
    ssrc: int | None = None


@dataclass
class RTCRtpParameters:
    """What a sender or receiver is told. `muxId`: the mid, empty if there is none."""

    codecs: list[RTCRtpCodecParameters] = field(default_factory=list)
    headerExtensions: list[RTCRtpHeaderExtensionParameters] = field(default_factory=list)
    muxId: str = ""
    rtcp: RTCRtcpParameters = field(default_factory=RTCRtcpParameters)


@dataclass
class RTCRtpReceiveParameters(RTCRtpParameters):
    """For `RTCRtpReceiver.receive()`."""

    encodings: list[RTCRtpDecodingParameters] = field(default_factory=list)


@dataclass
class RTCRtpSendParameters(RTCRtpParameters):
    """For `RTCRtpSender.send()`."""

    encodings: list[RTCRtpEncodingParameters] = field(default_factory=list)
