"""`MediaPlayer`: files, network streams and devices as tracks.

    player = await MediaPlayer.open("film.mp4")
    pc.add_track(player.audio)
    pc.add_track(player.video)

A thread of its own reads and decodes. A file is played in real time, all its tracks on one clock, which
starts when the first of them is read, and stands still while none is. A live input (device, network) is
read as it comes.

What waits is bounded for each track. Nothing of a file is lost while its tracks are read: the thread waits.
A track that is not read in time while another is, and any track of a live input, loses the oldest frames,
and is told.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self

from rtcore.emitter import Emitter
from rtcore.errors import OperationError, TrackEndedError

from . import pool
from .closing import Closing
from .demux import TIMEOUT, Input, InputStream
from .track import MediaTrack

if TYPE_CHECKING:
    from .track import Frame

__all__ = ["MediaPlayer", "PlayerTrack"]

LIMITS = {"video": 24, "audio": 100}
"""Frames that wait for each track."""
LATE = 0.3
"""Seconds by which a frame may be late and still be played, if there are later ones."""
UNREAD = 1.0
"""A track is not read if nobody did for so many seconds."""
CLOSE_TIMEOUT = 5.0


class PlayerTrack(MediaTrack):
    """A track of a player. `codec` is set where its frames are not decoded.

    Event "framesdropped": how many were not read in time.
    """

    _names: ClassVar[tuple[str, ...]] = (*MediaTrack._names, "framesdropped")

    def __init__(self, player: MediaPlayer, stream: InputStream) -> None:
        self.kind = "audio" if stream.kind == "audio" else "video"
        self.codec = stream.codec
        self.label = player.name
        self.frames_dropped = 0
        """How many frames were not read in time."""
        self._player = player
        self._told = 0
        # guarded by the player's lock
        self._frames: deque[tuple[float, Any]] = deque()
        self._need_key = False
        self._finished = False
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._read_at: float | None = None

    async def recv(self) -> Frame:
        player = self._player
        player._begin()
        while not self._ended:
            with player._changed:
                self._read_at = time.monotonic()
                taken = player._take(self)
                if taken is None and self._finished:
                    break
                if taken is None:
                    future = self._wait()
            self._tell()
            if taken is None:
                await self._woken(future)
                continue
            wait, moment, frame = taken
            if wait > 0:
                try:
                    await asyncio.sleep(wait)
                except asyncio.CancelledError:
                    self._give_back(moment, frame)
                    raise
                player._played()
            got: Frame = frame
            return got
        self._end()
        raise TrackEndedError(f"{player.name} has ended") from player.error

    def _give_back(self, moment: float, frame: Any) -> None:
        """A frame whose reader went before it was due: it is the next again."""
        with self._player._changed:
            if not self._ended:
                self._frames.appendleft((moment, frame))
                self._wake()

    def stop(self) -> None:
        super().stop()
        with self._player._changed:
            self._frames.clear()
            self._wake()

    def _end(self) -> None:
        super()._end()
        self._player._track_ended()

    def _tell(self) -> None:
        if self.frames_dropped > self._told:
            count, self._told = self.frames_dropped - self._told, self.frames_dropped
            self._emit("framesdropped", count)

    def _wait(self) -> asyncio.Future[None]:
        if self._waiter is not None:
            raise RuntimeError("another task reads this track already: a MediaRelay gives each its own")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiter = loop, future
        return future

    async def _woken(self, future: asyncio.Future[None]) -> None:
        try:
            await future
        finally:
            with self._player._changed:
                self._waiter = None

    # by the thread, with the player's lock

    def _is_read(self) -> bool:
        return self._read_at is not None and time.monotonic() - self._read_at < UNREAD

    def _put(self, moment: float, frame: Any) -> None:
        full = len(self._frames) >= LIMITS[self.kind]
        if self.kind == "video" and self.codec is not None:
            if full:  # what follows could not be decoded
                self.frames_dropped += len(self._frames)
                self._frames.clear()
                self._need_key = True
            if self._need_key and not frame.key:
                self.frames_dropped += 1
                return
            self._need_key = False
        elif full:
            self._frames.popleft()
            self.frames_dropped += 1
        self._frames.append((moment, frame))
        self._wake()

    def _finish(self) -> None:
        self._finished = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            loop, future = self._waiter
            try:
                loop.call_soon_threadsafe(_resolve, future)
            except RuntimeError:
                if not loop.is_closed():  # closed: whoever waited is gone with it
                    raise


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class MediaPlayer(Closing, Emitter):
    """The tracks of a file, a network stream or a device: `audio` and `video`, None where there is none.

    Events: "ended" when all its tracks have. What made it stop is `error`, and the cause of what readers get.
    `async with` and `close()` stop the thread; so does the end of all tracks.
    """

    _names: ClassVar[tuple[str, ...]] = ("ended",)

    def __init__(
        self,
        file: str | Path | BinaryIO,
        *,
        format: str | None = None,
        options: Mapping[str, str] | None = None,
        decode: bool = True,
        audio: bool = True,
        video: bool = True,
        loop: bool = False,
        realtime: bool | None = None,
        skip_late: bool = True,
        sample_rate: int | None = None,
        channels: int = 2,
        timeout: float | None = TIMEOUT,
    ) -> None:
        """Opens `file`, which may take as long as the network does: `MediaPlayer.open()` does it without
        blocking.

        `file`, `format`, `options`: as FFmpeg takes them; "lavfi" for a filter graph; or an open file.
        `decode`: False gives encoded frames as they are in the file, without transcoding, of the streams that
        RTP can carry. `loop`: from the beginning again and again. `realtime`: False gives frames as fast as
        they are read; None: files are played, live inputs read. `skip_late`: False gives a reader that is too
        slow for a file all frames, late. `sample_rate`: decoded sound is converted to it, int16 of
        `channels`, 20 ms a frame; None: it is as in the file. `timeout`: seconds for opening and for each
        read; None: they may take forever. `OperationError` if it cannot be opened,
        `NotSupportedError` for pictures that can only be sent decoded."""
        super().__init__()
        self.error: BaseException | None = None
        """What made it stop, if it was not the end."""
        self._input = Input(
            file,
            format=format,
            options=options,
            decode=decode,
            audio=audio,
            video=video,
            loop=loop,
            sample_rate=sample_rate,
            channels=channels,
            timeout=timeout,
        )
        self.name = self._input.name
        self._skips_late = skip_late
        self._paced = realtime is not False and not self._input.live
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self._thread: threading.Thread | None = None
        self._start: float | None = None  # when time 0 was played, by the monotonic clock
        self._touched = 0.0
        self._tracks = {stream: PlayerTrack(self, stream) for stream in self._input.streams}
        by_kind = {track.kind: track for track in self._tracks.values()}
        self.audio = by_kind.get("audio")
        self.video = by_kind.get("video")

    @classmethod
    async def open(cls, file: str | Path | BinaryIO, **options: Any) -> Self:
        """The same, opened on another thread."""
        return await pool.run(cls, file, **options)

    @property
    def live(self) -> bool:
        """Whether the input makes its frames in real time."""
        return self._input.live

    @property
    def decode_errors(self) -> int:
        """How many packets could not be decoded."""
        return self._input.decode_errors

    async def close(self) -> None:
        """Ends the tracks and the thread. Idempotent; takes some seconds at the most, where an input
        hangs."""
        for track in self._tracks.values():
            track.stop()
        thread = self._thread
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if thread is None:
            self._input.close()
        elif thread.is_alive():
            await pool.run(thread.join, CLOSE_TIMEOUT)

    def _begin(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name=f"rtcore-player {self.name}", daemon=True)
            self._thread.start()

    def _take(self, track: PlayerTrack) -> tuple[float, float, Any] | None:
        """The track's next frame, behind in how many seconds it is due and where in the file it stands
        (seconds). With the lock."""
        while track._frames:
            moment, frame = track._frames.popleft()
            self._changed.notify_all()
            if not self._paced:
                return 0.0, moment, frame
            now = time.monotonic()
            if self._start is None or now - self._touched > UNREAD:
                self._start = now - moment
            self._touched = now
            wait = self._start + moment - now
            if wait < -LATE and self._skips_late and track._frames and track.codec is None:
                track.frames_dropped += 1
                continue
            return wait, moment, frame
        return None

    def _played(self) -> None:
        self._touched = time.monotonic()

    def _track_ended(self) -> None:
        if not self._closed and all(track.ready_state == "ended" for track in self._tracks.values()):
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            if self._thread is None:
                self._input.close()
            self._emit("ended")

    def _run(self) -> None:
        """The thread."""
        try:
            for stream, moment, frame in self._input.frames():
                if not self._deliver(self._tracks[stream], moment, frame):
                    break
        except OperationError as error:
            self.error = error
        finally:
            self._input.close()
            with self._changed:
                for track in self._tracks.values():
                    track._finish()

    def _deliver(self, track: PlayerTrack, moment: float, frame: Any) -> bool:
        """False when the player is closed."""
        with self._changed:
            while not self._closed and self._must_wait(track):
                self._changed.wait(UNREAD / 4)  # whether tracks are read changes with time
            if not self._closed and track.ready_state == "live":
                track._put(moment, frame)
            return not self._closed

    def _must_wait(self, track: PlayerTrack) -> bool:
        if self.live or track.ready_state == "ended" or len(track._frames) < LIMITS[track.kind]:
            return False
        return track._is_read() or not any(other._is_read() for other in self._tracks.values())
