"""`Fanout`: one encoded stream to any number of connections, with Python once per frame or not at all.

    fan = rtcore.Fanout(codec)
    viewer.add_track(fan.track())        # for each of the connections
    ...
    fan.send(frame)                      # or: fan.take_from(speaker_receiver)

It puts the fan-out of the core (`rtcore.native.fanout`) behind tracks: a sender that gets such a track joins
it, and takes no frames through Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from rtcore.errors import InvalidStateError, TrackEndedError
from rtcore.media import MediaTrack
from rtcore.native.fanout import Fanout as NativeFanout
from rtcore.native.frame import EncodedFrame
from rtcore.native.media import Format
from rtcore.sdp import RtpCodec

if TYPE_CHECKING:
    from .media_transport import MediaTransport
    from .rtp_receiver import RtpReceiver

__all__ = ["Fanout", "FanoutTrack"]


class FanoutTrack(MediaTrack):
    """What one connection sends of a `Fanout`. It is sent by the core, so nobody else can read it."""

    def __init__(self, fanout: Fanout) -> None:
        self.kind = "audio" if fanout.codec.kind == "audio" else "video"
        self.codec = fanout.codec
        self._fanout = fanout

    async def recv(self) -> NoReturn:
        """`TrackEndedError` once it has ended: there are no frames here."""
        ended = asyncio.Event()
        self.on("ended", ended.set)
        if self.ready_state == "live":
            await ended.wait()
        raise TrackEndedError("the track has ended")


class Joined:
    """A sender's part in a fan-out; stands where else the task of sending is."""

    __slots__ = ("_media", "_native", "_section", "codec", "track")

    def __init__(self, track: FanoutTrack, codec: str, media: MediaTransport, section: int) -> None:
        self.track, self.codec = track, codec
        self._media, self._section = media.native, section
        self._native = track._fanout._on(media)
        self._native.add(self._media, section)

    def cancel(self) -> None:
        try:
            self._native.remove(self._media, self._section)
        except (ValueError, ConnectionError):
            return  # the peer, the section or the fan-out has gone before


class Fanout:
    """Gives encoded frames to any number of connections of one worker; those without a worker of their own
    are on that of the event loop.

    Each frame is cut into packets once, and all connections' packets leave in common system calls. A
    connection gets frames from its first key frame on. `on_key_frame_request()`: one of them needs a key
    frame now; `on_bitrate(bitrate)`: what the slowest of them takes has changed, bit/s; both called on the
    event loop. `codec` is what the frames are encoded with: `rtcore.sdp.default_codecs(kind)` has those that
    can be negotiated.
    """

    def __init__(
        self,
        codec: RtpCodec,
        *,
        on_key_frame_request: Callable[[], object] | None = None,
        on_bitrate: Callable[[int], object] | None = None,
    ) -> None:
        self.codec = codec
        self._on_key_frame_request = on_key_frame_request
        self._on_bitrate = on_bitrate
        self._native: NativeFanout | None = None
        self._closed = False

    def track(self) -> FanoutTrack:
        """For `add_track()` of one connection; each needs one of its own."""
        return FanoutTrack(self)

    def send(self, frame: EncodedFrame, captured: float | None = None) -> None:
        """One frame to all. `captured`: when it was taken, in seconds of `time.monotonic()`; None: now.
        Nothing while there is no connection. `ValueError` if it is of another codec."""
        if self._native is not None and not self._closed:
            self._native.send(frame, captured)

    def take_from(self, receiver: RtpReceiver, *, also_receive: bool = False) -> None:
        """From now on, what `receiver` gets goes to all, and key frame requests go back there; Python sees
        none of it, unless `also_receive`: then the receiver's track has the frames, too. Set
        `receiver.passthrough` when the track arrives. `InvalidStateError` before it was negotiated,
        `ValueError` if it is of another worker."""
        section = receiver._data.index
        if section is None:
            raise InvalidStateError("the receiver was not negotiated yet")
        self._on(receiver._media).take_from(receiver._media.native, section, also_receive=also_receive)

    def stats(self) -> dict[str, Any]:
        """consumers, bitrate (the lowest target, bit/s), frames (given out), refused (of another codec),
        key_frame_requests. Empty while there is no connection."""
        return self._native.stats() if self._native is not None and not self._closed else {}

    def close(self) -> None:
        """The connections get no more frames; their tracks stay. Idempotent."""
        if not self._closed:
            self._closed = True
            if self._native is not None:
                self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _on(self, media: MediaTransport) -> NativeFanout:
        """That of the core, on the worker of the first connection."""
        if self._closed:
            raise InvalidStateError("the fan-out is closed")
        if self._native is None:
            codec = self.codec
            mode = codec.parameter_map.get("packetization-mode", "0")
            form = Format(
                0, codec.name, codec.clock_rate, codec.channels, packetization_mode=1 if mode == "1" else 0
            )
            self._native = NativeFanout(
                media.worker,
                form,
                on_key_frame_request=self._on_key_frame_request,
                on_bitrate=self._on_bitrate,
            )
        return self._native
