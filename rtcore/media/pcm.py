"""Audio for programs that listen and speak: numpy in the rate, channels and length that a model wants.

async with PcmReader(track, rate=16000, frame_samples=512) as reader:
    async for samples in reader: ...                 # int16, shape (512, 1)

voice = PcmTrack(rate=24000)                         # a track to send
await voice.write(samples)                           # as fast as it is made: it is played in its time
voice.clear()                                        # the other one speaks: be silent at once
await voice.wait_for_playout()
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Self, cast

import av
import numpy as np
from numpy.typing import NDArray

from rtcore.errors import TrackEndedError

from .clock import Pacer
from .closing import Closing
from .samples import Converter, Samples, SampleType, remixed, to_frame
from .track import MediaTrack

__all__ = ["PcmReader", "PcmTrack"]


class PcmReader(Closing):
    """The samples of an audio track, in blocks of one length: arrays of shape (samples, channels).

    It pulls the track: a reader that is slow makes the track's own queue drop the oldest, and that tells.
    Ends with the track; the last block is filled with silence. `async with` and `close()` stop reading, and
    stop the track where `stop_track` is set.
    """

    def __init__(
        self,
        track: MediaTrack,
        *,
        rate: int = 16000,
        channels: int = 1,
        frame_ms: float | None = None,
        frame_samples: int | None = None,
        dtype: SampleType = "int16",
        stop_track: bool = False,
    ) -> None:
        """Blocks of `frame_samples`, or `frame_ms` (20). int16 of full scale, or float32 from -1 to 1.
        `ValueError` for a track that is not audio, or numbers out of range."""
        if track.kind != "audio" or track.codec is not None:
            raise ValueError("samples come from an audio track that is not encoded")
        if frame_samples is None:
            frame_samples = round(rate * (20 if frame_ms is None else frame_ms) / 1000)
        elif frame_ms is not None:
            raise ValueError("frame_ms and frame_samples say the same: give one of them")
        if not 1 <= frame_samples <= 10 * rate:
            raise ValueError(f"a block must have from 1 sample to 10 s, not {frame_samples}")
        self.track, self.rate, self.channels, self.frame_samples = track, rate, channels, frame_samples
        self._converter = Converter(rate, channels, dtype)
        self._parts: deque[Samples] = deque()
        self._count = 0
        self._ended = False
        self._stop_track = stop_track

    async def read(self) -> Samples:
        """The next block. `TrackEndedError` after the last."""
        while self._count < self.frame_samples:
            if self._ended:
                raise TrackEndedError("the track has ended")
            try:
                frame = await self.track.recv()
            except TrackEndedError:
                self._ended = True
                if not self._count:
                    raise
                self._add(np.zeros((self.frame_samples - self._count, self.channels), self._converter.dtype))
            else:
                self._add(self._converter.convert(cast(av.AudioFrame, frame)))
        return self._take()

    def _add(self, samples: Any) -> None:
        self._parts.append(samples)
        self._count += len(samples)

    def _take(self) -> Samples:
        whole = self._parts[0] if len(self._parts) == 1 else np.concatenate(tuple(self._parts))
        block, left = whole[: self.frame_samples], whole[self.frame_samples :]
        self._parts.clear()
        self._parts.append(left)
        self._count = len(left)
        return block.copy()

    async def close(self) -> None:
        """Stops reading. Idempotent."""
        self._ended = True
        if self._stop_track:
            self.track.stop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Samples:
        try:
            return await self.read()
        except TrackEndedError:
            raise StopAsyncIteration from None


class PcmTrack(MediaTrack):
    """An audio track that plays what is written to it, in real time, and silence when there is nothing.

    What is written waits in a queue of `max_duration` seconds. `write()` waits while it is full, so that
    whoever makes speech faster than it is spoken is slowed down; `write_nowait()` drops the oldest instead,
    and says how much.
    """

    kind = "audio"

    def __init__(
        self, *, rate: int = 24000, channels: int = 1, frame_ms: float = 20, max_duration: float = 60.0
    ) -> None:
        """`frame_ms`: the length of the frames that `recv()` gives. `ValueError` for numbers out of range."""
        self._converter = Converter(rate, channels)  # checks both
        self.rate, self.channels = rate, channels
        self._frame_size = round(rate * frame_ms / 1000)
        self._limit = round(rate * max_duration)
        if not 0 < self._frame_size <= self._limit:
            raise ValueError("frame_ms must be positive, and max_duration longer")
        self._parts: deque[NDArray[np.int16]] = deque()
        self._queued = 0
        self._pts = 0
        self._pacer = Pacer()
        self._changed: set[asyncio.Future[None]] = set()
        self._played_until = 0.0
        self.samples_dropped = 0
        """How many samples `write_nowait()` dropped."""

    @property
    def queued_duration(self) -> float:
        """Seconds that wait to be played."""
        return self._queued / self.rate

    async def write(self, samples: NDArray[Any]) -> None:
        """Plays `samples` after what was written before: int16, or float from -1 to 1; shape (samples,) or
        (samples, channels). Waits until all are in the queue. `TrackEndedError` once the track is stopped."""
        rest = self._checked(samples)
        while len(rest):
            room = self._limit - self._queued
            if room <= 0:
                await self._change()
                continue
            self._put(rest[:room])
            rest = rest[room:]

    def write_nowait(self, samples: NDArray[Any]) -> int:
        """As `write()`, but does not wait: drops the oldest samples where there is no room. Returns how
        many."""
        new = self._checked(samples)
        dropped = max(0, self._queued + len(new) - self._limit)
        from_queue = min(dropped, self._queued)
        self._take(from_queue)
        self._put(new[dropped - from_queue :])
        self.samples_dropped += dropped
        return dropped

    def clear(self) -> float:
        """Drops what waits: the other one began to speak. Returns the seconds that will not be heard."""
        left = self.queued_duration
        self._parts.clear()
        self._queued = 0
        self._tell()
        return left

    async def wait_for_playout(self) -> None:
        """Until all that was written was played, or cleared. `TrackEndedError` if the track is stopped
        before."""
        while self._queued:
            await self._change()
        await self._pacer.until(self._pts / self.rate)  # the last frame was given out, and plays now

    async def recv(self) -> av.AudioFrame:
        self._check_live()
        await self._pacer.until(self._pts / self.rate)
        self._check_live()
        size = self._frame_size
        samples = self._take(min(size, self._queued))
        if len(samples) < size:
            samples = np.concatenate((samples, np.zeros((size - len(samples), self.channels), np.int16)))
        frame = to_frame(samples, self.rate, self._pts)
        self._pts += size
        return frame

    def stop(self) -> None:
        super().stop()
        self._tell()

    def _checked(self, samples: NDArray[Any]) -> NDArray[np.int16]:
        self._check_live()
        array = np.asarray(samples)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] not in (1, self.channels) or self.channels > 2 > array.shape[1]:
            raise ValueError(f"samples must have the shape (n,) or (n, {self.channels}), not {array.shape}")
        if array.dtype.kind == "f":
            array = np.clip(np.rint(array * 32767.0), -32768, 32767).astype(np.int16)
        elif array.dtype != np.int16:
            raise ValueError(f"samples must be int16 or float, not {array.dtype}")
        return cast("NDArray[np.int16]", remixed(array, self.channels)).copy()

    def _check_live(self) -> None:
        if self._ended:
            raise TrackEndedError("the track has ended")

    def _put(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            self._parts.append(samples)
            self._queued += len(samples)

    def _take(self, count: int) -> NDArray[np.int16]:
        taken: list[NDArray[np.int16]] = [np.zeros((0, self.channels), np.int16)]
        while count:
            part = self._parts.popleft()
            if len(part) > count:
                self._parts.appendleft(part[count:])
                part = part[:count]
            taken.append(part)
            self._queued -= len(part)
            count -= len(part)
        self._tell()
        return np.concatenate(taken)

    async def _change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.add(future)
        try:
            await future
        finally:
            self._changed.discard(future)
        self._check_live()

    def _tell(self) -> None:
        for future in self._changed:
            if not future.done():
                future.set_result(None)
