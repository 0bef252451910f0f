"""How media is sent and received, as values: W3C RTCRtpSendParameters and RTCRtpReceiveParameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtcore.sdp import RtpCodec, SendEncoding

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
        """`ValueError` for what is out of range."""
        if self.max_bitrate is not None and not 0 < self.max_bitrate <= 10**12:
            raise ValueError(f"max_bitrate must be bit/s above 0, not {self.max_bitrate!r}")
        if self.max_framerate is not None and not 0 <= self.max_framerate <= 1000:
            raise ValueError(f"max_framerate must be from 0 to 1000, not {self.max_framerate!r}")
        scale = self.scale_resolution_down_by
        if scale is not None and not 1 <= scale <= 1000:
            raise ValueError(f"scale_resolution_down_by must be 1 or more, not {scale!r}")


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
