"""The task of a sender: takes the frames of a track, encodes what is not, and hands them to the core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import av

from rtcore.errors import InvalidAccessError, TrackEndedError
from rtcore.native.frame import EncodedFrame

from .encoding import EncodingStream, blanked

if TYPE_CHECKING:
    from rtcore.media import MediaTrack

__all__ = ["SendClock", "Sending", "SourceCounters"]

FAIR_FRAMES = 64
"""After so many frames the event loop gets a turn, whether the track waits or not."""
JUMP = 0.25
"""Seconds by which the time of a capture and that of its timestamp may differ before it is a new start."""
SMOOTHING = 0.02

Post = Callable[[int, EncodedFrame, float, int], object]
"""Encoding, frame, when it was captured (seconds of the core's clock), its timestamp."""


class SendClock:
    """One timeline of RTP timestamps over all the tracks that a sender has one after the other."""

    __slots__ = ("_base", "_base_at", "_fresh", "_last", "_last_at", "_offset", "rate")

    def __init__(self) -> None:
        self.rate = 90000
        self._offset = 0
        self._fresh = True
        self._last: int | None = None
        self._last_at = 0.0
        self._base: int | None = None
        self._base_at = 0.0

    def begin(self) -> None:
        """What comes next has an origin of its own."""
        self._fresh = True
        self._base = None

    def timestamp(self, own: int, now: float) -> int:
        """That of a frame whose source calls it `own`."""
        if self._fresh:
            self._fresh = False
            if self._last is not None:
                passed = max(1, round((now - self._last_at) * self.rate))
                self._offset = self._last + passed - own
        timestamp = own + self._offset
        if self._last is None or timestamp > self._last:
            self._last, self._last_at = timestamp, now
        return timestamp

    def at(self, now: float) -> int:
        """The timestamp of this moment, a little after all before it."""
        if self._last is None:
            return 0
        return self._last + max(1, round((now - self._last_at) * self.rate))

    def captured(self, timestamp: int, now: float) -> float:
        """When the frame was captured, free of the jitter with which it was handed out: sender reports give
        timestamps by it, and lip sync follows those."""
        if self._base is not None:
            expected = self._base_at + (timestamp - self._base) / self.rate
            late = now - expected
            if abs(late) < JUMP:
                self._base_at += late * SMOOTHING
                return min(expected, now)
        self._base, self._base_at = timestamp, now
        return now


class SourceCounters:
    """What a sender has taken from its tracks: W3C RTCAudioSourceStats and RTCVideoSourceStats."""

    __slots__ = (
        "_count",
        "_since",
        "audio_duration",
        "audio_energy",
        "audio_level",
        "frames",
        "frames_per_second",
        "height",
        "width",
    )

    def __init__(self) -> None:
        self.frames = 0
        self.width = 0
        self.height = 0
        self.frames_per_second: float | None = None  # of the last second that is over
        self.audio_level: float | None = None
        self.audio_energy = 0.0
        self.audio_duration = 0.0
        self._since = 0.0
        self._count = 0

    def picture(self, width: int, height: int, now: float) -> None:
        self.frames += 1
        if width and height:
            self.width, self.height = width, height
        if self._since == 0 or now - self._since >= 2:  # the first one, or after a pause
            self._since, self._count = now, 0
        self._count += 1
        if now - self._since >= 1:
            self.frames_per_second = (self._count - 1) / (now - self._since)
            self._since, self._count = now, 1

    def sound(self, frame: EncodedFrame, rate: int) -> None:
        self.frames += 1
        duration = frame.duration / rate
        level = frame.audio_level
        self.audio_level = None if level is None else 10.0 ** (level / 20)
        self.audio_energy += duration * (self.audio_level or 0.0) ** 2
        self.audio_duration += duration


class Sending:
    """Runs until the track ends, fails, or `cancel()`."""

    __slots__ = (
        "_clock",
        "_counters",
        "_failed",
        "_over",
        "_post",
        "_streams",
        "_switch",
        "_task",
        "_wants_key",
        "codec",
        "track",
    )

    def __init__(
        self,
        track: MediaTrack,
        codec: str,
        streams: Sequence[EncodingStream],
        clock: SendClock,
        counters: SourceCounters,
        post: Post,
        failed: Callable[[MediaTrack, Exception, bool], object],
        switch: Callable[[str], bool],
    ) -> None:
        """`post` hands a frame to the core, `failed` hears why this ended and whether the track did, `switch`
        begins anew with another codec, or says that it cannot."""
        self.track = track
        self.codec = codec
        self._streams = streams
        self._clock = clock
        self._counters = counters
        self._post = post
        self._failed = failed
        self._switch = switch
        self._over = False
        self._wants_key = track.kind == "video"  # the first encoded frame must stand alone
        self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        self._over = True  # a track that has a frame ready does not let the task be cancelled
        self._task.cancel()

    async def _run(self) -> None:
        track, fair = self.track, FAIR_FRAMES
        if track.codec is not None:
            track.request_key_frame()
        while not self._over:
            try:
                frame = await track.recv()
            except TrackEndedError:
                return
            except Exception as error:
                self._failed(track, error, True)
                return
            now = time.monotonic()
            try:
                if isinstance(frame, EncodedFrame):
                    self._pass(frame, now)
                else:
                    await self._encode(frame, now)
            except Exception as error:
                self._failed(track, error, False)
                return
            fair -= 1
            if fair == 0:
                fair = FAIR_FRAMES
                await asyncio.sleep(0)

    def _pass(self, frame: EncodedFrame, now: float) -> None:
        """An encoded frame, as it is."""
        if frame.codec != self.codec:
            if not self._switch(frame.codec):
                raise InvalidAccessError(f"the track gives {frame.codec}, which was not negotiated")
            return  # another task goes on with it
        if frame.lost or not self.track.enabled:
            self._wants_key = self._wants_key or self.track.kind == "video"
            return
        if self._wants_key and not frame.key:
            return
        self._wants_key = False
        if self.track.kind == "audio":
            self._counters.sound(frame, self._clock.rate)
        else:
            self._counters.picture(frame.width, frame.height, now)
        encoding = frame.encoding if frame.encoding < len(self._streams) else 0
        timestamp = self._clock.timestamp(frame.timestamp, now)
        self._post(encoding, frame, self._clock.captured(timestamp, now), timestamp)

    async def _encode(self, frame: av.VideoFrame | av.AudioFrame, now: float) -> None:
        if not self.track.enabled:
            frame = blanked(frame)
        if isinstance(frame, av.VideoFrame):
            self._counters.picture(frame.width, frame.height, now)
        wanted = [(place, stream) for place, stream in enumerate(self._streams) if stream.wants(now)]
        if len(wanted) == 1:  # the common case, without a task
            place, stream = wanted[0]
            self._send(place, await stream.encode(frame), now)
            return
        made = await asyncio.gather(*(stream.encode(frame) for _, stream in wanted))
        for (place, _), frames in zip(wanted, made, strict=True):
            self._send(place, frames, now)

    def _send(self, encoding: int, frames: Sequence[EncodedFrame], now: float) -> None:
        for frame in frames:
            if self.track.kind == "audio":
                self._counters.sound(frame, self._clock.rate)
            timestamp = self._clock.timestamp(frame.timestamp, now)
            self._post(encoding, frame, self._clock.captured(timestamp, now), timestamp)
