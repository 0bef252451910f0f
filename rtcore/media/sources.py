"""Tracks from one's own frames: numpy arrays or encoded frames, from a generator or pushed in.

    VideoSource(draw(), frame_rate=25)          # a generator, plain or asynchronous
    screen = VideoSource(); screen.push(array)  # when there is one
    EncodedSource(frames(), codec)

What comes from a generator is paced to real time; a plain generator runs on the shared threads, an
asynchronous one on the event loop. One that raises ends the track, and readers get its error as the cause
of theirs.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, cast

import av
import numpy as np
from numpy.typing import NDArray

from rtcore.errors import TrackEndedError
from rtcore.native.frame import EncodedFrame

from .clock import Pacer
from .pool import Lane
from .queue import FrameQueue
from .samples import to_frame
from .track import MediaTrack

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["AudioSource", "EncodedSource", "VideoSource"]

T = TypeVar("T")

Stream: TypeAlias = Iterable[T] | AsyncIterable[T]

CLOCK_RATE = 90_000


class _Generated(Generic[T]):
    """The next item of any kind of generator."""

    def __init__(self, items: Stream[T]) -> None:
        self._async: AsyncIterator[T] | None = None
        self._plain: Iterator[T] | None = None
        if isinstance(items, AsyncIterable):
            self._async = aiter(items)
        else:
            self._plain = iter(items)
        self._lane = Lane()

    async def next(self) -> T:
        """`TrackEndedError` after the last, or with what the generator raised as its cause."""
        try:
            if self._async is not None:
                return await anext(self._async)
            found, item = await self._lane.run(self._step)
        except StopAsyncIteration:
            raise TrackEndedError("the source has no more frames") from None
        except Exception as error:
            raise TrackEndedError(f"the source failed: {error!r}") from error
        if not found:
            raise TrackEndedError("the source has no more frames")
        return cast(T, item)

    def _step(self) -> tuple[bool, T | None]:  # StopIteration cannot be passed on to a future
        assert self._plain is not None
        for item in self._plain:
            return True, item
        return False, None


class VideoSource(MediaTrack):
    """A video track of arrays or `av.VideoFrame`.

    Arrays are as `format` says: "rgb24" and "bgr24" (height, width, 3), "gray" (height, width), "yuv420p"
    (height * 3 / 2, width), and what else `av.VideoFrame.from_ndarray` takes.
    """

    _names: ClassVar[tuple[str, ...]] = (*MediaTrack._names, "framesdropped")
    kind = "video"

    def __init__(
        self,
        frames: Stream[NDArray[Any] | av.VideoFrame] | None = None,
        *,
        frame_rate: float = 30,
        format: str = "rgb24",
        limit: int = 2,
        label: str = "",
    ) -> None:
        """`frames`: where they come from, `frame_rate` of them per second. None: they are pushed, and up to
        `limit` of them wait for the reader; then the oldest is dropped (`frames_dropped`, event
        "framesdropped")."""
        if frame_rate <= 0:
            raise ValueError(f"frame_rate must be positive, not {frame_rate!r}")
        self.label = label
        self._rate = Fraction(frame_rate).limit_denominator(1001)
        self._format = format
        self._items = None if frames is None else _Generated(frames)
        self._queue: FrameQueue[av.VideoFrame] = FrameQueue(limit)
        self._pacer = Pacer()
        self._count = 0
        self._began = 0.0

    @property
    def frames_dropped(self) -> int:
        """How many pushed frames were not read in time."""
        return self._queue.dropped

    async def recv(self) -> av.VideoFrame:
        if self._ended and not len(self._queue):
            raise TrackEndedError("the track has ended")
        if self._items is None:
            return await self._queue.get()
        try:
            item = await self._items.next()
        except TrackEndedError:
            self._end()
            raise
        number = self._count
        self._count += 1
        await self._pacer.until(float(number / self._rate))
        return self._framed(item, int(number * CLOCK_RATE / self._rate))

    def push(self, frame: NDArray[Any] | av.VideoFrame, *, time_of: float | None = None) -> None:
        """Gives the track its next frame. `time_of`: when it was taken, seconds of any clock that only goes
        forward; None: now. From the event loop's thread. `TrackEndedError` once the track is stopped."""
        if self._items is not None:
            raise TypeError("this source has a generator")
        if self._ended:
            raise TrackEndedError("the track has ended")
        moment = time.monotonic() if time_of is None else time_of
        if not self._count:
            self._began = moment
        self._count += 1
        if not self._queue.put(self._framed(frame, round((moment - self._began) * CLOCK_RATE))):
            self._emit("framesdropped", 1)

    def _framed(self, frame: NDArray[Any] | av.VideoFrame, pts: int) -> av.VideoFrame:
        if not isinstance(frame, av.VideoFrame):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=self._format)
        frame.pts, frame.time_base = pts, Fraction(1, CLOCK_RATE)
        return frame

    def _end(self) -> None:
        self._queue.close(lambda: TrackEndedError("the track has ended"))
        super()._end()


class AudioSource(MediaTrack):
    """An audio track of arrays: int16, or float32 from -1 to 1, shape (samples,) or (samples, channels), of
    any length. To push sound in, take a `PcmTrack`."""

    kind = "audio"

    def __init__(self, samples: Stream[NDArray[Any]], *, rate: int = 48000, label: str = "") -> None:
        """`rate`: samples per second."""
        if not 1000 <= rate <= 384_000:
            raise ValueError(f"rate must be from 1000 to 384000 Hz, not {rate!r}")
        self.label = label
        self._rate = rate
        self._items = _Generated(samples)
        self._pacer = Pacer()
        self._pts = 0

    async def recv(self) -> av.AudioFrame:
        if self._ended:
            raise TrackEndedError("the track has ended")
        try:
            block = np.asarray(await self._items.next())
        except TrackEndedError:
            self._end()
            raise
        if block.ndim == 1:
            block = block[:, None]
        if block.dtype == np.float64:
            block = block.astype(np.float32)
        if block.ndim != 2 or block.dtype not in (np.int16, np.float32):
            self._end()
            raise TrackEndedError("the source failed") from ValueError(
                f"samples must be int16 or float, (n,) or (n, channels), not {block.dtype} {block.shape}"
            )
        pts = self._pts
        self._pts += len(block)
        await self._pacer.until(pts / self._rate)
        return to_frame(block, self._rate, pts)


class EncodedSource(MediaTrack):
    """A track of encoded frames, paced by their timestamps: what a camera or a file has encoded already."""

    def __init__(
        self,
        frames: Stream[EncodedFrame],
        codec: RtpCodec,
        *,
        realtime: bool = True,
        on_key_frame_request: Callable[[], object] | None = None,
        label: str = "",
    ) -> None:
        """`realtime`: False gives frames as they come, because their source is live. `on_key_frame_request`
        is called when a receiver needs a key frame."""
        if codec.kind not in ("audio", "video"):
            raise ValueError(f'a codec is of kind "audio" or "video", not {codec.kind!r}')
        self.kind = "audio" if codec.kind == "audio" else "video"
        self.codec = codec
        self.label = label
        self._items = _Generated(frames)
        self._pacer = Pacer() if realtime else None
        self._on_key_frame_request = on_key_frame_request

    async def recv(self) -> EncodedFrame:
        if self._ended:
            raise TrackEndedError("the track has ended")
        try:
            frame = await self._items.next()
        except TrackEndedError:
            self._end()
            raise
        if self._pacer is not None and self.codec is not None:
            await self._pacer.until(frame.timestamp / self.codec.clock_rate)
        return frame

    def request_key_frame(self) -> None:
        if self._on_key_frame_request is not None and not self._ended:
            self._on_key_frame_request()
