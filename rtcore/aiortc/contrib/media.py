"""Players, recorders, relays and sinks in aiortc's form, over those of `rtcore.media`.

They play and record as aiortc's do. Who read a track at the same time share its frames. What waits is
bounded: a relay's reader that is slow loses the oldest frames."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
from av import AudioFrame, VideoFrame

from rtcore import media
from rtcore.errors import OperationError, TrackEndedError
from rtcore.media import EncodedFrame, PlayerTrack, RelayTrack

from .._private import attributes_of
from .._tracks import AnyTrack, readable
from ..mediastreams import AUDIO_PTIME, MediaStreamError, MediaStreamTrack
from ..rtcrtpreceiver import RemoteStreamTrack

__all__ = [
    "AUDIO_PTIME",
    "AudioFrame",
    "MediaBlackhole",
    "MediaPlayer",
    "MediaRecorder",
    "MediaRelay",
    "MediaStreamError",
    "MediaStreamTrack",
    "PlayerStreamTrack",
    "RelayStreamTrack",
    "VideoFrame",
]

__getattr__ = attributes_of(__name__)

SOUND_RATE, SOUND_CHANNELS = 48_000, 2
SENT_AS_THEY_ARE = frozenset({"opus", "PCMA", "PCMU", "H264", "VP8"})
RELAY_LIMIT = {"audio": 500, "video": 64}
"""Frames that wait for each reader of a relay."""


def _unwrapped(error: OperationError) -> BaseException:
    """FFmpeg's own error, which programs expect: FileNotFoundError, for instance."""
    return error.__cause__ or error


class PlayerStreamTrack(MediaStreamTrack):
    """A track of a player: frames, or packets where they are not decoded."""

    def __init__(self, player: MediaPlayer, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._player = player
        self._track = cast(PlayerTrack, player._player.audio if kind == "audio" else player._player.video)
        self._reading = asyncio.Lock()

    @property
    def _rtcore_encoded(self) -> PlayerTrack | None:
        """For a sender: what gives the encoded frames without making packets of them."""
        as_it_is = type(self).recv is PlayerStreamTrack.recv
        return self._track if as_it_is and self._track.codec is not None else None

    async def recv(self) -> av.VideoFrame | av.AudioFrame | av.Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError("the track has ended")
        try:
            async with self._reading:
                frame = await self._track.recv()
        except TrackEndedError as error:
            self.stop()
            raise MediaStreamError("the track has ended") from error.__cause__
        return self._packet(frame) if isinstance(frame, EncodedFrame) else frame

    def _packet(self, frame: EncodedFrame) -> av.Packet[Any]:
        assert self._track.codec is not None
        packet: av.Packet[Any] = av.Packet(bytes(frame))
        packet.pts = packet.dts = frame.timestamp
        packet.time_base = Fraction(1, self._track.codec.clock_rate)
        packet.duration = frame.duration
        packet.is_keyframe = frame.key
        return packet

    def stop(self) -> None:
        super().stop()
        self._track.stop()


class MediaPlayer:
    """Plays a file, a network stream or a device: `audio` is 48 kHz stereo in frames of 20 ms, `video` as it
    is in the file. It begins with the first `recv()`, and ends with its tracks."""

    def __init__(
        self,
        file: Any,
        format: str | None = None,
        options: Mapping[str, str] | None = None,
        timeout: float | None = None,
        loop: bool = False,
        decode: bool = True,
    ) -> None:
        """`decode`: False gives packets, of Opus, G.711, H.264 and VP8 only. Raises FFmpeg's errors."""
        try:
            self._player = media.MediaPlayer(
                file,
                format=format,
                options=options,
                timeout=timeout,
                loop=loop,
                decode=decode,
                sample_rate=SOUND_RATE,
                channels=SOUND_CHANNELS,
                skip_late=False,
            )
        except OperationError as error:
            raise _unwrapped(error) from None
        self._audio = self._view(self._player.audio, decode)
        self._video = self._view(self._player.video, decode)

    def _view(self, track: PlayerTrack | None, decode: bool) -> PlayerStreamTrack | None:
        if track is None:
            return None
        if not decode and (track.codec is None or track.codec.name not in SENT_AS_THEY_ARE):
            track.stop()
            return None
        return PlayerStreamTrack(self, track.kind)

    @property
    def audio(self) -> MediaStreamTrack | None:
        """None if there is no sound."""
        return self._audio

    @property
    def video(self) -> MediaStreamTrack | None:
        """None if there are no pictures."""
        return self._video


class MediaRecorder:
    """Writes tracks into a file, encoded as is usual in such a file. A track may be added as long as nothing
    was written, with another `start()`."""

    def __init__(
        self,
        file: str | Path | BinaryIO,
        format: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Raises FFmpeg's errors."""
        try:
            self._recorder = media.MediaRecorder(file, format=format, options=options)
        except OperationError as error:
            raise _unwrapped(error) from None
        self._tracks: list[AnyTrack] = []
        self._stopped = False

    def addTrack(self, track: AnyTrack) -> None:
        """Records it, too. `InvalidStateError` once the file has begun."""
        if track not in self._tracks:
            self._recorder.add_track(readable(track))
            self._tracks.append(track)

    async def start(self) -> None:
        """Begins to record."""
        if self._tracks and not self._stopped:
            await self._recorder.start()

    async def stop(self) -> None:
        """Stops, and finishes the file. Idempotent. Raises what ended the recording, if anything did."""
        self._stopped = True
        await self._recorder.close()


class MediaBlackhole:
    """Reads tracks, and forgets their frames. What the other end sends is not even decoded."""

    def __init__(self) -> None:
        self._sink = media.MediaBlackhole()
        self._tracks: dict[AnyTrack, media.MediaTrack] = {}

    def addTrack(self, track: AnyTrack) -> None:
        """Reads it, too, from the next `start()` on."""
        if track not in self._tracks and not isinstance(track, RemoteStreamTrack):
            self._tracks[track] = readable(track)

    async def start(self) -> None:
        """Begins to read."""
        for track in self._tracks.values():
            self._sink.add_track(track)

    async def stop(self) -> None:
        """Stops reading. Raises what a track raised."""
        self._tracks.clear()
        await self._sink.close()


class RelayStreamTrack(MediaStreamTrack):
    """One reader of a relay: it has all frames from its first `recv()` on, or, not `buffered`, the newest
    when it asks."""

    def __init__(self, relay: MediaRelay, source: AnyTrack, buffered: bool) -> None:
        super().__init__()
        self.kind = source.kind
        self._relay = relay
        self._source = source
        self._buffered = buffered
        self._reader: RelayTrack | None = None
        self._reading = asyncio.Lock()

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError("the track has ended")
        if self._reader is None:
            limit = RELAY_LIMIT[self.kind] if self._buffered else 1
            self._reader = self._relay._core(self._source).subscribe(limit=limit)
        try:
            async with self._reading:
                return await self._reader.recv()
        except TrackEndedError as error:
            self.stop()
            raise MediaStreamError("the track has ended") from error.__cause__

    def stop(self) -> None:
        super().stop()
        if self._reader is not None:
            self._reader.stop()


class MediaRelay:
    """Gives the frames of tracks to several readers each. A track is read while it has readers."""

    def __init__(self) -> None:
        self._relays: dict[AnyTrack, media.MediaRelay] = {}

    def subscribe(self, track: AnyTrack, buffered: bool = True) -> MediaStreamTrack:
        """Another reader of `track`, which nobody else may read."""
        return RelayStreamTrack(self, track, buffered)

    def _core(self, track: AnyTrack) -> media.MediaRelay:
        relay = self._relays.get(track)
        if relay is None:
            source = readable(track)
            source.on("ended", lambda: self._relays.pop(track, None))
            relay = self._relays[track] = media.MediaRelay(source)
        return relay
