"""What one takes out of a remote track: its encoded frames, or decoded ones. Each tap has all frames.

A tap is a track of its own with a queue of its own: however slowly one is read, the others lose nothing.

    EncodedTrack    encoded frames; to forward or record them without a codec
    DecodedTrack    pictures or samples; decodes only while it is read

When a queue of encoded frames is full, audio loses the oldest; video loses all that waits and goes on with
the next key frame, for which the sender is asked: what comes between could not be decoded. A tap that
nobody reads for some seconds falls asleep: it drops what comes, without a word, until somebody reads it
again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import av

from rtcore.errors import CodecError, TrackEndedError
from rtcore.native.frame import EncodedFrame

from . import codecs
from .pool import Lane
from .queue import FrameQueue
from .track import Kind, MediaTrack

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["DecodedTrack", "EncodedTrack", "Source"]

NOT_MEDIA = frozenset({"telephone-event", "CN"})
ASLEEP = 100
"""A tap falls asleep after so many frames (twice its queue, if that is more) without a `recv()`."""


class Source(Protocol):
    """What a tap needs of the track that it taps."""

    kind: Kind
    decoder: codecs.DecoderMaker

    def request_key_frame(self) -> None: ...
    def _codec_of(self, frame: EncodedFrame) -> RtpCodec | None: ...
    def _detach(self, tap: Tap) -> None: ...


class Tap(MediaTrack):
    """A bounded queue of encoded frames that can be decoded one after the other.

    Event "framesdropped": how many were lost, because they were not read in time.
    """

    _names: ClassVar[tuple[str, ...]] = (*MediaTrack._names, "framesdropped")

    def __init__(self, source: Source, limit: int) -> None:
        self.kind = source.kind
        self._source = source
        self._encoded: FrameQueue[EncodedFrame] = FrameQueue(limit)
        self._need_key = self.kind == "video"
        self._asleep = False
        self._unread = 0  # frames that came since the last recv()
        self.frames_dropped = 0
        """How many frames were lost because they were not read in time."""

    def request_key_frame(self) -> None:
        self._source.request_key_frame()

    def _reads(self) -> None:
        """Somebody reads."""
        self._unread = 0
        if self._asleep:
            self._asleep = False
            self._restart()

    def _deliver(self, frame: EncodedFrame) -> None:
        if self._asleep:
            return
        self._unread += 1
        if self._unread > max(ASLEEP, 2 * self._encoded.limit):
            self._sleep()
        elif self._need_key and not frame.key:
            return
        else:
            self._need_key = False
            self._put(frame)

    def _put(self, frame: EncodedFrame) -> None:
        if self.kind == "video" and len(self._encoded) >= self._encoded.limit:
            self._lost(self._encoded.clear())
            if not frame.key:
                self._lost(1)
                self._restart()
                return
        if not self._encoded.put(frame):
            self._lost(1)

    def _sleep(self) -> None:
        self._asleep = True
        self._encoded.clear()

    def _restart(self) -> None:
        """What comes next cannot be decoded: wait for a key frame."""
        if self.kind == "video":
            self._need_key = True
            self._source.request_key_frame()

    def _lost(self, count: int) -> None:
        self.frames_dropped += count
        self._emit("framesdropped", count)

    def _end(self) -> None:
        self._encoded.close(ended)
        super()._end()

    def stop(self) -> None:
        self._source._detach(self)
        super().stop()


def ended() -> TrackEndedError:
    return TrackEndedError("the track has ended")


class EncodedTrack(Tap):
    """The encoded frames of a remote track, to be sent on, recorded or decoded elsewhere. Begins with a key
    frame.

    `codec` is that of the frames; where the sender changes between several, it follows the last frame.
    """

    def __init__(self, source: Source, limit: int, codec: RtpCodec | None) -> None:
        super().__init__(source, limit)
        self.codec = codec
        self._restart()

    async def recv(self) -> EncodedFrame:
        self._reads()
        frame = await self._encoded.get()
        self.codec = self._source._codec_of(frame) or self.codec
        return frame

    async def __anext__(self) -> EncodedFrame:
        try:
            return await self.recv()
        except TrackEndedError:
            raise StopAsyncIteration from None


class DecodedTrack(Tap):
    """The decoded frames of a remote track.

    From the first `recv()` on, decodes on the shared threads what comes, and holds up to `decoded_limit`
    decoded frames; when they are not taken, the oldest is dropped. What cannot be decoded is counted in
    `decode_errors`; video then asks for a key frame.
    """

    def __init__(self, source: Source, limit: int, decoded_limit: int) -> None:
        super().__init__(source, limit)
        self.decode_errors = 0
        self.frames_decoded = 0
        self._decoded: FrameQueue[Any] = FrameQueue(decoded_limit)
        self._lane = Lane()
        self._decoder: tuple[RtpCodec, codecs.Decoder] | None = None
        self._task: asyncio.Task[None] | None = None
        self._decoding = False
        self._skipped = 0  # so many encoded frames are decoded and dropped

    @property
    def frames_waiting(self) -> int:
        """How many decoded frames `recv()` would give at once."""
        return len(self._decoded)

    def take(self) -> av.VideoFrame | av.AudioFrame | None:
        """What `recv()` would give at once; None if nothing waits."""
        self._unread = 0
        frame: av.VideoFrame | av.AudioFrame | None = self._decoded.take()
        return frame

    def clear(self) -> int:
        """Drops what waits, so that the next frame is one that comes from now on; how many decoded frames
        there were. They do not count as lost."""
        if self._task is not None:
            self._skipped = len(self._encoded) + int(self._decoding)
        elif len(self._encoded):
            self._encoded.clear()
            self._restart()
        return self._decoded.clear()

    async def recv(self) -> av.VideoFrame | av.AudioFrame:
        self._reads()
        if self._task is None and not self._decoded.closed:
            self._task = asyncio.get_running_loop().create_task(self._run())
        frame: av.VideoFrame | av.AudioFrame = await self._decoded.get()
        return frame

    def _deliver(self, frame: EncodedFrame) -> None:
        if frame.codec not in NOT_MEDIA:
            super()._deliver(frame)

    def _lost(self, count: int) -> None:
        self._skipped = max(0, self._skipped - count)
        super()._lost(count)

    async def _run(self) -> None:
        try:
            while True:
                encoded = await self._encoded.get()
                self._decoding = True
                frames = await self._decode(encoded)
                self._decoding = False
                if self._skipped:
                    self._skipped -= 1
                    continue
                for frame in frames:
                    self.frames_decoded += 1
                    if not self._decoded.put(frame):
                        self._lost(1)
        except TrackEndedError:
            self._decoded.close(ended)
        except Exception as error:
            self._fail(error)
        finally:
            self._close_decoder()

    async def _decode(self, frame: EncodedFrame) -> list[Any]:
        codec = self._source._codec_of(frame)
        if codec is None or not codecs.can_decode(codec):
            self._failed()
            return []
        if self._decoder is None or self._decoder[0] != codec:
            self._close_decoder()
            self._decoder = codec, self._source.decoder(codec)
        try:
            return list(await self._lane.run(self._decoder[1].decode, frame))
        except CodecError:
            self._failed()
            return []

    def _failed(self) -> None:
        self.decode_errors += 1
        self._restart()

    def _fail(self, error: Exception) -> None:
        def failed() -> TrackEndedError:
            made = TrackEndedError(f"the track cannot be decoded any more: {error}")
            made.__cause__ = error
            return made

        self._decoded.close(failed)
        super().stop()

    def _close_decoder(self) -> None:
        if self._decoder is not None:
            self._lane.post(self._decoder[1].close)  # after the call that may be running
            self._decoder = None

    def _sleep(self) -> None:
        super()._sleep()
        self._decoded.clear()
        self._decoding, self._skipped = False, 0
        self._cancel()

    def _cancel(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _end(self) -> None:
        super()._end()
        if self._task is None:  # else it decodes what waits first
            self._decoded.close(ended)

    def stop(self) -> None:
        self._decoded.close(ended)
        self._cancel()
        super().stop()
