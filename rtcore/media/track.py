"""Tracks: where frames come from. `MediaTrack` is the base class of all, and of one's own sources.

    class Noise(rtcore.media.MediaTrack):
        kind = "video"

        async def recv(self) -> av.VideoFrame: ...

A track is pulled: whoever uses it awaits `recv()`, and gets the next frame when its time has come. A track
has one reader; `MediaRelay` gives several readers each all frames.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias
from uuid import uuid4

import av

from rtcore.emitter import Emitter
from rtcore.errors import TrackEndedError

if TYPE_CHECKING:
    from rtcore.native.frame import EncodedFrame
    from rtcore.sdp import RtpCodec

    Frame: TypeAlias = av.VideoFrame | av.AudioFrame | EncodedFrame

__all__ = ["Kind", "MediaTrack"]

Kind: TypeAlias = Literal["audio", "video"]


class MediaTrack(Emitter):
    """A source of audio or video frames. A subclass needs only `kind` and `recv()`.

    Frames are `av.VideoFrame` or `av.AudioFrame` with `pts` and `time_base`; or, where `codec` is not None,
    `EncodedFrame` of that codec. Used from one event loop's thread.

    Events: "ended" once, "mute" and "unmute" when the source stops giving frames for a time and goes on again
    (W3C Media Capture and Streams section 4.3). `async for frame in track` ends with the track, and
    `async with track:` stops it.
    """

    _names: ClassVar[tuple[str, ...]] = ("ended", "mute", "unmute")

    kind: Kind
    codec: RtpCodec | None = None
    """What its frames are encoded with. None: they are pictures and samples."""
    enabled: bool = True
    """False: what is sent of it is black or silent. The frames of `recv()` stay as they are."""
    label: str = ""

    _id: str
    _muted: bool
    _ended: bool

    def __new__(cls, *args: Any, **options: Any) -> Self:  # here, so that a subclass need not call __init__
        self = super().__new__(cls)
        Emitter.__init__(self)
        self._id = ""
        self._muted = False
        self._ended = False
        return self

    def __init__(self) -> None:
        pass

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} {self.id} {self.ready_state}>"

    @property
    def id(self) -> str:
        """A UUID, unless the other end gave it a name."""
        if not self._id:
            self._id = str(uuid4())  # not before: random numbers cost more than all the rest of a track
        return self._id

    @property
    def muted(self) -> bool:
        """The source gives no frames at the moment."""
        return self._muted

    @property
    def ready_state(self) -> Literal["live", "ended"]:
        return "ended" if self._ended else "live"

    async def recv(self) -> Frame:
        """The next frame, when its time has come. `TrackEndedError` after the last."""
        raise NotImplementedError(f"{type(self).__name__} has no recv()")

    def request_key_frame(self) -> None:
        """Whoever sends its encoded frames needs one that stands alone. Does nothing where frames are not
        encoded or the source cannot."""

    def _sent_as(self, codec: RtpCodec) -> None:
        """For subclasses: a sender begins to send it with this codec."""

    def stop(self) -> None:
        """Ends the track. Idempotent. Readers get `TrackEndedError`."""
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._emit("ended")

    def _set_muted(self, muted: bool) -> None:
        if muted != self._muted and not self._ended:
            self._muted = muted
            self._emit("mute" if muted else "unmute")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        try:
            return await self.recv()
        except TrackEndedError:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
