"""RTP codecs: what this end can do by default, and when two codecs are the same (RFC 8829 section 4.2.6).

Two codecs match when a decoder of the one can take what an encoder of the other makes: name, clock rate and
channels are equal, and those format parameters that choose a variant of the codec. Other parameters are what
the receiver wishes (Opus: RFC 7587 section 7, stereo and bitrates among them) and do not count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from .codec_table import Codec, parameters_of

__all__ = ["RtpCodec", "answered", "check_codec", "codec_of", "default_codecs", "matches"]


AUXILIARY = frozenset({"red", "telephone-event", "cn"})


@dataclass(slots=True, frozen=True)
class RtpCodec:
    """One codec with its format parameters (a=rtpmap, a=fmtp) and the feedback it takes (a=rtcp-fb).

    `feedback` is spelled as in SDP: "nack", "nack pli", "ccm fir", "goog-remb", "transport-cc".
    """

    kind: str
    name: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""
    feedback: tuple[str, ...] = ()
    identity: tuple[str | int, ...] = field(init=False, repr=False, compare=False)
    """What makes it this codec: equal for codecs that match."""

    def __post_init__(self) -> None:
        name = self.name.lower()
        identity = (self.kind, name, self.clock_rate, self.channels, *_variant(name, self.parameters))
        object.__setattr__(self, "identity", identity)

    def __hash__(self) -> int:
        return hash((self.identity, self.parameters))

    @property
    def mime_type(self) -> str:
        """Kind and name, for example "video/VP8"."""
        return f"{self.kind}/{self.name}"

    @property
    def parameter_map(self) -> dict[str, str]:
        """`"a=1;b"` as `{"a": "1", "b": ""}`, names in lower case."""
        return parameters_of(self.parameters)

    @property
    def primary(self) -> bool:
        """Whether a track can be sent with it alone: not RED, telephone events or comfort noise."""
        return self.name.lower() not in AUXILIARY


def check_codec(codec: RtpCodec) -> None:
    if not isinstance(codec, RtpCodec):
        raise TypeError(f"a codec is one of rtcore.sdp.default_codecs(kind), not {codec!r}")


def matches(one: RtpCodec, other: RtpCodec) -> bool:
    """Whether they are the same codec, whatever their feedback."""
    return one.identity == other.identity


def _variant(name: str, text: str) -> tuple[str, ...]:
    """Those format parameters that make another codec of the same name."""
    if name not in ("h264", "h265", "vp9", "av1"):
        return ()
    parameters = parameters_of(text)
    if name == "h264":
        profile = h264_profile(parameters.get("profile-level-id", DEFAULT_H264))
        return parameters.get("packetization-mode", "0"), profile
    if name == "h265":
        mode = parameters.get("tx-mode", "SRST").upper()
        return parameters.get("profile-id", "1"), parameters.get("tier-flag", "0"), mode
    if name == "vp9":
        return (parameters.get("profile-id", "0"),)
    return (parameters.get("profile", "0"),)


DEFAULT_H264 = "420010"
"""Baseline at level 1: RFC 6184 section 8.1, where there is no profile-level-id."""

# profile_idc, bits of profile_iop that count, their value, name (RFC 6184 section 8.1, table 5)
_H264_PROFILES = (
    (0x42, 0x4F, 0x40, "constrained-baseline"),
    (0x4D, 0x8F, 0x80, "constrained-baseline"),
    (0x58, 0xCF, 0xC0, "constrained-baseline"),
    (0x42, 0x4F, 0x00, "baseline"),
    (0x58, 0xCF, 0x80, "baseline"),
    (0x4D, 0xAF, 0x00, "main"),
    (0x64, 0xFF, 0x00, "high"),
    (0x64, 0xFF, 0x0C, "constrained-high"),
    (0xF4, 0xFF, 0x00, "high-444"),
)


def h264_profile(profile_level_id: str) -> str:
    """The profile's name; for others, and for what is malformed, the text without its level."""
    try:
        number = int(profile_level_id, 16)
    except ValueError:
        return profile_level_id
    if len(profile_level_id) != 6:
        return profile_level_id
    for idc, mask, value, name in _H264_PROFILES:
        if number >> 16 == idc and (number >> 8) & mask == value:
            return name
    return profile_level_id[:4].lower()


def answered(ours: RtpCodec, offered: RtpCodec) -> RtpCodec:
    """What an answer says to an offered codec that matches `ours`: our parameters, with the level that both
    have where it must be the same in both directions, and the feedback of both."""
    parameters = _answered_parameters(ours, offered)
    if parameters != ours.parameters:
        ours = replace(ours, parameters=parameters)
    return with_feedback(ours, offered)


def with_feedback(codec: RtpCodec, other: RtpCodec) -> RtpCodec:
    """The codec with the feedback that `other` has, too."""
    if codec.feedback == other.feedback:
        return codec
    feedback = tuple(kind for kind in codec.feedback if kind in other.feedback)
    return codec if feedback == codec.feedback else replace(codec, feedback=feedback)


MAX_BLOCKS = 256
"""Characters of RED's parameters: more than 32 payload types with their slashes."""


def _answered_parameters(ours: RtpCodec, offered: RtpCodec) -> str:
    name = ours.name.lower()
    if name == "red" and len(offered.parameters) < MAX_BLOCKS:
        return offered.parameters  # payload types of the blocks (RFC 2198); an answer uses those of the offer
    if name not in ("h264", "h265") or ours.parameters == offered.parameters:
        return ours.parameters
    mine, theirs = ours.parameter_map, offered.parameter_map
    if name == "h264":
        both = mine.get("level-asymmetry-allowed") == theirs.get("level-asymmetry-allowed") == "1"
        if both or "profile-level-id" not in mine:
            return ours.parameters
        level = _lower_h264_level(mine["profile-level-id"], theirs.get("profile-level-id", DEFAULT_H264))
        kept = {k: v for k, v in mine.items() if k != "level-asymmetry-allowed"}
        return _written({**kept, "profile-level-id": level})
    if "level-id" in mine:
        level = theirs.get("level-id", "93")
        if level.isascii() and level.isdecimal() and len(level) < 4:
            return _written({**mine, "level-id": min(mine["level-id"], level, key=int)})
    return ours.parameters


def _lower_h264_level(ours: str, theirs: str) -> str:
    """The profile of the offer with the lower of both levels. Level 1b is set apart by constraint_set3 with
    level 11 in some profiles, and is taken for 1.1 here: a receiver of either can take what is sent at 1b."""
    return theirs[:4] + min(ours[4:].lower(), theirs[4:].lower())


def _written(parameters: dict[str, str]) -> str:
    return ";".join(f"{name}={value}" if value else name for name, value in parameters.items())


VIDEO_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
AUDIO_FEEDBACK = ("transport-cc", "nack")


def _h264(profile_level: str, mode: int) -> RtpCodec:
    parameters = f"level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile_level}"
    return RtpCodec("video", "H264", 90000, 1, parameters, VIDEO_FEEDBACK)


def _video(name: str, parameters: str = "") -> RtpCodec:
    return RtpCodec("video", name, 90000, 1, parameters, VIDEO_FEEDBACK)


DEFAULTS = {
    "audio": (
        RtpCodec("audio", "opus", 48000, 2, "minptime=10;useinbandfec=1", AUDIO_FEEDBACK),
        RtpCodec("audio", "red", 48000, 2, "", ("transport-cc",)),
        RtpCodec("audio", "G722", 8000, 1, "", AUDIO_FEEDBACK),
        RtpCodec("audio", "PCMU", 8000, 1, "", AUDIO_FEEDBACK),
        RtpCodec("audio", "PCMA", 8000, 1, "", AUDIO_FEEDBACK),
        RtpCodec("audio", "telephone-event", 48000, 1, "0-16"),
        RtpCodec("audio", "telephone-event", 8000, 1, "0-16"),
    ),
    "video": (
        _video("VP8"),
        _video("VP9", "profile-id=0"),
        _video("VP9", "profile-id=2"),
        _h264("42e01f", 1),
        _h264("42001f", 1),
        _h264("4d001f", 1),
        _h264("640c1f", 1),
        _h264("64001f", 1),
        _h264("42e01f", 0),
        _h264("42001f", 0),
        _video("AV1", "level-idx=5;profile=0;tier=0"),
        _video("H265", "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"),
    ),
}


_NAMES = {codec.name.lower(): codec.name for codecs in DEFAULTS.values() for codec in codecs}
"""Names are compared in any case (RFC 4855 section 3), and used in ours."""


def default_codecs(kind: str) -> tuple[RtpCodec, ...]:
    """All that this end knows of a kind, in order of preference. Video codecs are offered with RTX (RFC 4588)
    where a payload type is free for it; it is not listed. `ValueError` for a kind but "audio" and "video"."""
    if kind not in DEFAULTS:
        raise ValueError(f'kind must be "audio" or "video", not {kind!r}')
    return DEFAULTS[kind]


STATIC = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    13: ("CN", 8000, 1),
    26: ("JPEG", 90000, 1),
    34: ("H263", 90000, 1),
}
"""Payload types that need no a=rtpmap (RFC 3551 section 6)."""


def codec_of(kind: str, codec: Codec, feedback_for_all: Iterable[str] = ()) -> RtpCodec | None:
    """One payload type of a section; None if there is no a=rtpmap for it and it is not a static one."""
    name, clock_rate, channels = codec.name, codec.clock_rate, codec.channels or 1
    if not name:
        if codec.payload_type not in STATIC:
            return None
        name, clock_rate, channels = STATIC[codec.payload_type]
    feedback = (*codec.feedback, *feedback_for_all)
    usual = len(name) < 64 and len(codec.parameters) < 256 and len(feedback) < 16
    make = _remembered if usual else _codec
    return make(kind, name, clock_rate, channels, codec.parameters, feedback)


def _codec(
    kind: str, name: str, clock_rate: int, channels: int, parameters: str, feedback: tuple[str, ...]
) -> RtpCodec:
    name = _NAMES.get(name.lower(), name)
    return RtpCodec(kind, name, clock_rate, channels, parameters, tuple(dict.fromkeys(feedback)))


_remembered = lru_cache(1024)(_codec)
"""The same few codecs come with every connection. What is long is not kept: the other end chose it."""
