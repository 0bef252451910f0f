"""Tracks of rtcore's side of a call: a numbered picture, and watchers that recognise what comes.

The watchers answer `seen()` as `RemoteConnection.seen()` does for the other side, so that a test can ask both
ends the same question. What they look for is `content.py`, which is independent of rtcore.
"""

from __future__ import annotations

import asyncio
import contextlib
from fractions import Fraction
from typing import Any

import av
import numpy as np

import rtcore
from rtcore.media import MediaTrack, RemoteTrack

from . import content
from .process import Json, Watched

HEARD = 0.2  # seconds of sound in which a frequency is looked for: 5 Hz apart
KEPT = 2000  # numbers of pictures


class Picture(MediaTrack):
    """A user's own source: pictures numbered from `first` on. `number`: that of the next."""

    kind = "video"

    def __init__(self, width: int = 640, height: int = 360, *, first: int = 0, frame_rate: int = 30) -> None:
        self.width, self.height, self.number, self.frame_rate = width, height, first, frame_rate
        self._pts = 0
        self._begin: float | None = None

    async def recv(self) -> av.VideoFrame:
        if self.ready_state == "ended":
            raise rtcore.TrackEndedError("the picture was stopped")
        now = asyncio.get_running_loop().time()
        self._begin = now if self._begin is None else self._begin
        await asyncio.sleep(self._begin + self._pts / 90000 - now)
        picture = content.draw(self.number, self.width, self.height)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = self._pts, Fraction(1, 90000)
        self._pts += 90000 // self.frame_rate
        self.number += 1
        return frame


class Watcher(Watched):
    """Reads a track to its end. `error`: what ended it otherwise."""

    def __init__(self, track: RemoteTrack) -> None:
        super().__init__()
        self.track = track
        self.frames = 0
        self.ended = False
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for frame in self.track:
            self.frames += 1
            self.take(frame)
            self.changed()
        self.ended = True
        self.changed()

    def take(self, frame: Any) -> None:
        raise NotImplementedError

    async def seen(self, within: float = 30.0, **wanted: Any) -> Json:
        raise NotImplementedError

    async def close(self) -> None:
        """Raises what went wrong while it read."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Pictures(Watcher):
    """`numbers`: of the pictures that could be read; `sizes`: (width, height) of all, as they changed."""

    def __init__(self, track: RemoteTrack) -> None:
        self.numbers: list[int] = []
        self.sizes: list[tuple[int, int]] = []
        self.unreadable = 0
        self.brightness = 0.0
        super().__init__(track)

    def take(self, frame: av.VideoFrame) -> None:
        luma = frame.reformat(format="gray").to_ndarray()
        size = frame.width, frame.height
        if not self.sizes or self.sizes[-1] != size:
            self.sizes.append(size)
        number = content.read(luma)
        self.brightness = float(luma.mean())
        if number is None:
            self.unreadable += 1
        else:
            self.numbers.append(number)

    async def seen(self, within: float = 30.0, *, frames: int = 1, numbers: int = 0, **_: Any) -> Json:
        frame, first, unreadable = self.frames, len(self.numbers), self.unreadable
        await self.until(
            lambda: self.frames >= frame + frames and len(self.numbers) >= first + numbers, within
        )
        width, height = self.sizes[-1]
        return {
            "width": width,
            "height": height,
            "numbers": self.numbers[first:],
            "unreadable": self.unreadable - unreadable,
        }


class Sound(Watcher):
    """`samples`: the newest of the first channel, at `rate`."""

    def __init__(self, track: RemoteTrack) -> None:
        self.samples = np.zeros(0, np.int16)
        self.rate = 48000
        super().__init__(track)

    def take(self, frame: av.AudioFrame) -> None:
        self.rate = frame.sample_rate
        new = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
        self.samples = np.concatenate((self.samples, new))[-int(HEARD * self.rate) :]

    @property
    def frequency(self) -> float:
        """The loudest, Hz; 0: silence, or too short."""
        enough = len(self.samples) >= int(HEARD * self.rate)
        return content.loudest(self.samples, self.rate) if enough else 0.0

    async def seen(
        self, within: float = 30.0, *, frequency: float | None = None, tolerance: float = 15, **_: Any
    ) -> Json:
        if frequency is not None:
            await self.until(lambda: abs(self.frequency - frequency) <= tolerance, within)
        return {"frequency": self.frequency}


def watch(track: RemoteTrack) -> Watcher:
    return Pictures(track) if track.kind == "video" else Sound(track)
