"""How media is sent and received, as values: W3C RTCRtpSendParameters and RTCRtpReceiveParameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from rtcore.sdp import RtpCodec, SendEncoding

from .configuration import check_number

__all__ = ["RtpEncoding", "RtpReceiveParameters", "RtpSendParameters"]


@dataclass(slots=True)
class RtpEncoding:
    """One stream of a sender (W3C RTCRtpEncodingParameters). `rid` names it among several (simulcast) and is
    fixed once it was made.

    `active` False: nothing is sent. `max_bitrate`: bit/s, None for no limit. Of pictures:
    `scale_resolution_down_by`, 1 or more, divides width and height; None for 1, or for 2 to the power of the
    encodings after it if none of them says it. `max_framerate`: frames per second, None for all.
    """

    rid: str = ""
    active: bool = True
    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float | None = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """`TypeError` for what is of another type, `ValueError` for what is out of range."""
        if not isinstance(self.rid, str):
            raise TypeError(f"rid must be a str, not {self.rid!r}")
        if not isinstance(self.active, bool):
            raise TypeError(f"active must be a bool, not {self.active!r}")
        if self.max_bitrate is not None:
            check_number("max_bitrate", self.max_bitrate, 1, 10**12)
        if self.max_framerate is not None:
            check_number("max_framerate", self.max_framerate, 0.0, 1000.0)
        if self.scale_resolution_down_by is not None:
            check_number("scale_resolution_down_by", self.scale_resolution_down_by, 1.0, 1000.0)


@dataclass(slots=True)
class RtpSendParameters:
    """What `RtpSender.set_parameters()` takes: change it and give it back. `encodings` and `codec` can be
    changed; the rest tells what was negotiated.

    `codec`: one of `codecs`; None: the first that can be sent, in the other end's order.
    """

    encodings: list[RtpEncoding]
    codec: RtpCodec | None = None
    codecs: tuple[RtpCodec, ...] = ()
    header_extensions: Mapping[str, int] = field(default_factory=dict)
    mid: str | None = None
    cname: str = ""


@dataclass(slots=True, frozen=True)
class RtpReceiveParameters:
    """What was negotiated about what comes: `codecs` by payload type."""

    codecs: Mapping[int, RtpCodec]
    header_extensions: Mapping[str, int]
    rids: tuple[str, ...] = ()
    mid: str | None = None


def to_encodings(
    kind: str, encodings: Sequence[RtpEncoding | SendEncoding | Mapping[str, Any]]
) -> list[SendEncoding]:
    """Those that an application asks for, as the negotiation keeps them."""
    made = [_checked(encoding) for encoding in encodings]
    halved = kind == "video" and all(one.scale_resolution_down_by is None for one in made)
    out: list[SendEncoding] = []
    for place, one in enumerate(made):
        scale = one.scale_resolution_down_by
        if scale is None:
            scale = 2.0 ** (len(made) - 1 - place) if halved else 1.0
        out.append(SendEncoding(one.rid, one.active, one.max_bitrate, one.max_framerate, scale))
    return out


def _checked(encoding: RtpEncoding | SendEncoding | Mapping[str, Any]) -> RtpEncoding:
    if isinstance(encoding, RtpEncoding):
        encoding.check()
        return encoding
    if isinstance(encoding, SendEncoding):
        return from_encoding(encoding)
    if isinstance(encoding, Mapping):
        names = [field.name for field in fields(RtpEncoding)]
        if unknown := [name for name in encoding if name not in names]:
            raise TypeError(f"an encoding has {', '.join(names)}, not {unknown[0]!r}")
        return RtpEncoding(**encoding)
    raise TypeError(f"an encoding is an RtpEncoding, not {type(encoding).__name__}")


def from_encoding(encoding: SendEncoding) -> RtpEncoding:
    return RtpEncoding(
        encoding.rid,
        encoding.active,
        encoding.max_bitrate,
        encoding.max_framerate,
        encoding.scale_resolution_down_by,
    )
