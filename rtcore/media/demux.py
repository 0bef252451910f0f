"""Reading an input with FFmpeg: decoded frames, or encoded ones as RTP carries them, each with its time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import av
from av.bitstream import BitStreamFilterContext

from rtcore.errors import NotSupportedError, OperationError
from rtcore.native.frame import EncodedFrame
from rtcore.sdp import RtpCodec

from .formats import ANNEX_B_FILTERS, codec_of_stream, name_of
from .samples import layout_of

__all__ = ["Input", "InputStream", "is_live"]

LIVE_FORMATS = frozenset(
    {"v4l2", "video4linux2", "alsa", "pulse", "x11grab", "fbdev", "kmsgrab", "rtsp", "rtp", "sdp"}
    | {"avfoundation", "dshow", "gdigrab"}
)
LIVE_SCHEMES = frozenset({"rtsp", "rtsps", "rtp", "rtmp", "rtmps", "srt", "udp"})
TIMEOUT = 10.0
FRAME_SECONDS = 0.02
"""Of sound that is converted."""
VIDEO_CLOCK = 90_000


def is_live(file: str, format: str | None) -> bool:
    """Whether an input makes its frames in real time: a device, or a stream of the network."""
    return format in LIVE_FORMATS or urlsplit(file).scheme in LIVE_SCHEMES


class InputStream:
    """One stream of an input. `codec`: what its frames are encoded with, None if they are decoded."""

    def __init__(self, stream: Any, decode: bool, rate: int | None = None, channels: int = 2) -> None:
        """`rate`: what sound is converted to, as `MediaPlayer` has it."""
        self.stream = stream
        self.kind = "audio" if stream.type == "audio" else "video"
        self.codec: RtpCodec | None = None if decode else codec_of_stream(stream)
        self.end = 0.0  # seconds up to which there were frames
        self._filter: BitStreamFilterContext | None = None
        self._resampler: av.AudioResampler | None = None
        self._samples: int | None = None  # that were converted, since time 0
        if rate is not None and self.codec is None and self.kind == "audio":
            size = round(rate * FRAME_SECONDS)
            self._resampler = av.AudioResampler("s16", layout_of(channels), rate, size)
        if self.codec is None:
            stream.thread_type = "AUTO"
        elif self.kind == "video":
            if stream.codec_context.reorder_depth > 0:
                raise NotSupportedError(
                    "pictures that are not in order (B-frames) cannot be sent as they are"
                )
            if name := ANNEX_B_FILTERS.get(stream.codec_context.name):
                self._filter = BitStreamFilterContext(name, stream)

    def encoded(self, packet: Any, offset: float) -> list[EncodedFrame]:
        """A packet as RTP carries it, `offset` seconds later than it says."""
        codec = self.codec
        assert codec is not None
        made = []
        for part in [packet] if self._filter is None else self._filter.filter(packet):
            if not part.size:
                continue
            base = part.time_base or self.stream.time_base
            time = self.end if part.pts is None else float(part.pts * base) + offset
            length = float((part.duration or 0) * base)
            self.end = max(self.end, time + length)
            made.append(
                EncodedFrame(
                    part,
                    codec=codec.name,
                    timestamp=max(0, round(time * codec.clock_rate)),
                    duration=round(length * codec.clock_rate),
                    key=self.kind == "audio" or part.is_keyframe,
                    marker=self.kind == "video",
                    width=self.stream.codec_context.width if self.kind == "video" else 0,
                    height=self.stream.codec_context.height if self.kind == "video" else 0,
                )
            )
        return made

    def decoded(self, packet: Any, offset: float) -> list[Any]:
        """The frames of a packet, `offset` seconds later than they say."""
        frames = packet.decode()
        if self._resampler is not None:
            return self._converted(self._resampler, frames, offset)
        for frame in frames:
            time = self.end if frame.pts is None else frame.time + offset
            if self.kind == "audio":
                clock, length = frame.sample_rate, frame.samples / frame.sample_rate
            else:
                clock, length = VIDEO_CLOCK, float(1 / (self.stream.average_rate or 30))
            frame.pts, frame.time_base = round(max(0.0, time) * clock), Fraction(1, clock)
            self.end = max(self.end, time + length)
        return list(frames)

    def _converted(self, resampler: av.AudioResampler, frames: list[Any], offset: float) -> list[Any]:
        """Frames of one length, one after the other from the first one's time on."""
        made: list[Any] = []
        for frame in frames:
            if self._samples is None:
                start = 0.0 if frame.pts is None else max(0.0, frame.time + offset)
                self._samples = round(start * resampler.rate)
            for part in resampler.resample(frame):
                part.pts, part.time_base = self._samples, Fraction(1, part.sample_rate)
                self._samples += part.samples
                self.end = self._samples / part.sample_rate
                made.append(part)
        return made


class Input:
    """An open input with one audio and one video stream at the most. Not for two threads at once.

    Times begin at 0 with the first stream. `OperationError` if it cannot be opened or read.
    """

    def __init__(
        self,
        file: str | Path | BinaryIO,
        *,
        format: str | None = None,
        options: Mapping[str, str] | None = None,
        decode: bool = True,
        audio: bool = True,
        video: bool = True,
        loop: bool = False,
        sample_rate: int | None = None,
        channels: int = 2,
        timeout: float | None = TIMEOUT,
    ) -> None:
        self.name = name_of(file)
        self.live = is_live(self.name, format)
        self.decode_errors = 0
        """How many packets could not be decoded; the others go on."""
        self._loop = loop and not self.live
        try:
            self._container: Any = av.open(
                str(file) if isinstance(file, Path) else file,
                "r",
                format=format,
                options=dict(options or {}),
                timeout=timeout,
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise OperationError(f"{self.name} cannot be opened: {error}") from error
        try:
            found = self._chosen(audio, video)
            self.streams = [InputStream(stream, decode, sample_rate, channels) for stream in found]
        except Exception:
            self._container.close()
            raise

    def _chosen(self, audio: bool, video: bool) -> list[Any]:
        container = self._container
        found = [*container.streams.audio[: int(audio)], *container.streams.video[: int(video)]]
        if not found:
            raise OperationError(f"{self.name} has no sound and no pictures that were asked for")
        return found

    def frames(self) -> Iterator[tuple[InputStream, float, Any]]:
        """Each frame with its stream and its time in seconds, in the order of the file."""
        offset = self._start()
        while True:
            before = max(stream.end for stream in self.streams)
            yield from self._once(offset)
            after = max(stream.end for stream in self.streams)
            if not self._loop or after <= before:
                return
            offset += after - before
            for stream in self.streams:
                stream.end = after
            try:
                self._container.seek(self._container.start_time or 0)
            except av.error.FFmpegError as error:
                raise OperationError(f"{self.name} cannot be played again: {error}") from error

    def _start(self) -> float:
        start = self._container.start_time
        return 0.0 if start is None else -start / av.time_base

    def _once(self, offset: float) -> Iterator[tuple[InputStream, float, Any]]:
        by_index = {stream.stream.index: stream for stream in self.streams}
        packets = self._container.demux(*(stream.stream for stream in self.streams))
        while True:
            try:
                packet = next(packets, None)
            except av.error.BlockingIOError:
                continue  # a device that has nothing yet
            except (av.error.FFmpegError, OSError) as error:
                raise OperationError(f"{self.name} cannot be read: {error}") from error
            if packet is None:
                return
            stream = by_index[packet.stream.index]
            for frame in self._frames_of(stream, packet, offset):
                if isinstance(frame, EncodedFrame):
                    assert stream.codec is not None
                    yield stream, frame.timestamp / stream.codec.clock_rate, frame
                else:
                    yield stream, float(frame.pts * frame.time_base), frame

    def _frames_of(self, stream: InputStream, packet: Any, offset: float) -> list[Any]:
        try:
            if stream.codec is not None:
                return list(stream.encoded(packet, offset)) if packet.size else []
            return stream.decoded(packet, offset)
        except av.error.FFmpegError:
            self.decode_errors += 1
            return []

    def close(self) -> None:
        """Idempotent."""
        self._container.close()
