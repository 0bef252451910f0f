"""Glass to glass: a source's frame until the decoded one is in the application's hands, two peers in this
process over loopback.

Pictures carry their number; the sound is silent but for a short beep twice a second, whose onset is looked
for. Both stacks get the same pictures (640 x 360, 30 a second, VP8) and samples (20 ms at 48 kHz, Opus), and
decode all.
"""

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np

from . import content
from .percentile import percentile

RATE, SAMPLES = 48000, 960
FRAME_RATE = 30
BEEP_EVERY, BEEP = 25, 3  # frames of sound
LOUD = 2000
WARM_UP = 2.0  # seconds, until encoders and buffers have settled


class Clock:
    """When each picture and beep left its source, and how long it took."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, int], float] = {}
        self.delays: dict[str, list[float]] = {"video": [], "audio": []}
        self.from_now: float | None = None

    def leaves(self, kind: str, number: int) -> None:
        self.sent[kind, number] = time.perf_counter()

    def arrives(self, kind: str, number: int) -> None:
        sent = self.sent.pop((kind, number), None)
        if sent is not None and self.from_now is not None and sent >= self.from_now:
            self.delays[kind].append(time.perf_counter() - sent)


class Pictures:
    """Makes them before they are needed: drawing is not what is measured."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.number, self.begin = clock, 0, 0.0
        self.ready = [content.draw(number) for number in range(FRAME_RATE)]

    async def next(self) -> av.VideoFrame:
        loop = asyncio.get_running_loop()
        self.begin = self.begin or loop.time()
        picture = self.ready[self.number % len(self.ready)].copy()
        content.mark(picture, self.number)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = self.number * 90000 // FRAME_RATE, Fraction(1, 90000)
        await asyncio.sleep(self.begin + self.number / FRAME_RATE - loop.time())
        self.clock.leaves("video", self.number)
        self.number += 1
        return frame


class Beeps:
    def __init__(self, clock: Clock) -> None:
        self.clock, self.number, self.begin = clock, 0, 0.0
        self.loud = content.tone(1000, RATE, 0, SAMPLES)
        self.silent = np.zeros(SAMPLES, np.int16)

    async def next(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self.begin = self.begin or loop.time()
        phase = self.number % BEEP_EVERY
        samples = self.loud if phase < BEEP else self.silent
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.number * SAMPLES, Fraction(1, RATE)
        await asyncio.sleep(self.begin + self.number * SAMPLES / RATE - loop.time())
        if phase == 0:
            self.clock.leaves("audio", self.number // BEEP_EVERY)
        self.number += 1
        return frame


class Sink:
    """Takes decoded frames."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.loud = clock, False

    def video(self, frame: av.VideoFrame) -> None:
        number = content.read(frame.to_ndarray(format="gray"))
        if number is not None:
            self.clock.arrives("video", number)

    def audio(self, frame: av.AudioFrame) -> None:
        loud = bool(np.abs(frame.to_ndarray().astype(np.int32)).max() > LOUD)
        if loud and not self.loud:
            oldest = min((number for kind, number in self.clock.sent if kind == "audio"), default=None)
            if oldest is not None:
                self.clock.arrives("audio", oldest)
        self.loud = loud


class Stack(Protocol):
    """A module beside this one: `await call(pictures, beeps, sink, *options)` gives what closes the call."""

    call: Callable[..., Awaitable[Callable[[], Awaitable[Any]]]]


async def measure(stack: Stack, option: str, seconds: float) -> dict[str, float]:
    clock = Clock()
    options = [option] if option else []
    close = await stack.call(Pictures(clock), Beeps(clock), Sink(clock), *options)
    await asyncio.sleep(WARM_UP)
    clock.from_now = time.perf_counter()
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    result = {"cpu": (time.process_time() - cpu) / seconds}
    for kind, delays in clock.delays.items():
        result[f"{kind}_count"] = len(delays)
        result[f"{kind}_p50"], result[f"{kind}_p99"] = percentile(delays, 0.5), percentile(delays, 0.99)
    await close()
    return result


def run(stack: str, option: str, seconds: float) -> dict[str, float]:
    """`stack` names a module beside this one, `option` is an argument of its `call`."""
    module: Any = importlib.import_module(f"benchmarks.peers.{stack}_glass")
    return asyncio.run(measure(module, option, seconds))
