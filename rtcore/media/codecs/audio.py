"""What all audio codecs share: samples cut into packets' worth, and the time of playout.

An encoder takes frames of any length and format, and makes packets of one length; the time of a packet is
that of its first sample. A decoder makes one frame of each packet; what did not come is concealed, and what
the jitter buffer wants played longer or shorter (`EncodedFrame.stretch`) is: by overlap-add at the pitch,
so that it is not heard. So the frames of a decoder have no gaps, and their `pts` counts what is played.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import av
import numpy as np

from rtcore.errors import CodecError
from rtcore.native.frame import EncodedFrame
from rtcore.native.stretch import Stretcher

from ..samples import Converter, Samples, level_of, to_frame
from .base import Decoder, Encoder, Timeline

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["AudioDecoder", "AudioEncoder", "number"]

VOICE_LEVEL = -50
"""dBov from which on a packet is marked as voice (RFC 6464), where the codec has no detector of its own."""
GAP = 0.1
"""Seconds by which a source's time must jump to be followed; less is the jitter of its clock."""


def number(codec: RtpCodec, name: str, default: int) -> int:
    """A format parameter that is a number; `default` where it is missing or is none."""
    text = codec.parameter_map.get(name, "")
    return int(text) if text.isdecimal() else default


class AudioEncoder(Encoder):
    """Subclasses encode one packet's worth of int16 samples."""

    def __init__(self, codec: RtpCodec, *, rate: int, channels: int, frame_ms: float) -> None:
        """`rate` is the codec's sample rate, which for G.722 is not its RTP clock."""
        super().__init__(codec)
        self.rate, self.channels, self.frame_ms = rate, channels, frame_ms
        self.frame_size = round(rate * frame_ms / 1000)
        if self.frame_size < 1:
            raise ValueError(f"frame_ms must be positive, not {frame_ms!r}")
        self._converter = Converter(rate, channels)
        self._timeline = Timeline(codec.clock_rate)
        self._left: Samples = np.zeros((0, channels), np.int16)
        self._next: int | None = None  # the RTP time of the first sample left

    @abstractmethod
    def _encode(self, samples: Samples) -> tuple[bytes | None, bool | None]:
        """The packet, None if there is nothing to send; and whether it is voice, None if not known."""

    def encode(self, frame: av.VideoFrame | av.AudioFrame, *, key: bool = False) -> list[EncodedFrame]:
        if not isinstance(frame, av.AudioFrame):
            raise TypeError(f"{self.codec.name} encodes av.AudioFrame, not {type(frame).__name__}")
        try:
            samples = self._converter.convert(frame)
        except av.error.FFmpegError as error:
            raise CodecError(f"the samples cannot be converted for {self.codec.name}: {error}") from error
        start = self._start(frame)
        if len(self._left):
            samples = np.concatenate((self._left, samples))
        made: list[EncodedFrame] = []
        ticks = round(self.frame_size * self.codec.clock_rate / self.rate)
        size = self.frame_size
        whole = len(samples) - len(samples) % size
        for offset in range(0, whole, size):
            part = samples[offset : offset + size]
            data, voice = self._encode(part)
            if data is not None:
                level = level_of(part)
                voiced = level > VOICE_LEVEL if voice is None else voice
                made.append(
                    EncodedFrame(
                        data,
                        codec=self.codec.name,
                        timestamp=start,
                        duration=ticks,
                        key=True,
                        audio_level=level,
                        voice=voiced,
                    )
                )
            start += ticks
        self._left = samples[whole:].copy()
        self._next = start
        return made

    def _start(self, frame: av.AudioFrame) -> int:
        """The RTP time of the first sample that is left or comes now."""
        clock = self.codec.clock_rate
        step = round(frame.samples * clock / max(1, frame.sample_rate))
        ticks = self._timeline.at(frame.pts, frame.time_base, step)
        if self._next is None:
            return ticks
        begins = ticks - round(len(self._left) * clock / self.rate)
        if begins - self._next > GAP * clock:
            return begins
        return self._next


class AudioDecoder(Decoder):
    """Subclasses decode one packet to int16 samples; and make up for one that is lost, if they can better
    than by repeating the pitch."""

    conceals = False
    """Whether the codec makes up for losses itself."""

    def __init__(self, codec: RtpCodec, *, rate: int) -> None:
        super().__init__(codec)
        self.rate = rate
        self._expected: int | None = None  # RTP time at which the next packet begins
        self._pts: int | None = None  # of the next sample that is played
        self._stretcher: Stretcher | None = None
        self.concealed_samples = 0
        """How many samples were made up."""

    @abstractmethod
    def _decode(self, frame: EncodedFrame) -> Samples | None:
        """The samples of a packet. None: not yet; they come with the next."""

    def _conceal(self, count: int) -> Samples | None:
        """`count` samples in the place of those lost. None: not yet; they come with the next packet."""
        if self._stretcher is None:  # nothing was heard yet
            return np.zeros((count, self.codec.channels), np.int16)
        return self._stretcher.conceal(count)

    def _bridge(self, count: int) -> Samples | None:
        """`count` samples while nothing comes at all, which may still come."""
        return self._conceal(count)

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        clock = self.codec.clock_rate
        if frame.lost:
            count = round((frame.duration + frame.stretch) * self.rate / clock)
            self.concealed_samples += count
            samples = self._conceal(count) if frame.duration else self._bridge(count)
        else:
            samples = self._decode(frame)
        pts = self._next_pts(frame, 0 if samples is None else len(samples))
        if samples is None or not len(samples):
            return []
        if self.conceals or not frame.lost:
            change = 0 if frame.lost else frame.stretch
            samples = self._played(samples, round(change * self.rate / clock))
        made = to_frame(samples, self.rate, pts)
        made.opaque = frame
        self._pts = pts + len(samples)
        return [made]

    def _next_pts(self, frame: EncodedFrame, count: int) -> int:
        """Where this frame's samples begin in what is played."""
        clock = self.codec.clock_rate
        if self._pts is None:
            self._pts = max(0, round(frame.timestamp * self.rate / clock))
        elif self._expected is not None and frame.timestamp > self._expected:
            # nothing was sent for a time (DTX), or nothing came
            self._pts += round((frame.timestamp - self._expected) * self.rate / clock)
        if frame.duration or not frame.lost:
            self._expected = frame.timestamp + (frame.duration or round(count * clock / self.rate))
        return self._pts

    def _played(self, samples: Samples, change: int) -> Samples:
        if self._stretcher is None or self._stretcher.channels != samples.shape[1]:
            if not change and self.conceals:
                return samples  # nothing to be remembered
            self._stretcher = Stretcher(self.rate, samples.shape[1])
        return self._stretcher.pass_on(samples, change)
