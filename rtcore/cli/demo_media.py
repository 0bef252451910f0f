"""The demo's media: a file played to the second process, and what it recorded compared with the file."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import rtcore
from rtcore.media import MediaPlayer, MediaTrack
from rtcore.media.synthetic import picture, psnr

from .demo_link import Link

__all__ = ["Clip", "Report", "Verdict", "compare", "send", "tracks_of"]

WIDTH, HEIGHT, FRAME_RATE = 640, 360, 30
RATE, FREQUENCY, SAMPLES = 48_000, 440, 960
SAMPLE = 0.25
"""Seconds between two looks at the statistics."""
THUMBNAIL = (32, 18)
GOOD_SHARE, GOOD_PSNR, GOOD_LEVEL = 0.9, 25.0, 6.0
"""Of the pictures sent, how many must arrive; their median PSNR, dB; how far off the sound may be, dB."""


@dataclass(frozen=True)
class Clip:
    """The media file that is played, `seconds` of it."""

    path: Path
    name: str
    seconds: float

    @classmethod
    def of(cls, path: Path | None, folder: Path, seconds: float) -> Clip:
        """The file itself if it has pictures or sound, else one made in `folder`."""
        if path is not None and _has_media(path):
            return cls(path, path.name, seconds)
        made = folder / "rtcore-demo-source.mkv"
        _make(made, seconds)
        return cls(made, "a made clip", seconds)

    def player(self) -> MediaPlayer:
        return MediaPlayer(self.path)


@dataclass
class Verdict:
    """How the recording compares with what was sent; None where there was nothing to compare."""

    frames_sent: int = 0
    frames_recorded: int = 0
    psnr: list[float] = field(default_factory=list)
    level_sent: float | None = None
    level_recorded: float | None = None

    @property
    def good(self) -> bool:
        pictures = not self.frames_sent or (
            self.frames_recorded >= GOOD_SHARE * self.frames_sent and float(np.median(self.psnr)) >= GOOD_PSNR
        )
        if self.level_sent is None:
            return pictures
        sound = self.level_recorded is not None and abs(self.level_recorded - self.level_sent) <= GOOD_LEVEL
        return pictures and sound


@dataclass
class Report:
    """What was measured while the clip played. Samples are dicts, `time` in seconds from the beginning."""

    recording: Path
    sent: list[dict[str, Any]] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    delays: dict[str, list[float]] = field(default_factory=dict)
    """By kind: from the capture of each frame to its release from the jitter buffer, seconds."""
    stats: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)


def _has_media(path: Path) -> bool:
    try:
        with av.open(str(path)) as file:
            return bool(file.streams.video or file.streams.audio)
    except (av.error.FFmpegError, OSError, ValueError):
        return False


def _make(path: Path, seconds: float) -> None:
    """Moving pictures and a tone."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", FRAME_RATE, options={"preset": "ultrafast", "crf": "16"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = file.add_stream("pcm_s16le", RATE, layout="mono")
        heard = 0
        for number in range(round(seconds * FRAME_RATE)):
            frame = picture(WIDTH, HEIGHT, number)
            frame.pts = number
            file.mux(video.encode(frame))
            while heard * FRAME_RATE < (number + 1) * RATE:
                file.mux(audio.encode(_tone(heard)))
                heard += SAMPLES
        file.mux(video.encode(None))
        file.mux(audio.encode(None))


def _tone(first: int) -> av.AudioFrame:
    at = np.arange(first, first + SAMPLES)
    samples = (8000 * np.sin(2 * np.pi * FREQUENCY * at / RATE)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate, frame.pts = RATE, first
    return frame


# Sending


async def send(
    pc: rtcore.PeerConnection, player: MediaPlayer, link: Link, report: Report, console: Console
) -> None:
    """Until the player's tracks have ended, or the clip's time is up."""
    tracks = tracks_of(player)
    ended = asyncio.Event()

    def track_ended() -> None:
        if all(track.ready_state == "ended" for track in tracks):
            ended.set()

    for track in tracks:
        track.on("ended", track_ended)
    begin = time.monotonic()
    with console.status(f"playing {', '.join(track.kind for track in tracks)} to the second process"):
        while not ended.is_set():
            try:
                await asyncio.wait_for(ended.wait(), SAMPLE)
            except TimeoutError:
                report.sent.append(_look(await pc.get_stats(), time.monotonic() - begin))
    report.stats = await pc.get_stats()
    told = (await link.ask("media"))["media"]
    report.received, report.delays = told["samples"], told["delays"]


def tracks_of(player: MediaPlayer) -> list[MediaTrack]:
    return [track for track in (player.audio, player.video) if track is not None]


def _look(stats: dict[str, dict[str, Any]], moment: float) -> dict[str, Any]:
    sample: dict[str, Any] = {"time": moment, "bytes": 0, "target": 0}
    for entry in stats.values():
        if entry["type"] == "outbound-rtp":
            sample["bytes"] += entry["bytesSent"] + entry["headerBytesSent"]
            sample["target"] += entry.get("targetBitrate", 0)
        elif entry["type"] == "remote-inbound-rtp" and "roundTripTime" in entry:
            sample["round_trip"] = entry["roundTripTime"]
    return sample


# Comparing


def compare(clip: Clip, recording: Path) -> Verdict:
    """Finds for each recorded picture the one of the clip that it shows, and compares them."""
    verdict = Verdict()
    sent = list(_pictures(clip.path, clip.seconds))
    if sent:
        small = np.stack([_thumbnail(frame) for frame in sent])
        verdict.frames_sent = len(sent)
        for frame in _pictures(recording, math.inf):
            near = int(np.argmin(np.square(small - _thumbnail(frame)).mean(axis=(1, 2))))
            verdict.frames_recorded += 1
            verdict.psnr.append(psnr(sent[near], _sized(frame, sent[near])))
    verdict.level_sent = _level(clip.path, clip.seconds)
    verdict.level_recorded = _level(recording, math.inf)
    return verdict


def _pictures(path: Path, seconds: float) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as file:
        if file.streams.video:
            for frame in file.decode(video=0):
                if frame.time is not None and frame.time >= seconds:
                    return
                yield frame


def _sized(frame: av.VideoFrame, like: av.VideoFrame) -> av.VideoFrame:
    return frame.reformat(width=like.width, height=like.height)


def _thumbnail(frame: av.VideoFrame) -> NDArray[np.float32]:
    width, height = THUMBNAIL
    small = frame.reformat(width=width, height=height, format="gray").to_ndarray()
    return cast(NDArray[np.float32], small.astype(np.float32))


def _level(path: Path, seconds: float) -> float | None:
    """Mean power of the sound in dBFS; None if there is none."""
    power, count = 0.0, 0
    with av.open(str(path)) as file:
        if not file.streams.audio:
            return None
        plain = av.AudioResampler("fltp")
        for frame in file.decode(audio=0):
            if frame.time is not None and frame.time >= seconds:
                break
            for part in plain.resample(frame):
                samples = part.to_ndarray().astype(np.float64)
                power += float(np.square(samples).sum())
                count += samples.size
    return 10 * math.log10(max(power / count, 1e-12)) if count else None
