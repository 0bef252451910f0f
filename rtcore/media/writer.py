"""Writing files with FFmpeg: one writer per stream, and the container they share. Synchronous; one call at
a time.

A file's clock begins at 0. Sound is written without gaps: where there is none, or it came late, there is
silence, so that files without timestamps (WAV) are right, too. Pictures of another size than the first are
fitted into it.
"""

from __future__ import annotations

import io
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from rtcore.errors import CodecError, OperationError
from rtcore.native.frame import EncodedFrame

from . import codecs
from .codecs.video import copied, rows_of
from .formats import file_codec, name_of
from .samples import Converter, Samples, to_frame

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["AudioWriter", "Container", "CopyWriter", "StreamWriter", "VideoWriter", "fitted"]

VIDEO_CLOCK = 90_000
GAP = 0.06
"""Seconds by which sound may be off before silence is put in, or samples are left out."""
PCM_SILENCE = {"PCMU": b"\xff", "PCMA": b"\xd5", "L16": b"\0\0"}
"""One sample of silence where sound has no header (ITU-T G.711, RFC 3551)."""
SILENCE = 48_000
"""Samples of silence at once at the most."""

VIDEO_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "23"},
    "libx265": {"preset": "veryfast", "crf": "26", "x265-params": "log-level=none"},
    "libvpx": {"deadline": "realtime", "cpu-used": "5", "crf": "10"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "30"},
    "libsvtav1": {"preset": "10"},
}
PREFERRED = {"h264": "libx264", "hevc": "libx265", "vp8": "libvpx", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
PIXEL_FORMATS = {"mjpeg": "yuvj420p", "png": "rgb24"}
PREFERRED_AUDIO = {"opus": "libopus"}


class Container:
    """A file that is written. `OperationError` if it cannot be."""

    def __init__(
        self, file: str | Path | BinaryIO, format: str | None, options: Mapping[str, str] | None
    ) -> None:
        self.file = name_of(file)
        target = str(file) if isinstance(file, Path) else file
        try:
            self.output: Any = av.open(target, "w", format=format, options=dict(options or {}))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise OperationError(f"{self.file} cannot be written: {error}") from error
        self.format = self.output.format.name
        self.started = False

    def video_codec(self) -> str:
        """The codec that is usual for this format."""
        if self.format in ("webm", "matroska"):
            return "libvpx" if self.format == "webm" else "libx264"
        if self.format == "image2":
            return "mjpeg" if self.file.lower().endswith((".jpg", ".jpeg")) else "png"
        usual: str = self.output.default_video_codec
        return PREFERRED.get(usual, usual)

    def audio_codec(self) -> str:
        if self.format in ("webm", "matroska", "ogg"):
            return "libopus"
        usual: str = self.output.default_audio_codec
        return PREFERRED_AUDIO.get(usual, usual)

    def can_copy(self, codec: RtpCodec) -> bool:
        """Whether the format takes frames of this codec as they are."""
        name = file_codec(codec)
        return name is not None and name in self.output.supported_codecs and self.format != "image2"

    def start(self) -> None:
        """Writes the header: all streams are there."""
        try:
            self.output.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise OperationError(f"{self.file} cannot be written: {error}") from error
        self.started = True

    def mux(self, packets: list[Any]) -> None:
        try:
            self.output.mux(packets)
        except (av.error.FFmpegError, OSError) as error:
            raise OperationError(f"{self.file} cannot be written: {error}") from error

    def close(self) -> None:
        """Finishes the file. Idempotent."""
        try:
            self.output.close()
        except (av.error.FFmpegError, OSError) as error:
            raise OperationError(f"{self.file} cannot be finished: {error}") from error


class StreamWriter(ABC):
    """One stream of a container; made before its header is written."""

    def __init__(self, container: Container) -> None:
        self._container = container

    @abstractmethod
    def write(self, frame: Any, seconds: float) -> None:
        """A frame at its time in the file."""

    @abstractmethod
    def finish(self) -> None:
        """Writes what the encoder still has."""


class _DecodingWriter(StreamWriter):
    """Takes encoded frames as well, and decodes them first."""

    def __init__(self, container: Container, codec: RtpCodec | None) -> None:
        super().__init__(container)
        self._decoder = None if codec is None else codecs.create_decoder(codec)
        self.decode_errors = 0

    def write(self, frame: Any, seconds: float) -> None:
        if not isinstance(frame, EncodedFrame):
            self._write(frame, seconds)
        elif self._decoder is not None:
            try:
                made = self._decoder.decode(frame)
            except CodecError:
                self.decode_errors += 1
                return
            for one in made:
                self._write(one, seconds)

    @abstractmethod
    def _write(self, frame: Any, seconds: float) -> None: ...

    def finish(self) -> None:
        if self._decoder is not None:
            self._decoder.close()


class VideoWriter(_DecodingWriter):
    def __init__(
        self,
        container: Container,
        width: int,
        height: int,
        *,
        codec: str | None = None,
        bitrate: int | None = None,
        decode: RtpCodec | None = None,
    ) -> None:
        super().__init__(container, decode)
        name = codec or container.video_codec()
        self.width, self.height = max(2, width & ~1), max(2, height & ~1)
        try:
            stream = container.output.add_stream(name, rate=30, options=dict(VIDEO_OPTIONS.get(name, {})))
        except (av.error.FFmpegError, ValueError) as error:
            raise OperationError(f"{container.file} cannot have {name}: {error}") from error
        stream.width, stream.height = self.width, self.height
        self._format = PIXEL_FORMATS.get(name, "yuv420p")
        stream.pix_fmt = self._format
        stream.codec_context.time_base = Fraction(1, VIDEO_CLOCK)
        if bitrate is not None:
            stream.bit_rate = bitrate
        elif name.startswith("libvpx"):
            stream.bit_rate = max(200_000, self.width * self.height * 4)  # the most that crf may use
        self._stream = stream
        self._reformatter = VideoReformatter()
        self._last = -1

    def _write(self, frame: Any, seconds: float) -> None:
        picture = fitted(frame, self.width, self.height, self._format, self._reformatter)
        ticks = round(seconds * VIDEO_CLOCK)
        if ticks <= self._last:
            return  # two pictures at one time: the first is in the file
        self._last = ticks
        picture.pts, picture.time_base = ticks, Fraction(1, VIDEO_CLOCK)
        picture.pict_type = 0  # the encoder chooses, whatever the source's encoder had chosen
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        super().finish()
        self._container.mux(self._stream.encode(None))


class AudioWriter(_DecodingWriter):
    def __init__(
        self,
        container: Container,
        *,
        codec: str | None = None,
        bitrate: int | None = None,
        rate: int = 48_000,
        channels: int = 2,
        decode: RtpCodec | None = None,
    ) -> None:
        super().__init__(container, decode)
        name = codec or container.audio_codec()
        layout = "mono" if channels == 1 else "stereo"
        try:
            stream = container.output.add_stream(name, rate=rate, layout=layout)
        except (av.error.FFmpegError, ValueError) as error:
            raise OperationError(f"{container.file} cannot have {name}: {error}") from error
        if bitrate is not None:
            stream.bit_rate = bitrate
        self._rate = rate
        self._channels = 1 if channels == 1 else 2
        self._converter = Converter(rate, self._channels)
        self._stream = stream
        self._written = 0  # samples, silence among them

    def _write(self, frame: Any, seconds: float) -> None:
        samples = self._converter.convert(frame)
        missing = round(seconds * self._rate) - self._written
        if missing > GAP * self._rate:
            self._silence(missing)
        elif missing < -GAP * self._rate:
            samples = samples[-missing:]
        self._encode(samples)

    def _silence(self, count: int) -> None:
        while count > 0:
            part = min(count, SILENCE)
            self._encode(np.zeros((part, self._channels), np.int16))
            count -= part

    def _encode(self, samples: Samples) -> None:
        if len(samples):
            made = to_frame(samples, self._rate, self._written)
            self._written += len(samples)
            self._container.mux(self._stream.encode(made))

    def finish(self) -> None:
        super().finish()
        if self._written:
            self._container.mux(self._stream.encode(None))


class CopyWriter(StreamWriter):
    """Encoded frames as they are. `first` (for video a key frame) tells the header what they are."""

    def __init__(self, container: Container, codec: RtpCodec, first: EncodedFrame) -> None:
        super().__init__(container)
        self._clock = codec.clock_rate
        name = file_codec(codec)
        try:
            if codec.kind == "video":
                self._probe, template = _probed(codec.name, bytes(first))
                self._stream = container.output.add_stream_from_template(template, opaque=True)
            else:
                encoder = "libopus" if name == "opus" else "g722" if name == "adpcm_g722" else name
                rate = 16_000 if codec.name.upper() == "G722" else codec.clock_rate
                layout = "mono" if codec.channels == 1 else "stereo"
                self._stream = container.output.add_stream(encoder, rate=rate, layout=layout)
        except (av.error.FFmpegError, ValueError) as error:
            raise OperationError(f"{container.file} cannot take {codec.name} as it is: {error}") from error
        self._audio = codec.kind == "audio"
        self._silence = PCM_SILENCE.get(codec.name.upper(), b"") * codec.channels  # of one tick
        self._end = 0  # ticks
        self._last = -1

    def write(self, frame: Any, seconds: float) -> None:
        ticks = round(seconds * self._clock)
        if not isinstance(frame, EncodedFrame) or not len(frame) or ticks <= self._last:
            return  # lost, or two at one time
        self._last = ticks
        if self._silence:  # one sample after the other: the file may have no timestamps
            if ticks - self._end > GAP * self._clock:
                self._fill(ticks - self._end)
            ticks = self._end
        self._mux(bytes(frame), ticks, frame.duration, frame.key or self._audio)

    def _fill(self, missing: int) -> None:
        while missing > 0:
            part = min(missing, SILENCE)
            self._mux(self._silence * part, self._end, part, True)
            missing -= part

    def _mux(self, data: bytes, ticks: int, duration: int, key: bool) -> None:
        packet: Any = av.Packet(data)
        packet.pts = packet.dts = ticks
        packet.time_base = Fraction(1, self._clock)
        packet.duration = duration
        packet.is_keyframe = key
        packet.stream = self._stream
        self._container.mux([packet])
        self._end = ticks + duration

    def finish(self) -> None:
        """There is nothing left: what was written is in the file."""


def _probed(name: str, key_frame: bytes) -> tuple[Any, Any]:
    """An input made of one key frame, and its stream: FFmpeg finds out what a header must say."""
    if name in ("H264", "H265"):
        format, data = ("h264" if name == "H264" else "hevc"), key_frame
    else:
        fourcc = {"VP8": b"VP80", "VP9": b"VP90", "AV1": b"AV01"}[name]
        delimiter = b"\x12\x00" if name == "AV1" else b""  # an OBU that begins each temporal unit in files
        body = delimiter + key_frame
        header = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, fourcc, 0, 0, 30, 1, 1, 0)
        format, data = "ivf", header + struct.pack("<IQ", len(body), 0) + body
    probe = av.open(io.BytesIO(data), "r", format=format)
    return probe, probe.streams.video[0]


def fitted(
    frame: av.VideoFrame, width: int, height: int, format: str, reformatter: VideoReformatter | None = None
) -> av.VideoFrame:
    """The whole picture in this size, in memory of its own, with black bars where the shape is another."""
    reformatter = reformatter or VideoReformatter()  # not the frame's own, which is not for several threads
    if (frame.width, frame.height) == (width, height):
        if frame.format.name != format:
            return reformatter.reformat(frame, format=format)
        return copied(frame)
    scale = min(width / frame.width, height / frame.height)
    inner = max(2, round(frame.width * scale) & ~1), max(2, round(frame.height * scale) & ~1)
    small = reformatter.reformat(frame, *inner, "yuv420p")
    if inner == (width, height):
        return small.reformat(format=format)
    canvas = av.VideoFrame(width, height, "yuv420p")
    left, top = (width - inner[0]) // 4 * 2, (height - inner[1]) // 4 * 2
    for index, (target, source) in enumerate(zip(canvas.planes, small.planes, strict=True)):
        rows = rows_of(target)
        rows[:] = 16 if index == 0 else 128
        half = 1 if index == 0 else 2
        columns, lines = inner[0] // half, inner[1] // half
        x, y = left // half, top // half
        rows[y : y + lines, x : x + columns] = rows_of(source)[:lines, :columns]
    return canvas.reformat(format=format)
