"""Tracks in aiortc's form: pulled with `recv()`, events of pyee. Programs derive theirs from them.

A sender does not take them as they are: `rtcore.aiortc._tracks` has the way to `rtcore.media`."""

from __future__ import annotations

import asyncio
import time
from abc import ABCMeta, abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from av import AudioFrame, VideoFrame

from rtcore.errors import TrackEndedError

from ._emitter import Emitter

if TYPE_CHECKING:
    from av.frame import Frame
    from av.packet import Packet

__all__ = [
    "AUDIO_PTIME",
    "VIDEO_CLOCK_RATE",
    "VIDEO_PTIME",
    "VIDEO_TIME_BASE",
    "AudioStreamTrack",
    "MediaStreamError",
    "MediaStreamTrack",
    "TimeBase",
    "VideoStreamTrack",
    "convert_timebase",
]

AUDIO_PTIME = 0.020
VIDEO_CLOCK_RATE = 90000
VIDEO_PTIME = 1 / 30
VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK_RATE)

SILENCE_RATE = 8000
GREEN_SIZE = (640, 480)


class TimeBase(Protocol):
    """A fraction of a second: `fractions.Fraction`, or what PyAV has in its place."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def convert_timebase(pts: int, from_base: TimeBase, to_base: TimeBase) -> int:
    """The same time in units of another base, rounded towards zero."""
    if from_base == to_base:
        return pts
    scale = Fraction(from_base.numerator, from_base.denominator) / Fraction(
        to_base.numerator, to_base.denominator
    )
    return int(pts * scale)


class MediaStreamError(TrackEndedError):
    """There are no more frames."""


class MediaStreamTrack(Emitter, metaclass=ABCMeta):
    """A source of frames. A subclass has a `kind` and `recv()`; it may be made on any thread.

    Event: "ended", once; its handlers are forgotten then."""

    kind = "unknown"

    def __init__(self) -> None:
        super().__init__()
        self.__ended = False

    @cached_property
    def _id(self) -> str:
        return str(uuid4())

    @property
    def id(self) -> str:
        """A UUID, or the name that the other end gave it."""
        return self._id

    @property
    def readyState(self) -> str:
        """ "live" or "ended"."""
        return "ended" if self.__ended else "live"

    @abstractmethod
    async def recv(self) -> Frame | Packet[Any]:
        """The next frame when its time has come, or a packet that is encoded already. `MediaStreamError`
        after the last."""

    def stop(self) -> None:
        """Ends it. Idempotent."""
        if not self.__ended:
            self.__ended = True
            self.emit("ended")
            self.remove_all_listeners()


class _Paced(MediaStreamTrack):
    """Makes its frames itself, in real time. `_start` and `_timestamp` are there from the first frame on:
    programs that pace their own frames by them find them as in aiortc."""

    _start: float
    """By `time.time()`."""
    _timestamp: int

    async def _next(self, ticks: int, rate: int) -> int:
        """Waits until `ticks` after the last frame; the time of this one."""
        if self.readyState != "live":
            raise MediaStreamError("the track has ended")
        if not hasattr(self, "_timestamp"):
            self._start, self._timestamp = time.time(), 0
            return 0
        self._timestamp += ticks
        await asyncio.sleep(self._start + self._timestamp / rate - time.time())
        return self._timestamp


class AudioStreamTrack(_Paced):
    """Silence: 20 ms of 8 kHz mono at a time. A subclass overrides `recv()`."""

    kind = "audio"

    async def recv(self) -> Frame | Packet[Any]:
        samples = int(AUDIO_PTIME * SILENCE_RATE)
        pts = await self._next(samples, SILENCE_RATE)
        frame = AudioFrame(format="s16", layout="mono", samples=samples)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.sample_rate, frame.time_base = pts, SILENCE_RATE, Fraction(1, SILENCE_RATE)
        return frame


class VideoStreamTrack(_Paced):
    """Green pictures of 640 x 480, 30 a second. A subclass overrides `recv()`, and may pace itself with
    `next_timestamp()`."""

    kind = "video"

    async def next_timestamp(self) -> tuple[int, Fraction]:
        """Waits until the next of 30 pictures a second is due; its time and time base."""
        return await self._next(int(VIDEO_PTIME * VIDEO_CLOCK_RATE), VIDEO_CLOCK_RATE), VIDEO_TIME_BASE

    async def recv(self) -> Frame | Packet[Any]:
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(*GREEN_SIZE)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.time_base = pts, time_base
        return frame
