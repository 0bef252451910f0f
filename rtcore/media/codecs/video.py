"""What all video codecs share: pictures scaled and converted, times, frame rates; and decoding with
FFmpeg."""

from __future__ import annotations

import os
from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from rtcore.errors import CodecError
from rtcore.native.frame import EncodedFrame

from . import base
from .base import Encoder, Timeline

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["CLOCK_RATE", "Coded", "Decoder", "VideoEncoder", "threads_for"]

CLOCK_RATE = 90_000
STEP = CLOCK_RATE // 30
"""How long a picture lasts where nothing tells."""
MIN_BITRATE = 20_000
MAX_BITRATE = 100_000_000
"""Libraries refuse more, each in its own way. The other end may say that there is room for it."""


def _within_bounds(bitrate: int) -> int:
    return max(MIN_BITRATE, min(bitrate, MAX_BITRATE))


def threads_for(width: int, height: int) -> int:
    """How many threads one codec uses for pictures of this size: more would only cost more."""
    pixels = width * height
    wanted = 1 if pixels <= 640 * 480 else 2 if pixels <= 1280 * 720 else 4 if pixels <= 1920 * 1080 else 8
    return max(1, min(wanted, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Coded:
    """One encoded picture, before it has a time."""

    data: bytes | av.Packet[Any]
    key: bool
    temporal: int = 0
    discardable: bool = False


class VideoEncoder(Encoder):
    """Subclasses encode yuv420p pictures of one size; another size opens another encoder, without a gap."""

    pixel_format = "yuv420p"
    own_pictures = False
    """Whether the pictures given to `_encode` are written to: then never the caller's, which others may
    have too."""

    def __init__(
        self, codec: RtpCodec, *, bitrate: int | None, scale: float = 1.0, max_frame_rate: float | None = None
    ) -> None:
        """`scale`: by how much width and height are divided, 1 or more (W3C scaleResolutionDownBy).
        `max_frame_rate`: pictures beyond it are left out."""
        super().__init__(codec)
        if scale < 1:
            raise ValueError(f"scale must be 1 or more, not {scale!r}")
        if max_frame_rate is not None and max_frame_rate <= 0:
            raise ValueError(f"max_frame_rate must be positive, not {max_frame_rate!r}")
        self.scale, self.max_frame_rate = scale, max_frame_rate
        self._bitrate = 1_000_000
        if bitrate is not None:
            self._bitrate = _within_bounds(bitrate)
        self._reformatter = VideoReformatter()  # of our own: a frame's is not for several threads
        self._timeline = Timeline(CLOCK_RATE)
        self._size: tuple[int, int] | None = None
        self._last: int | None = None  # ticks of the last picture encoded
        self._step = STEP
        self._key = True

    @property
    def bitrate(self) -> int:
        return self._bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        bitrate = _within_bounds(bitrate)
        if bitrate != self._bitrate:
            self._bitrate = bitrate
            if self._size is not None:
                self._set_bitrate(bitrate)

    @abstractmethod
    def _open(self, width: int, height: int) -> None:
        """Makes an encoder for this size, in the place of the one there was."""

    @abstractmethod
    def _set_bitrate(self, bitrate: int) -> None:
        """Of the encoder that is open."""

    @abstractmethod
    def _encode(self, frame: av.VideoFrame, ticks: int, step: int, key: bool) -> list[Coded]: ...

    def encode(self, frame: av.VideoFrame | av.AudioFrame, *, key: bool = False) -> list[EncodedFrame]:
        if not isinstance(frame, av.VideoFrame):
            raise TypeError(f"{self.codec.name} encodes av.VideoFrame, not {type(frame).__name__}")
        ticks = self._timeline.at(frame.pts, frame.time_base, self._step)
        self._key |= key
        if self._last is not None:
            if self._too_early(ticks):
                return []
            self._step = min(CLOCK_RATE, max(1, ticks - self._last))
        width, height = self._target(frame)
        if (width, height) != self._size:
            self._open(width, height)
            self._size, self._key = (width, height), True
        picture = self._converted(frame, width, height)
        try:
            coded = self._encode(picture, ticks, self._step, self._key)
        except av.error.FFmpegError as error:
            raise CodecError(f"{self.codec.name}: {error}") from error
        self._last = ticks
        if any(one.key for one in coded):
            self._key = False
        return [
            EncodedFrame(
                one.data,
                codec=self.codec.name,
                timestamp=ticks,
                duration=self._step,
                key=one.key,
                temporal=one.temporal,
                discardable=one.discardable,
                marker=True,
                width=width,
                height=height,
            )
            for one in coded
        ]

    def _too_early(self, ticks: int) -> bool:
        if self.max_frame_rate is None or self._last is None:
            return False
        # a tenth of a frame of tolerance: 30 of 30 frames must pass although their times are rounded
        return ticks - self._last < 0.9 * CLOCK_RATE / self.max_frame_rate

    def _target(self, frame: av.VideoFrame) -> tuple[int, int]:
        if self.scale == 1:
            return max(2, frame.width & ~1), max(2, frame.height & ~1)
        return max(2, int(frame.width / self.scale) & ~1), max(2, int(frame.height / self.scale) & ~1)

    def _converted(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        if (frame.width, frame.height, frame.format.name) == (width, height, self.pixel_format):
            return copied(frame) if self.own_pictures else frame
        try:
            return self._reformatter.reformat(frame, width, height, self.pixel_format)
        except (av.error.FFmpegError, ValueError) as error:
            raise CodecError(f"the picture cannot be converted for {self.codec.name}: {error}") from error


def copied(frame: av.VideoFrame) -> av.VideoFrame:
    """The same picture in memory of its own."""
    copy = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for target, source in zip(copy.planes, frame.planes, strict=True):
        stride = min(target.line_size, source.line_size)
        rows_of(target)[:, :stride] = rows_of(source)[:, :stride]
    return copy


def rows_of(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """A plane's own memory, shape (rows, bytes per row with padding)."""
    return np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)


def upright(frame: av.VideoFrame, rotation: int) -> av.VideoFrame:
    """The picture turned clockwise by 90, 180 or 270 degrees, in yuv420p."""
    source = frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
    size = (frame.width, frame.height) if rotation == 180 else (frame.height, frame.width)
    turned = av.VideoFrame(*size, "yuv420p")
    for target, plane in zip(turned.planes, source.planes, strict=True):
        turn = np.rot90(rows_of(plane)[: plane.height, : plane.width], -rotation // 90)
        rows_of(target)[: target.height, : target.width] = turn
    turned.pts, turned.time_base = frame.pts, frame.time_base
    return turned


LIBRARIES = {
    "vp8": ("vp8",),
    "vp9": ("vp9", "libvpx-vp9"),
    "h264": ("h264",),
    "h265": ("hevc",),
    "av1": ("libdav1d", "av1"),
}
"""FFmpeg's decoders by codec, the best first."""


class Decoder(base.Decoder):
    """One picture in, one out: no delay for reordering, which streams for calls do not have. Pictures come
    out upright, however the sender held its camera (`EncodedFrame.rotation`)."""

    def __init__(self, codec: RtpCodec, library: str | None = None) -> None:
        """`library`: FFmpeg's name of the decoder, a hardware one for instance."""
        super().__init__(codec)
        names = (library,) if library else LIBRARIES[codec.name.lower()]
        name = next((name for name in names if name in av.codecs_available), names[-1])
        context = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
        context.flags |= av.codec.context.Flags.low_delay
        # threads by slices: by frames they would hold some back
        context.thread_type = av.codec.context.ThreadType.SLICE
        context.thread_count = min(4, os.cpu_count() or 1)
        if name == "libdav1d":
            context.options = {"framethreads": "1", "max_frame_delay": "1"}
        self._context: av.VideoCodecContext | None = context

    def decode(self, frame: EncodedFrame) -> list[av.VideoFrame]:
        if self._context is None:
            raise CodecError("the decoder is closed")
        if not len(frame):
            return []
        packet: av.Packet[Any] = av.Packet(bytes(frame))
        packet.pts = packet.dts = frame.timestamp
        packet.time_base = Fraction(1, CLOCK_RATE)
        try:
            made = self._context.decode(packet)
        except av.error.FFmpegError as error:
            raise CodecError(f"{self.codec.name}: {error}") from error
        if frame.rotation:
            made = [upright(picture, frame.rotation) for picture in made]
        for picture in made:
            if picture.pts is None:
                picture.pts = frame.timestamp
            picture.time_base = Fraction(1, CLOCK_RATE)
            picture.opaque = frame
        return made

    def close(self) -> None:
        self._context = None
