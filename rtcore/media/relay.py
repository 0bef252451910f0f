"""One source, many readers: `MediaRelay` reads a track once, and each of its readers gets all frames."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rtcore.errors import TrackEndedError

from .closing import Closing
from .queue import FrameQueue
from .track import MediaTrack

if TYPE_CHECKING:
    from .track import Frame

__all__ = ["MediaBlackhole", "MediaRelay", "RelayTrack"]


class RelayTrack(MediaTrack):
    """One reader's view of a track: its own bounded queue, its own end.

    When the queue is full the oldest frame is dropped; of encoded video all that waits, up to the next key
    frame, which the source is asked for. Event "framesdropped" with their number.
    """

    _names: ClassVar[tuple[str, ...]] = (*MediaTrack._names, "framesdropped")

    def __init__(self, relay: MediaRelay, limit: int) -> None:
        source = relay.source
        self.kind, self.label, self.codec = source.kind, source.label, source.codec
        self._relay = relay
        self._queue: FrameQueue[Frame] = FrameQueue(limit)
        self._chained = source.codec is not None and source.kind == "video"
        self._need_key = self._chained

    @property
    def frames_dropped(self) -> int:
        """How many frames were not read in time."""
        return self._queue.dropped

    async def recv(self) -> Frame:
        return await self._queue.get()

    def request_key_frame(self) -> None:
        self._relay.source.request_key_frame()

    def stop(self) -> None:
        """Ends this reader. The source and the others go on."""
        self._relay._detach(self)
        super().stop()

    def _deliver(self, frame: Frame) -> None:
        if self._chained:
            key = bool(getattr(frame, "key", True))
            if self._need_key and not key:
                return
            self._need_key = False
            if len(self._queue) >= self._queue.limit:
                self._emit("framesdropped", self._queue.clear())
                if not key:
                    self._need_key = True
                    self._relay.source.request_key_frame()
                    return
        if not self._queue.put(frame):
            self._emit("framesdropped", 1)

    def _end(self) -> None:
        self._finish(None)

    def _finish(self, cause: BaseException | None) -> None:
        def ended() -> TrackEndedError:
            error = TrackEndedError("the track has ended")
            error.__cause__ = cause
            return error

        self._queue.close(ended)
        super()._end()


class MediaRelay(Closing):
    """Reads `source` once there is a reader, and gives each frame to all readers. They share the frames:
    none may write into them. `close()` ends the readers; the source is only stopped with `stop_source`."""

    def __init__(self, source: MediaTrack, *, limit: int = 64, stop_source: bool = False) -> None:
        """`limit`: how many frames may wait for each reader."""
        self.source = source
        self._limit = limit
        self._stop_source = stop_source
        self._readers: tuple[RelayTrack, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def subscribe(self, *, limit: int | None = None) -> RelayTrack:
        """Another reader: a track that has all frames from now on. From a running event loop."""
        reader = RelayTrack(self, self._limit if limit is None else limit)
        if self._closed or self.source.ready_state == "ended":
            reader._end()
            return reader
        self._readers = (*self._readers, reader)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        if reader._chained:
            self.source.request_key_frame()
        return reader

    async def close(self) -> None:
        """Ends all readers. Idempotent."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._finish(None)
        if self._stop_source:
            self.source.stop()

    async def _run(self) -> None:
        try:
            while True:
                frame = await self.source.recv()
                for reader in self._readers:
                    reader._deliver(frame)
        except Exception as error:
            self._task = None  # a source that did not end is read again for who comes next
            self._finish(error)

    def _finish(self, cause: BaseException | None) -> None:
        readers, self._readers = self._readers, ()
        for reader in readers:
            reader._finish(cause)

    def _detach(self, reader: RelayTrack) -> None:
        self._readers = tuple(other for other in self._readers if other is not reader)
        if not self._readers and self._task is not None:  # nobody listens: the source rests
            self._task.cancel()
            self._task = None


class MediaBlackhole(Closing):
    """Reads tracks and forgets their frames: for a source that must be read, and for tests. `frames`
    counts."""

    def __init__(self, *tracks: MediaTrack) -> None:
        self.frames = 0
        self._tasks: dict[MediaTrack, asyncio.Task[None]] = {}
        for track in tracks:
            self.add_track(track)

    def add_track(self, track: MediaTrack) -> None:
        """Begins to read it. From a running event loop."""
        if track not in self._tasks:
            self._tasks[track] = asyncio.get_running_loop().create_task(self._read(track))

    async def _read(self, track: MediaTrack) -> None:
        async for _ in track:
            self.frames += 1

    async def close(self) -> None:
        """Stops reading; the tracks go on. Idempotent. Raises what a track raised."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        for result in await asyncio.gather(*tasks.values(), return_exceptions=True):
            if isinstance(result, Exception):
                raise result
