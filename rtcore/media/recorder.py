"""`MediaRecorder`: tracks into a file.

    async with MediaRecorder("talk.mp4") as recorder:
        recorder.add_track(audio)
        recorder.add_track(video)
        await recorder.start()
        ...

MP4, WebM, Matroska, WAV, Ogg, HLS, and single pictures ("shot-%04d.png"): what FFmpeg can write, by the
file's name or `format`. Frames are encoded on the shared threads. Tracks of encoded frames, as
`RemoteTrack.encoded()` gives, are written as they are where the file can have them, and decoded where it
cannot.

All tracks have one clock, which begins with the first frame of any: one that begins later is later in the
file.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from rtcore.emitter import Emitter
from rtcore.errors import InvalidStateError, OperationError, TrackEndedError
from rtcore.native.frame import EncodedFrame

from .closing import Closing
from .pool import Lane
from .track import MediaTrack
from .writer import AudioWriter, Container, CopyWriter, StreamWriter, VideoWriter

if TYPE_CHECKING:
    from .track import Frame

__all__ = ["MediaRecorder"]

JOIN_TIMEOUT = 3.0
"""Seconds for all tracks to give their first frame: then the file's header is written without those."""
EARLY_LIMIT = 150
"""Frames of one track that wait for the others meanwhile."""
JUMP = 5.0
"""Seconds by which a track's time may run ahead of ours from one frame to the next; beyond, ours is taken,
as where it goes back: another source took over."""
CLOSE_TIMEOUT = 10.0
DEFAULT_SIZE = (1280, 720)


class _Input:
    """One track that is recorded."""

    def __init__(self, track: MediaTrack) -> None:
        self.track = track
        self.writer: StreamWriter | None = None
        self.early: list[tuple[Frame, float]] = []  # before the header is written
        self.task: asyncio.Task[None] | None = None
        self.need_key = track.codec is not None and track.kind == "video"
        self._base: float | None = None  # the file's time at the track's time 0
        self._last_own = self._last_now = 0.0

    def seconds(self, frame: Frame, now: float) -> float:
        """The frame's time in the file; `now`: the file's time at which it was read."""
        if isinstance(frame, EncodedFrame):
            assert self.track.codec is not None
            own: float | None = frame.timestamp / self.track.codec.clock_rate
        else:
            own = None if frame.pts is None or not frame.time_base else float(frame.pts * frame.time_base)
        if own is None:
            return now
        step, passed = own - self._last_own, now - self._last_now
        if self._base is None or step < 0 or step > passed + JUMP:
            self._base = now - own
        self._last_own, self._last_now = own, now
        return self._base + own


class MediaRecorder(Closing, Emitter):
    """Records tracks. `close()` stops, and finishes the file; the tracks go on.

    Events: "error" the exception that ended the recording, which `close()` raises as well; "ended" when all
    tracks have.
    """

    _names: ClassVar[tuple[str, ...]] = ("ended", "error")

    def __init__(
        self,
        file: str | Path | BinaryIO,
        *,
        format: str | None = None,
        options: Mapping[str, str] | None = None,
        video_codec: str | None = None,
        audio_codec: str | None = None,
        video_bitrate: int | None = None,
        audio_bitrate: int | None = None,
        size: tuple[int, int] | None = None,
        copy: bool = True,
    ) -> None:
        """`file`: its name, or a file that is open for writing. `format`, `options`: as FFmpeg takes them.
        `video_codec`, `audio_codec`: FFmpeg's names of
        encoders; None: what is usual in such a file. `size`: of the pictures; None: that of the first.
        `copy`: False encodes tracks of encoded frames anew. `OperationError` for a format that FFmpeg does
        not know."""
        super().__init__()
        self.error: BaseException | None = None
        self._container = Container(file, format, options)
        self.file = self._container.file
        self._video_codec, self._audio_codec = video_codec, audio_codec
        self._video_bitrate, self._audio_bitrate = video_bitrate, audio_bitrate
        self._size = size
        self._copy = copy
        self._inputs: dict[MediaTrack, _Input] = {}
        self._lane = Lane()
        self._began: float | None = None  # monotonic time of the first frame
        self._closed = False
        self._opening: asyncio.Task[None] | None = None
        self._ready = False  # the header is written, or will be before what comes now
        self._first = asyncio.Event()
        self._joined = asyncio.Event()

    def add_track(self, track: MediaTrack) -> None:
        """Records `track`, too, from the next `start()` on. `InvalidStateError` once the file has begun: its
        streams are fixed then."""
        if self._ready or self._closed:
            raise InvalidStateError("the file has begun: tracks are added before")
        self._inputs.setdefault(track, _Input(track))

    async def start(self) -> None:
        """Begins to read the tracks, those that it does not read yet. `InvalidStateError` if there are none,
        or it is closed."""
        if self._closed or not self._inputs:
            raise InvalidStateError(
                "the recorder is closed" if self._closed else "there is no track to record"
            )
        loop = asyncio.get_running_loop()
        if self._opening is None:
            self._opening = loop.create_task(self._open_in_time())
        for one in self._inputs.values():
            if one.task is None:
                one.task = loop.create_task(self._record(one))

    async def close(self) -> None:
        """Stops, and finishes the file: with what was read so far. Idempotent; takes 10 s at the most.
        Raises what ended the recording, if anything did."""
        if self._closed:
            return
        self._closed = True
        tasks = [one.task for one in self._inputs.values() if one.task is not None]
        if self._opening is not None:
            tasks.append(self._opening)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
        try:
            await asyncio.wait_for(self._lane.run(self._finish), CLOSE_TIMEOUT)
        except TimeoutError:
            self._fail(OperationError(f"{self.file} was not finished in {CLOSE_TIMEOUT:.0f} s"))
        except OperationError as error:
            self._fail(error)
        if self.error is not None:
            raise self.error

    async def _record(self, one: _Input) -> None:
        try:
            while self.error is None:
                frame = await one.track.recv()
                now = time.monotonic()
                if self._began is None:
                    self._began = now
                await self._write(one, frame, one.seconds(frame, now - self._began))
        except TrackEndedError:
            self._join()
        except Exception as error:
            self._fail(error)

    async def _write(self, one: _Input, frame: Frame, seconds: float) -> None:
        if one.need_key:
            if isinstance(frame, EncodedFrame) and not frame.key:
                return
            one.need_key = False
        if self._ready:
            await self._lane.run(self._put, one, frame, seconds)
        else:
            one.early.append((frame, seconds))
            self._first.set()
            self._join()

    def _join(self) -> None:
        """The header can be written once every track gave a frame, or ended."""
        live = [one for one in self._inputs.values() if one.track.ready_state == "live"]
        if all(one.early for one in live) or any(len(one.early) >= EARLY_LIMIT for one in live):
            self._first.set()
            self._joined.set()
        if not live:
            self._emit("ended")

    async def _open_in_time(self) -> None:
        await self._first.wait()
        with contextlib.suppress(TimeoutError):  # the others come later, or never
            await asyncio.wait_for(self._joined.wait(), JOIN_TIMEOUT)
        self._ready = True
        try:
            await self._lane.run(self._open)
        except Exception as error:
            self._fail(error)

    def _put(self, one: _Input, frame: Frame, seconds: float) -> None:
        """In the lane."""
        if one.writer is not None:  # else the header could not be written
            one.writer.write(frame, seconds)

    def _open(self) -> None:
        """In the lane: makes the streams, writes the header and what came early."""
        for one in self._inputs.values():
            first = one.early[0][0] if one.early else None
            one.writer = self._writer_for(one.track, first)
        self._container.start()
        for one in self._inputs.values():
            for frame, seconds in one.early:
                self._put(one, frame, seconds)
            one.early.clear()

    def _writer_for(self, track: MediaTrack, first: Frame | None) -> StreamWriter:
        codec = track.codec
        if codec is not None and self._copy and isinstance(first, EncodedFrame):
            chosen = self._video_codec if track.kind == "video" else self._audio_codec
            if chosen is None and self._container.can_copy(codec):
                return CopyWriter(self._container, codec, first)
        if track.kind == "audio":
            return AudioWriter(
                self._container, codec=self._audio_codec, bitrate=self._audio_bitrate, decode=codec
            )
        width, height = self._size or DEFAULT_SIZE
        if self._size is None and first is not None:
            width, height = getattr(first, "width", 0) or width, getattr(first, "height", 0) or height
        return VideoWriter(
            self._container,
            width,
            height,
            codec=self._video_codec,
            bitrate=self._video_bitrate,
            decode=codec,
        )

    def _finish(self) -> None:
        """In the lane."""
        try:
            if not self._container.started and any(one.early for one in self._inputs.values()):
                self._open()
            if self._container.started:
                for one in self._inputs.values():
                    if one.writer is not None:
                        one.writer.finish()
        finally:
            self._container.close()

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            self._emit("error", error)
