"""Session descriptions with aiortc's names (aiortc.sdp), over `rtcore.sdp`'s parser and writer.

Lines that aiortc has no field for are not in `str()` of a description, as with aiortc. What differs: a
malformed line raises `rtcore.SdpError` (a `ValueError`) with its number, a=rtcp-mux is written also where
there is no a=rtcp, and the protocol of a candidate is in lower case. `rtcore.sdp.parse` keeps every line.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rtcore.native.ice import Candidate
from rtcore.sdp import model, parse, write
from rtcore.sdp.writer import codec_lines

from . import rtp
from ._private import attributes_of
from .rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from .rtcicetransport import RTCIceCandidate, RTCIceParameters, _from_native, _to_native
from .rtcrtpparameters import (
    ParametersDict,
    RTCRtcpFeedback,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
)
from .rtcsctptransport import RTCSctpCapabilities

__all__ = [
    "DIRECTIONS",
    "DTLS_ROLE_SETUP",
    "DTLS_SETUP_ROLE",
    "FMTP_INT_PARAMETERS",
    "H264_PROFILE_PATTERNS",
    "SSRC_INFO_ATTRS",
    "BitPattern",
    "GroupDescription",
    "H264Level",
    "H264Profile",
    "MediaDescription",
    "SessionDescription",
    "SsrcDescription",
    "candidate_from_sdp",
    "candidate_to_sdp",
    "ipaddress_from_sdp",
    "ipaddress_to_sdp",
    "parameters_from_sdp",
    "parameters_to_sdp",
    "parse_h264_profile_level_id",
]

__getattr__ = attributes_of(__name__)

DIRECTIONS = ["inactive", "sendonly", "recvonly", "sendrecv"]

DTLS_ROLE_SETUP = {"auto": "actpass", "client": "active", "server": "passive"}
DTLS_SETUP_ROLE = {setup: role for role, setup in DTLS_ROLE_SETUP.items()}

FMTP_INT_PARAMETERS = ["apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec"]

SSRC_INFO_ATTRS = ["cname", "msid", "mslabel", "label"]


def _ranks(*names: str) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(names)}


_SESSION_RANKS = _ranks("v", "o", "s", "c", "t", "ice-lite", "group", "msid-semantic")
_MEDIA_RANKS = _ranks(
    *("m", "c", *DIRECTIONS, "extmap", "mid", "msid", "rtcp", "rtcp-mux", "ssrc-group", "ssrc", "rtpmap"),
    *("sctpmap", "sctp-port", "max-message-size", "candidate", "end-of-candidates"),
    *("ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup"),
)
"""aiortc's order of lines; "rtpmap" stands for all those of codecs."""


class BitPattern:
    """Eight bits, first the highest: 0, 1, or "x" for any."""

    def __init__(self, v: str) -> None:
        self._mask = int("".join("0" if bit == "x" else "1" for bit in v), 2)
        self._value = int(v.replace("x", "0"), 2)

    def matches(self, v: int) -> bool:
        return v & self._mask == self._value


class H264Profile(enum.Enum):
    PROFILE_CONSTRAINED_BASELINE = 0
    PROFILE_BASELINE = 1
    PROFILE_MAIN = 2
    PROFILE_CONSTRAINED_HIGH = 3
    PROFILE_HIGH = 4
    PROFILE_PREDICTIVE_HIGH_444 = 5


class H264Level(enum.IntEnum):
    LEVEL1_B = -1
    LEVEL1 = 10
    LEVEL1_1 = 11
    LEVEL1_2 = 12
    LEVEL1_3 = 13
    LEVEL2 = 20
    LEVEL2_1 = 21
    LEVEL2_2 = 22
    LEVEL3 = 30
    LEVEL3_1 = 31
    LEVEL3_2 = 32
    LEVEL4 = 40
    LEVEL4_1 = 41
    LEVEL4_2 = 42
    LEVEL5 = 50
    LEVEL5_1 = 51
    LEVEL5_2 = 52


H264_PROFILE_PATTERNS = [
    (0x42, BitPattern("x1xx0000"), H264Profile.PROFILE_CONSTRAINED_BASELINE),
    (0x4D, BitPattern("1xxx0000"), H264Profile.PROFILE_CONSTRAINED_BASELINE),
    (0x58, BitPattern("11xx0000"), H264Profile.PROFILE_CONSTRAINED_BASELINE),
    (0x42, BitPattern("x0xx0000"), H264Profile.PROFILE_BASELINE),
    (0x58, BitPattern("10xx0000"), H264Profile.PROFILE_BASELINE),
    (0x4D, BitPattern("0x0x0000"), H264Profile.PROFILE_MAIN),
    (0x64, BitPattern("00000000"), H264Profile.PROFILE_HIGH),
    (0x64, BitPattern("00001100"), H264Profile.PROFILE_CONSTRAINED_HIGH),
    (0xF4, BitPattern("00000000"), H264Profile.PROFILE_PREDICTIVE_HIGH_444),
]
"""profile_idc and profile_iop (RFC 6184 section 8.1)."""


def parse_h264_profile_level_id(profile_str: str) -> tuple[H264Profile, H264Level]:
    """What a profile-level-id says (RFC 6184 section 8.1). `ValueError` if it is none that is known."""
    if not isinstance(profile_str, str) or not re.fullmatch("[0-9A-Fa-f]{6}", profile_str):
        raise ValueError(f"expected 6 hexadecimal digits, got {profile_str!r}")
    profile_idc, profile_iop, level_idc = bytes.fromhex(profile_str)
    level = H264Level(level_idc)
    if level == H264Level.LEVEL1_1 and profile_iop & 0x10:
        level = H264Level.LEVEL1_B
    for idc, pattern, profile in H264_PROFILE_PATTERNS:
        if idc == profile_idc and pattern.matches(profile_iop):
            return profile, level
    raise ValueError(f"no profile has profile_idc = {profile_idc} and profile_iop = {profile_iop}")


def candidate_from_sdp(sdp: str) -> RTCIceCandidate:
    """The candidate of the value of an a=candidate line. `ValueError` if it is malformed."""
    return _from_native(Candidate.from_sdp("candidate:" + sdp))


def candidate_to_sdp(candidate: RTCIceCandidate) -> str:
    """The value of an a=candidate line. `ValueError` for fields that no candidate can have."""
    return _to_native(candidate).to_sdp().removeprefix("candidate:")


def ipaddress_from_sdp(sdp: str) -> str:
    """The address of "IN IP4 192.0.2.1". `ValueError` if it is not of that form."""
    match = re.fullmatch(r"IN IP[46] (\S+)\s*", sdp)
    if match is None:
        raise ValueError(f"expected IN IP4|IP6 and an address, got {sdp!r}")
    return match[1]


@lru_cache(maxsize=64)
def ipaddress_to_sdp(addr: str) -> str:
    return f"IN IP{ipaddress.ip_address(addr).version} {addr}"


def parameters_from_sdp(sdp: str) -> ParametersDict:
    """The parameters of an a=fmtp line; those of `FMTP_INT_PARAMETERS` are numbers."""
    parameters: ParametersDict = {}
    for item in sdp.split(";"):
        name, equals, value = item.partition("=")
        if not equals:
            parameters[name] = None
        else:
            parameters[name] = int(value) if name in FMTP_INT_PARAMETERS else value
    return parameters


def parameters_to_sdp(parameters: ParametersDict) -> str:
    return ";".join(name if value is None else f"{name}={value}" for name, value in parameters.items())


@dataclass
class GroupDescription:
    semantic: str
    items: list[int | str]

    def __str__(self) -> str:
        return f"{self.semantic} {' '.join(map(str, self.items))}"


@dataclass
class SsrcDescription:
    ssrc: int
    cname: str | None = None
    msid: str | None = None
    mslabel: str | None = None
    label: str | None = None


class MediaDescription:
    """One m-section. `str()` of it raises `ValueError` for what cannot be written."""

    def __init__(self, kind: str, port: int, profile: str, fmt: list[Any]) -> None:
        self.kind = kind
        self.port = port
        self.host: str | None = None
        self.profile = profile
        self.direction: str | None = None
        self.msid: str | None = None
        self.rtcp_port: int | None = None
        self.rtcp_host: str | None = None
        self.rtcp_mux = False
        self.ssrc: list[SsrcDescription] = []
        self.ssrc_group: list[GroupDescription] = []
        self.fmt = fmt
        self.rtp = RTCRtpParameters()
        self.sctpCapabilities: RTCSctpCapabilities | None = None
        self.sctpmap: dict[int, str] = {}
        self.sctp_port: int | None = None
        self.dtls: RTCDtlsParameters | None = None
        self.ice: RTCIceParameters | None = None
        self.ice_candidates: list[RTCIceCandidate] = []
        self.ice_candidates_complete = False
        self.ice_options: str | None = None

    def __str__(self) -> str:
        text = write(model.Description(model.Origin(0, 0), [self._to_model()]))
        codecs = [line for codec in self.rtp.codecs for line in _codec_lines(codec)]
        return _ordered("m=" + text.partition("m=")[2], _MEDIA_RANKS, "\r\n".join(codecs))

    @classmethod
    def _of(cls, media: model.Media, ice_lite: bool) -> MediaDescription:
        is_rtp = media.kind in ("audio", "video")
        self = cls(media.kind, media.port, media.protocol, list(map(int if is_rtp else str, media.formats)))
        if is_rtp and not set(rtp.FORBIDDEN_PAYLOAD_TYPES).isdisjoint(self.fmt):
            raise ValueError("payload types 72 to 76 would be taken for RTCP (RFC 5761)")
        self.host = ipaddress_from_sdp(media.connection) if media.connection else None
        self.direction = media.direction or None
        if media.msids:
            self.msid = f"{media.msids[-1].stream} {media.msids[-1].track}".rstrip()
        if media.rtcp:
            port, _, host = media.rtcp.partition(" ")
            self.rtcp_port = int(port)
            self.rtcp_host = ipaddress_from_sdp(host) if host else None
        self.rtcp_mux = media.rtcp_mux
        self.ssrc = [
            SsrcDescription(ssrc, **{name: found[name] for name in SSRC_INFO_ATTRS if name in found})
            for ssrc, found in media.sources.items()
        ]
        self.ssrc_group = [
            GroupDescription(group.semantics, list(group.sources)) for group in media.source_groups
        ]
        self.rtp = _rtp_of(media)
        if media.sctpmap:
            port, _, rest = media.sctpmap.partition(" ")
            self.sctpmap = {int(port): rest}
        self.sctp_port = media.sctp_port
        if media.max_message_size is not None:
            self.sctpCapabilities = RTCSctpCapabilities(maxMessageSize=media.max_message_size)
        if media.setup in DTLS_SETUP_ROLE:  # "holdconn" (RFC 4145) says that there is to be no transport yet
            fingerprints = [
                RTCDtlsFingerprint(one.algorithm, one.digest.hex(":").upper()) for one in media.fingerprints
            ]
            self.dtls = RTCDtlsParameters(fingerprints, DTLS_SETUP_ROLE[media.setup])
        self.ice = RTCIceParameters(
            usernameFragment=media.ice_ufrag or None, password=media.ice_pwd or None, iceLite=ice_lite
        )
        self.ice_candidates = [
            candidate_from_sdp(text.removeprefix("candidate:")) for text in media.candidates
        ]
        self.ice_candidates_complete = media.end_of_candidates
        self.ice_options = " ".join(media.ice_options) or None
        return self

    def _to_model(self) -> model.Media:
        ice = self.ice or RTCIceParameters()
        media = model.Media(
            self.kind,
            self.port,
            self.profile,
            list(map(str, self.fmt)),
            connection=ipaddress_to_sdp(self.host) if self.host is not None else "",
            mid=self.rtp.muxId,
            direction=self.direction or "",
            ice_ufrag=ice.usernameFragment or "",
            ice_pwd=ice.password or "",
            ice_options=(self.ice_options,) if self.ice_options is not None else (),
            candidates=["candidate:" + candidate_to_sdp(one) for one in self.ice_candidates],
            end_of_candidates=self.ice_candidates_complete,
            sctp_port=self.sctp_port,
            max_message_size=self.sctpCapabilities.maxMessageSize if self.sctpCapabilities else None,
            rtcp_mux=self.rtcp_mux,
            extensions=[model.Extension(one.id, one.uri) for one in self.rtp.headerExtensions],
            msids=[model.Msid(self.msid)] if self.msid else [],
            sources={one.ssrc: _source_to_model(one) for one in self.ssrc},
            source_groups=[
                model.SourceGroup(group.semantic, tuple(map(int, group.items))) for group in self.ssrc_group
            ],
            attributes=[("sctpmap", f"{port} {rest}") for port, rest in self.sctpmap.items()],
        )
        if self.dtls is not None:
            media.fingerprints = tuple(
                model.Fingerprint(one.algorithm, bytes.fromhex(one.value.replace(":", "")))
                for one in self.dtls.fingerprints
            )
            media.setup = DTLS_ROLE_SETUP[self.dtls.role]
        if self.rtcp_port is not None:
            host = f" {ipaddress_to_sdp(self.rtcp_host)}" if self.rtcp_host is not None else ""
            media.rtcp = f"{self.rtcp_port}{host}"
        return media


class SessionDescription:
    """A whole description. `str()` of it raises `ValueError` for what cannot be written."""

    def __init__(self) -> None:
        self.version = 0
        self.origin: str | None = None
        self.name = "-"
        self.time = "0 0"
        self.host: str | None = None
        self.group: list[GroupDescription] = []
        self.msid_semantic: list[GroupDescription] = []
        self.media: list[MediaDescription] = []
        self.type: str | None = None

    @classmethod
    def parse(cls, sdp: str) -> SessionDescription:
        """`rtcore.SdpError`, a `ValueError`, if it is malformed."""
        found = parse(sdp)
        origin = found.origin
        self = cls()
        self.origin = f"{origin.username} {origin.session_id} {origin.version} {origin.network}"
        self.name = found.name
        self.time = found.timing
        self.host = ipaddress_from_sdp(found.connection) if found.connection else None
        self.group = [GroupDescription(group.semantics, list(group.mids)) for group in found.groups]
        for name, value in found.attributes:
            if name == "msid-semantic" and value and (words := value.split()):
                self.msid_semantic.append(GroupDescription(words[0], list(words[1:])))
        self.media = [MediaDescription._of(media, found.ice_lite) for media in found.media]
        return self

    def webrtc_track_id(self, media: MediaDescription) -> str | None:
        """The id of the section's track, if it is of a stream that a=msid-semantic names."""
        if media not in self.media:
            raise ValueError("the section is not of this description")
        stream, _, track = (media.msid or "").partition(" ")
        for group in self.msid_semantic:
            if track and group.semantic == "WMS" and not {stream, "*"}.isdisjoint(map(str, group.items)):
                return track.split()[0]
        return None

    def __str__(self) -> str:
        fields = (self.origin or "").split(" ", 3)
        if len(fields) != 4:
            raise ValueError(
                f"origin is <user name> <session id> <version> IN IP4 <address>, not {self.origin!r}"
            )
        text = write(
            model.Description(
                model.Origin(int(fields[1]), int(fields[2]), fields[0], fields[3]),
                name=self.name,
                timing=self.time,
                connection=ipaddress_to_sdp(self.host) if self.host is not None else "",
                ice_lite=any(media.ice is not None and media.ice.iceLite for media in self.media),
                groups=[model.Group(group.semantic, tuple(map(str, group.items))) for group in self.group],
                attributes=[("msid-semantic", str(group)) for group in self.msid_semantic],
            )
        )
        return _ordered(text, _SESSION_RANKS) + "".join(map(str, self.media))


def _ordered(section: str, ranks: dict[str, int], block: str = "") -> str:
    """The lines of a section in aiortc's order; those of `block` stay together, where its first is to be."""
    lines = section.removesuffix("\r\n").split("\r\n")  # str.splitlines() knows other ends of lines, too
    if block:
        lines.append(block)
    lines.sort(key=lambda line: ranks[line[2:].partition(":")[0] if line[0] == "a" else line[0]])
    lines.append("")
    return "\r\n".join(lines)


def _rtp_of(media: model.Media) -> RTCRtpParameters:
    codecs = []
    for codec in media.codecs.values():
        if not codec.name:
            continue  # a static payload type (RFC 3551) without a=rtpmap
        feedback = [line.split(" ", 1) for line in (*media.codecs.feedback_for_all, *codec.feedback)]
        codecs.append(
            RTCRtpCodecParameters(
                mimeType=f"{media.kind}/{codec.name}",
                clockRate=codec.clock_rate,
                channels=(codec.channels or 1) if media.kind == "audio" else None,
                payloadType=codec.payload_type,
                rtcpFeedback=[RTCRtcpFeedback(*words) for words in feedback],
                parameters=parameters_from_sdp(codec.parameters) if codec.parameters else {},
            )
        )
    return RTCRtpParameters(
        muxId=media.mid,
        codecs=codecs,
        headerExtensions=[RTCRtpHeaderExtensionParameters(one.id, one.uri) for one in media.extensions],
    )


def _codec_lines(codec: RTCRtpCodecParameters) -> list[str]:
    """Not by way of a table of codecs (`rtcore.sdp.CodecTable`), of which this was half the cost."""
    if codec.payloadType is None:
        raise ValueError(f"{codec.name} has no payload type")
    return codec_lines(
        codec.payloadType,
        codec.name,
        codec.clockRate,
        codec.channels if codec.channels and codec.channels > 1 else None,
        parameters_to_sdp(codec.parameters),
        [f"{one.type} {one.parameter}" if one.parameter else one.type for one in codec.rtcpFeedback],
    )


def _source_to_model(source: SsrcDescription) -> dict[str, str]:
    return {name: value for name in SSRC_INFO_ATTRS if (value := getattr(source, name)) is not None}
