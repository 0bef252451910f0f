"""Tracks for the peer `aiortc_peer.py`: sources of known content, and watchers that recognise it."""

import asyncio
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError

from . import content

RATE = 48000
HEARD = 0.2  # seconds in which a frequency is looked for: 5 Hz apart


class Picture(VideoStreamTrack):
    def __init__(self, width: int = 640, height: int = 360, first: int = 0, **_: Any) -> None:
        super().__init__()
        self.size, self.number = (width, height), first

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(content.draw(self.number, *self.size), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        self.number = (self.number + 1) & 0xFFFFFF
        return frame


class Tone(AudioStreamTrack):
    def __init__(self, frequency: float = 440, **_: Any) -> None:
        super().__init__()
        self.frequency, self.first = frequency, 0
        self.begin: float | None = None

    async def recv(self) -> av.AudioFrame:
        now = asyncio.get_running_loop().time()
        self.begin = now if self.begin is None else self.begin
        await asyncio.sleep(self.begin + self.first / RATE - now)
        samples = content.tone(self.frequency, RATE, self.first, 960)
        frame = av.AudioFrame.from_ndarray(samples[None, :], layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.first, Fraction(1, RATE)
        self.first += 960
        return frame


def source(type: str, **options: Any) -> MediaStreamTrack:
    return {"picture": Picture, "tone": Tone, "camera": Picture, "microphone": Tone}[type](**options)


class Watcher:
    """Reads a track to its end, and remembers what was in it."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.track = track
        self.changed = asyncio.Condition()
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            try:
                frame = await self.track.recv()
            except MediaStreamError:
                return
            self.take(frame)
            async with self.changed:
                self.changed.notify_all()

    def take(self, frame: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.task.cancel()


class VideoWatcher(Watcher):
    def __init__(self, track: MediaStreamTrack) -> None:
        self.frames = self.unreadable = self.width = self.height = 0
        self.numbers: list[int] = []
        super().__init__(track)

    def take(self, frame: Any) -> None:
        self.width, self.height = frame.width, frame.height
        number = content.read(frame.to_ndarray(format="gray"))
        self.frames += 1
        if number is None:
            self.unreadable += 1
        else:
            self.numbers.append(number)

    async def seen(self, frames: int = 1, numbers: int = 0) -> dict[str, Any]:
        frame, first, unreadable = self.frames, len(self.numbers), self.unreadable
        async with self.changed:
            await self.changed.wait_for(
                lambda: self.frames >= frame + frames and len(self.numbers) >= first + numbers
            )
        return {
            "width": self.width,
            "height": self.height,
            "numbers": self.numbers[first:],
            "unreadable": self.unreadable - unreadable,
        }


class AudioWatcher(Watcher):
    def __init__(self, track: MediaStreamTrack) -> None:
        self.samples = np.zeros(0, np.int16)
        self.rate = RATE
        super().__init__(track)

    def take(self, frame: Any) -> None:
        self.rate = frame.sample_rate
        new = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
        self.samples = np.concatenate((self.samples, new))[-int(HEARD * self.rate) :]

    async def seen(self, frequency: float | None = None, tolerance: float = 15) -> dict[str, Any]:
        def heard() -> float:
            enough = len(self.samples) >= int(HEARD * self.rate)
            return content.loudest(self.samples, self.rate) if enough else 0.0

        async with self.changed:
            if frequency is not None:
                await self.changed.wait_for(lambda: abs(heard() - frequency) <= tolerance)
        return {"frequency": heard(), "level": content.level(self.samples)}


def watch(track: MediaStreamTrack) -> Watcher:
    return VideoWatcher(track) if track.kind == "video" else AudioWatcher(track)
