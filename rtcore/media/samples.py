"""Audio as numpy arrays: from and to `av.AudioFrame`, and from any rate, layout and format to one's own."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, TypeAlias, cast

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["Converter", "SampleType", "Samples", "layout_of", "level_of", "remixed", "to_frame"]

Samples: TypeAlias = NDArray[Any]
"""Shape (samples, channels): int16 of full scale, or float32 from -1 to 1."""

SampleType: TypeAlias = Literal["int16", "float32"]

FORMATS = {"int16": "s16", "float32": "flt"}


def layout_of(channels: int) -> str:
    """FFmpeg's name of the usual layout of so many channels."""
    if not 1 <= channels <= 8:
        raise ValueError(f"channels must be from 1 to 8, not {channels!r}")
    return ("mono", "stereo", "2.1", "quad", "5.0", "5.1", "6.1", "7.1")[channels - 1]


def to_frame(samples: Samples, rate: int, pts: int | None = None) -> av.AudioFrame:
    """An audio frame of `samples`, which are copied. Its time base is 1/rate."""
    kind = "s16" if samples.dtype == np.int16 else "flt"
    count, channels = samples.shape
    flat: Any = np.ascontiguousarray(samples).reshape(1, count * channels)
    frame = av.AudioFrame.from_ndarray(flat, format=kind, layout=layout_of(channels))
    frame.sample_rate = rate
    frame.time_base = _per_second(rate)
    frame.pts = pts
    return frame


@lru_cache
def _per_second(rate: int) -> Fraction:
    return Fraction(1, rate)


def level_of(samples: Samples) -> int:
    """The level in dBov (RFC 6464), -127 (silence) to 0."""
    if not len(samples):
        return -127
    flat = samples.reshape(-1).astype(np.float32)
    scale = 32768.0 if samples.dtype == np.int16 else 1.0
    power = float(np.dot(flat, flat)) / (len(flat) * scale * scale)
    return -127 if power < 2e-13 else max(-127, min(0, round(10 * float(np.log10(power)))))


class Converter:
    """Frames of any kind into arrays of one rate, number of channels and type.

    Costs nothing but a view where a frame is that already. Otherwise FFmpeg's resampler does it, and keeps
    a few samples for the next frame. A source whose format changes is followed.
    """

    def __init__(self, rate: int, channels: int, dtype: SampleType = "int16") -> None:
        """`ValueError` for a rate that is not from 1,000 to 384,000, channels not from 1 to 8, an unknown
        type."""
        if not 1000 <= rate <= 384_000:
            raise ValueError(f"rate must be from 1000 to 384000 Hz, not {rate!r}")
        if dtype not in FORMATS:
            raise ValueError(f'dtype must be "int16" or "float32", not {dtype!r}')
        self.rate, self.channels, self.dtype = rate, channels, np.dtype(dtype)
        self._format, self._layout = FORMATS[dtype], layout_of(channels)
        self._resampler: av.AudioResampler | None = None
        self._source: tuple[int, str, str] | None = None
        self._resampled = self._layout

    def convert(self, frame: av.AudioFrame) -> Samples:
        """The samples that are ready, shape (samples, channels); the frame's own memory where it fits."""
        layout, kind = cast(Any, frame.layout), cast(Any, frame.format).name
        source = (frame.sample_rate, layout.name, kind)
        if source == (self.rate, self._layout, self._format):
            left = self._drain()
            return np.concatenate((left, self._view(frame))) if len(left) else self._view(frame)
        left = self._empty()
        if self._resampler is None or source != self._source:
            left = self._drain()
            # between mono and stereo we mix: FFmpeg would take 3 dB off, or put them on
            mixed = layout.nb_channels <= 2 and self.channels <= 2
            self._resampled = layout_of(layout.nb_channels) if mixed else self._layout
            self._resampler = av.AudioResampler(format=self._format, layout=self._resampled, rate=self.rate)
            self._source = source
        return np.concatenate([left, *(self._view(made) for made in self._resampler.resample(frame))])

    def _drain(self) -> Samples:
        resampler, self._resampler = self._resampler, None
        if resampler is None:
            return self._empty()
        return np.concatenate([self._empty(), *(self._view(made) for made in resampler.resample(None))])

    def _empty(self) -> Samples:
        return np.zeros((0, self.channels), self.dtype)

    def _view(self, frame: av.AudioFrame) -> Samples:
        channels: int = cast(Any, frame.layout).nb_channels
        flat = np.frombuffer(cast(Any, frame.planes[0]), self.dtype, frame.samples * channels)
        return remixed(flat.reshape(frame.samples, channels), self.channels)


def remixed(samples: Samples, channels: int) -> Samples:
    """Mono as stereo, stereo as mono; as it is if it has as many channels already."""
    if samples.shape[1] == channels:
        return samples
    if channels == 2:
        return np.repeat(samples, 2, axis=1)
    if samples.dtype == np.int16:
        mixed: Samples = (samples.sum(axis=1, dtype=np.int32, keepdims=True) >> 1).astype(np.int16)
    else:
        mixed = samples.mean(axis=1, dtype=np.float32, keepdims=True)
    return mixed
