"""What every encoder and decoder is, whatever library does the work.

Both are synchronous and do one call at a time: they are called on `rtcore.media.pool`, each in a lane of
its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av

from rtcore.native.frame import EncodedFrame

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["Decoder", "Encoder", "Timeline"]


class Encoder(ABC):
    """Pictures or samples in, `EncodedFrame` out. `with` closes it."""

    def __init__(self, codec: RtpCodec) -> None:
        self.codec = codec

    @property
    @abstractmethod
    def bitrate(self) -> int:
        """What it aims at, bit/s. Setting it works from the next frame on."""

    @bitrate.setter
    @abstractmethod
    def bitrate(self, bitrate: int) -> None: ...

    @abstractmethod
    def encode(self, frame: av.VideoFrame | av.AudioFrame, *, key: bool = False) -> list[EncodedFrame]:
        """None, one or several frames, in the order of sending. `key`: one that can be decoded alone.

        Timestamps count the codec's RTP clock, follow the frame's `pts`, and always go on: where they would
        go back (another source took over), they continue instead. `TypeError` for a frame of the other
        kind, `CodecError` if the library refuses it."""

    @abstractmethod
    def close(self) -> None:
        """Gives back what it holds. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Decoder(ABC):
    """`EncodedFrame` in, pictures or samples out. `with` closes it."""

    def __init__(self, codec: RtpCodec) -> None:
        self.codec = codec

    @abstractmethod
    def decode(self, frame: EncodedFrame) -> list[av.VideoFrame] | list[av.AudioFrame]:
        """What comes of it, with `pts` and `time_base`, and the `EncodedFrame` as `opaque`. Audio that was
        `lost` is concealed. `CodecError` for what cannot be decoded; the next frame may be again."""

    @abstractmethod
    def close(self) -> None:
        """Gives back what it holds. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Timeline:
    """From a source's `pts` to the ticks of an RTP clock that only goes forward."""

    __slots__ = ("_last", "_offset", "clock_rate")

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self._offset = 0
        self._last: int | None = None

    def at(self, pts: int | None, time_base: Fraction | None, step: int) -> int:
        """The ticks of a frame; `step` after the last one where it has no time, or one that goes back."""
        if pts is None or not time_base:
            ticks = 0 if self._last is None else self._last + step
        else:
            own = pts * time_base.numerator * self.clock_rate // time_base.denominator
            ticks = own + self._offset
            if self._last is None:
                ticks = max(0, ticks)
            elif ticks <= self._last:
                ticks = self._last + step
            self._offset = ticks - own
        self._last = ticks
        return ticks
