"""What the demo's second process does with the media: records it as it came, and measures."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import rtcore
from rtcore.errors import TrackEndedError
from rtcore.media import EncodedTrack, MediaRecorder

from .demo_media import SAMPLE

__all__ = ["Recording"]

SILENT = 3
"""Looks at the statistics without a new packet, after which nothing is under way any more."""


class Recording:
    """The tracks of a connection, from its offer on, without decoding them."""

    def __init__(self, pc: rtcore.PeerConnection, path: str) -> None:
        self.samples: list[dict[str, Any]] = []
        self.delays: dict[str, list[float]] = {}
        self._pc = pc
        self._recorder = MediaRecorder(path)
        self._tasks: list[asyncio.Task[None]] = []
        self._begin = time.monotonic()
        self._looked = asyncio.Event()
        self._tracks: list[rtcore.media.RemoteTrack] = []
        pc.on("track", lambda event: self._tracks.append(event.track))

    async def start(self) -> None:
        """After the answer: all tracks are known."""
        for track in self._tracks:
            self._recorder.add_track(track.encoded())
            self._tasks.append(asyncio.create_task(self._watch(track.encoded())))
        self._tasks.append(asyncio.create_task(self._look()))
        await self._recorder.start()

    async def finish(self) -> None:
        """When everything sent has come: the file is whole then."""
        while not self._silent():
            await self._looked.wait()
            self._looked.clear()
        await self.close()
        del self.samples[len(self.samples) - SILENT :]

    def _silent(self) -> bool:
        if len(self.samples) <= SILENT:
            return False
        return bool(self.samples[-1]["packets"] == self.samples[-1 - SILENT]["packets"])

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._recorder.close()

    async def _watch(self, track: EncodedTrack) -> None:
        """How long each frame took from its capture, on the sender's wall clock, until it left the buffer."""
        delays = self.delays.setdefault(track.kind, [])
        offset = time.time() - time.monotonic()
        with contextlib.suppress(TrackEndedError):
            while True:
                frame = await track.recv()
                if frame.captured is not None and not frame.lost:
                    delays.append(frame.released + offset - frame.captured)

    async def _look(self) -> None:
        before: dict[str, Any] = {}
        while True:
            await asyncio.sleep(SAMPLE)
            sample = look(await self._pc.get_stats(), time.monotonic() - self._begin)
            if before:
                span = sample["time"] - before["time"]
                sample["bitrate"] = 8 * (sample["bytes"] - before["bytes"]) / span
                for kind in ("audio", "video"):
                    emitted = sample.get(f"{kind}_emitted", 0) - before.get(f"{kind}_emitted", 0)
                    if emitted:
                        waited = sample[f"{kind}_delay"] - before.get(f"{kind}_delay", 0.0)
                        sample[f"{kind}_buffer"] = waited / emitted
                self.samples.append(sample)
                self._looked.set()
            before = sample


def look(stats: dict[str, dict[str, Any]], moment: float) -> dict[str, Any]:
    sample: dict[str, Any] = {"time": moment, "bytes": 0, "packets": 0, "lost": 0, "jitter": {}}
    for entry in stats.values():
        if entry["type"] != "inbound-rtp":
            continue
        kind = entry["kind"]
        sample["bytes"] += entry["bytesReceived"] + entry["headerBytesReceived"]
        sample["packets"] += entry["packetsReceived"]
        sample["lost"] += entry["packetsLost"]
        sample["jitter"][kind] = entry["jitter"]
        sample[f"{kind}_emitted"] = entry["jitterBufferEmittedCount"]
        sample[f"{kind}_delay"] = entry["jitterBufferDelay"]
    return sample
