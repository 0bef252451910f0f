"""Pictures and sounds that are made here, and can be recognised at the other end: for demos and tests.

The picture moves, and has the number of the frame drawn in as black and white bars, which survive any codec
and any scaling; `read_counter()` gets it back. The sound is a tone; `frequency_of()` finds it again.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from rtcore.errors import TrackEndedError

from .clock import Pacer
from .samples import Samples, to_frame
from .track import MediaTrack

__all__ = ["TestPicture", "TestTone", "draw_counter", "frequency_of", "picture", "psnr", "read_counter"]

COUNTER_BITS, CHECK_BITS = 24, 8
BARS = COUNTER_BITS + CHECK_BITS
BAR_HEIGHT = 8  # the picture's height is divided by it
DARK, BRIGHT = 16, 235
MARGIN = 40  # of luma on either side of the middle within which a bar is not believed


def _check(counter: int) -> int:
    return (counter * 0x9D ^ counter >> 8 ^ counter >> 16 ^ 0x5A) & 0xFF


def draw_counter(luma: NDArray[np.uint8], counter: int) -> None:
    """Draws 24 bits of `counter` and a check as bars over the top eighth of `luma`, shape (height, width)."""
    counter &= (1 << COUNTER_BITS) - 1
    word = counter << CHECK_BITS | _check(counter)
    height, width = luma.shape
    bits = np.array([word >> (BARS - 1 - bar) & 1 for bar in range(BARS)], np.uint8)
    bar_of = np.arange(width) * BARS // width
    luma[: max(2, height // BAR_HEIGHT)] = np.where(bits[bar_of], BRIGHT, DARK).astype(np.uint8)


def read_counter(frame: av.VideoFrame) -> int | None:
    """The number drawn into a picture. None if there is none, or it did not survive."""
    luma = frame.reformat(format="gray").to_ndarray()
    height, width = luma.shape
    top = luma[height // BAR_HEIGHT // 4 : max(1, height // BAR_HEIGHT * 3 // 4)].mean(axis=0)
    middles = ((np.arange(BARS) + 0.5) * width / BARS).astype(int)
    reach = max(0, width // BARS // 4)
    values = np.array([top[middle - reach : middle + reach + 1].mean() for middle in middles])
    if np.any(np.abs(values - 126) < MARGIN):
        return None
    word = 0
    for value in values:
        word = word << 1 | int(value > 126)
    counter, check = word >> CHECK_BITS, word & 0xFF
    return counter if check == _check(counter) else None


def picture(width: int, height: int, counter: int) -> av.VideoFrame:
    """Number `counter` of a moving picture in yuv420p; the same each time."""
    return _Painter(width, height).paint(counter)


class _Painter:
    """Keeps what does not move."""

    def __init__(self, width: int, height: int) -> None:
        if width < 64 or height < 32 or width % 2 or height % 2:
            raise ValueError(f"a test picture needs an even size of at least 64 x 32, not {width} x {height}")
        self.width, self.height = width, height
        y, x = np.mgrid[0 : 2 * height, 0 : 2 * width].astype(np.float32)
        waves = np.sin(x / 23) + np.sin(y / 17) + np.sin((x + y) / 41)
        self._luma = (126 + 30 * waves).astype(np.uint8)
        rows = np.arange(height // 2, dtype=np.float32)[:, None]
        columns = np.arange(width // 2, dtype=np.float32)[None, :]
        self._u = np.broadcast_to(96 + 64 * columns / (width // 2), (height // 2, width // 2)).astype(
            np.uint8
        )
        self._v = np.broadcast_to(96 + 64 * rows / (height // 2), (height // 2, width // 2)).astype(np.uint8)

    def paint(self, counter: int) -> av.VideoFrame:
        width, height = self.width, self.height
        canvas = np.empty((height * 3 // 2, width), np.uint8)
        left, top = counter * 2 % width, counter % height
        canvas[:height] = self._luma[top : top + height, left : left + width]
        size = height // 4
        x = counter * 5 % max(1, width - size)
        canvas[height // 2 : height // 2 + size, x : x + size] = 200
        draw_counter(canvas[:height], counter)
        chroma = canvas[height:].reshape(-1)
        chroma[: self._u.size] = self._u.reshape(-1)
        chroma[self._u.size :] = np.roll(self._v, counter, axis=0).reshape(-1)
        return av.VideoFrame.from_ndarray(canvas, format="yuv420p")


def psnr(one: av.VideoFrame, other: av.VideoFrame) -> float:
    """Peak signal-to-noise ratio of the luma, dB; infinite for equal pictures. Of one size."""
    first = one.reformat(format="gray").to_ndarray().astype(np.float32)
    second = other.reformat(format="gray").to_ndarray().astype(np.float32)
    error = float(np.mean((first - second) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255 * 255 / error))


def frequency_of(samples: Samples, rate: int) -> float:
    """The strongest frequency, Hz, of the first channel; to a fraction of a Hz for half a second of a pure
    tone."""
    mono = samples[:, 0].astype(np.float64)
    size = len(mono)
    if size < 16:
        raise ValueError("too few samples")
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(size)))
    spectrum[:2] = 0
    peak = int(np.argmax(spectrum))
    if 0 < peak < len(spectrum) - 1:  # the vertex of a parabola through the logarithms of three
        low, middle, high = np.log(spectrum[peak - 1 : peak + 2] + 1e-12)
        shift = 0.5 * (low - high) / (low - 2 * middle + high)
    else:
        shift = 0.0
    return float((peak + shift) * rate / size)


class TestPicture(MediaTrack):
    """A moving picture with the frame's number in it, in real time."""

    __test__ = False  # for pytest: not a test
    kind = "video"

    def __init__(
        self, *, width: int = 640, height: int = 360, frame_rate: float = 30, count: int | None = None
    ) -> None:
        """Ends after `count` frames; None: never. `ValueError` for sizes that are odd or too small."""
        if frame_rate <= 0:
            raise ValueError(f"frame_rate must be positive, not {frame_rate!r}")
        self._painter = _Painter(width, height)
        self._rate = Fraction(frame_rate).limit_denominator(1001)
        self._count = count
        self._pacer = Pacer()
        self.counter = 0
        """The number of the next frame."""

    async def recv(self) -> av.VideoFrame:
        if self._ended or self.counter == self._count:
            self._end()
            raise TrackEndedError("the track has ended")
        number = self.counter
        self.counter += 1
        await self._pacer.until(float(number / self._rate))
        frame = self._painter.paint(number)
        frame.pts, frame.time_base = int(number * 90000 / self._rate), Fraction(1, 90000)
        return frame


class TestTone(MediaTrack):
    """A tone of one frequency, in real time."""

    __test__ = False  # for pytest: not a test
    kind = "audio"

    def __init__(
        self,
        *,
        frequency: float = 440.0,
        rate: int = 48000,
        channels: int = 1,
        volume: float = 0.25,
        frame_ms: float = 20,
        duration: float | None = None,
    ) -> None:
        """`volume` from 0 to 1; ends after `duration` seconds, None: never."""
        self._frequency, self._rate, self._channels, self._volume = frequency, rate, channels, volume
        self._size = round(rate * frame_ms / 1000)
        self._limit = None if duration is None else round(duration * rate)
        self._pacer = Pacer()
        self._pts = 0

    async def recv(self) -> av.AudioFrame:
        if self._ended or (self._limit is not None and self._pts >= self._limit):
            self._end()
            raise TrackEndedError("the track has ended")
        pts = self._pts
        self._pts += self._size
        await self._pacer.until(pts / self._rate)
        time = (pts + np.arange(self._size)) / self._rate
        wave: Any = np.sin(2 * np.pi * self._frequency * time) * (32767 * self._volume)
        samples = np.repeat(wave.astype(np.int16)[:, None], self._channels, axis=1)
        return to_frame(samples, self._rate, pts)
