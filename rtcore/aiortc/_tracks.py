"""Tracks on their way between aiortc's form and that of `rtcore.media`.

outbound(track)     what a sender takes of a track that a program made: one object per track
inbound(track)      what a program gets of a track that the other end sends: one object per track
readable(track)     what relays and recorders read: packets stay packets
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import av

from rtcore.errors import TrackEndedError
from rtcore.media import EncodedFrame, MediaTrack, RemoteTrack
from rtcore.native.payload import Packetizer
from rtcore.sdp import RtpCodec

from .codecs._core import clock_time, ticks
from .rtcrtpreceiver import RemoteStreamTrack

if TYPE_CHECKING:
    from rtcore.media.track import Frame

__all__ = ["AnyTrack", "OutboundTrack", "ReadableTrack", "inbound", "original", "outbound", "readable"]


class AnyTrack(Protocol):
    """What is asked of a program's track: it need not be derived from ours."""

    kind: str

    @property
    def id(self) -> str: ...
    @property
    def readyState(self) -> str: ...
    async def recv(self) -> Any: ...
    def stop(self) -> None: ...


class ReadableTrack(MediaTrack):
    """A program's track, whatever frames it gives."""

    def __init__(self, source: AnyTrack) -> None:
        if source.kind not in ("audio", "video"):
            raise ValueError(f'a track is of kind "audio" or "video", not {source.kind!r}')
        self.source = source
        self.kind = "audio" if source.kind == "audio" else "video"

    @property
    def id(self) -> str:
        return self.source.id

    @property
    def ready_state(self) -> Literal["live", "ended"]:
        return "ended" if self._ended or self.source.readyState == "ended" else "live"

    async def recv(self) -> Frame:
        try:
            frame: Frame = await self.source.recv()
        except TrackEndedError:
            self._end()
            raise
        return frame

    def stop(self) -> None:
        self._end()
        self.source.stop()


class OutboundTrack(ReadableTrack):
    """A program's track that is sent. It is stopped when it says that it has no more frames, and with its
    sender, if that began to read it.

    Packets are sent as they are, with the codec that was negotiated; those of a player, with that of the
    file."""

    def __init__(self, source: AnyTrack) -> None:
        super().__init__(source)
        self._negotiated: RtpCodec | None = None
        self.was_read = False
        self._encoded: MediaTrack | None = getattr(source, "_rtcore_encoded", None)
        self._waits = True  # for the first key frame

    async def recv(self) -> Frame:
        self.was_read = True
        try:
            if self._encoded is not None:
                return await self._encoded.recv()
            frame = await self.source.recv()
        except TrackEndedError:
            self.stop()
            raise
        if isinstance(frame, av.Packet):
            return self._unpacked(frame)
        sent: Frame = frame
        return sent

    def _sent_as(self, codec: RtpCodec) -> None:
        self._negotiated = codec
        self._waits = True

    def _unpacked(self, packet: av.Packet[Any]) -> EncodedFrame:
        codec = self._negotiated
        assert codec is not None  # a sender has it
        key = packet.is_keyframe or codec.kind == "audio"
        if not key and self._waits:  # one that was not read from a file does not say it
            key = Packetizer(codec.name).packetize(packet).key
        self._waits = self._waits and not key
        return EncodedFrame(
            packet,
            codec=codec.name,
            timestamp=max(0, clock_time(packet, codec.clock_rate)),
            duration=ticks(packet.duration, packet.time_base, codec.clock_rate) if packet.duration else 0,
            key=key,
            marker=codec.kind == "video",
        )


def outbound(track: AnyTrack) -> OutboundTrack:
    """What sends it. `ValueError` for a track of another kind than audio and video."""
    made: OutboundTrack | None = getattr(track, "_rtcore_outbound", None)
    if made is None:
        made = OutboundTrack(track)
        track._rtcore_outbound = made  # type: ignore[attr-defined]
    return made


def readable(track: AnyTrack) -> ReadableTrack:
    """What reads it."""
    return ReadableTrack(track)


def original(track: MediaTrack | None) -> Any:
    """The program's own track; one that was made by `rtcore` itself, as it is."""
    return track.source if isinstance(track, ReadableTrack) else track


def inbound(track: RemoteTrack) -> RemoteStreamTrack:
    """What a program gets of it."""
    made: RemoteStreamTrack | None = getattr(track, "_rtcore_inbound", None)
    if made is None:
        made = RemoteStreamTrack._of(track)
        track._rtcore_inbound = made  # type: ignore[attr-defined]
    return made
