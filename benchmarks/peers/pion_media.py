"""What Pion leaves to the program: encoding what it sends and decoding what comes, by PyAV."""

import asyncio
import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from aiortc.mediastreams import MediaStreamError

from . import aiortc_media

Json = dict[str, Any]

ENCODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9", "h264": "libx264"}
OPTIONS = {
    "vp8": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "h264": {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"},
}
DECODERS = {"vp8": "vp8", "vp9": "vp9", "h264": "h264", "opus": "libopus", "pcmu": "pcm_mulaw"}
FRAME_RATE = 30


def short(mime: str) -> str:
    return mime.split("/")[1].lower()


class VideoEncoder:
    def __init__(self, mime: str, scale: float = 1) -> None:
        self.codec, self.scale = short(mime), scale
        self.context: av.VideoCodecContext | None = None
        self.key_wanted = False

    def begin(self, width: int, height: int) -> av.VideoCodecContext:
        context = av.CodecContext.create(ENCODERS[self.codec], "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, FRAME_RATE), Fraction(FRAME_RATE)
        context.bit_rate, context.gop_size = 1_000_000, 3000
        context.options = OPTIONS[self.codec]
        return context

    def encode(self, frame: av.VideoFrame) -> list[tuple[bytes, float]]:
        """Data and duration."""
        width, height = round(frame.width / self.scale), round(frame.height / self.scale)
        if self.context is None or (self.context.width, self.context.height) != (width, height):
            self.context = self.begin(width, height)
        picture = frame.reformat(width, height, "yuv420p")
        picture.pts, picture.time_base = None, Fraction(1, FRAME_RATE)
        if self.key_wanted:
            picture.pict_type, self.key_wanted = av.video.frame.PictureType.I, False
        return [(bytes(packet), 1 / FRAME_RATE) for packet in self.context.encode(picture)]


class AudioEncoder:
    """Opus, or what has 8000 samples a second."""

    def __init__(self, mime: str) -> None:
        opus = short(mime) == "opus"
        rate = 48000 if opus else 8000
        context = av.CodecContext.create("libopus" if opus else "pcm_mulaw", "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate, context.layout, context.format = rate, "mono", "s16"
        context.time_base = Fraction(1, rate)
        self.context, self.rate = context, rate
        self.resampler = av.AudioResampler("s16", "mono", rate)

    def encode(self, frame: av.AudioFrame) -> list[tuple[bytes, float]]:
        encoded = []
        for part in self.resampler.resample(frame):
            for packet in self.context.encode(part):
                encoded.append((bytes(packet), (packet.duration or part.samples) / self.rate))
        return encoded


class Source:
    """Sends a picture or tone, once per rid: each by an encoder of its own."""

    def __init__(self, mime: str, source: Json, scales: dict[str, float], send: Callable[..., None]) -> None:
        self.track = aiortc_media.source(**source)
        self.encoders = {
            rid: VideoEncoder(mime, scale) if mime.startswith("video/") else AudioEncoder(mime)
            for rid, scale in scales.items()
        }
        self.send = send
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            frame = await self.track.recv()
            for rid, encoder in self.encoders.items():
                for data, duration in await asyncio.to_thread(encoder.encode, frame):
                    self.send(rid=rid, data=data, duration=duration)

    def key(self, rid: str) -> None:
        encoder = self.encoders[rid]
        if isinstance(encoder, VideoEncoder):
            encoder.key_wanted = True

    async def stop(self) -> None:
        """Raises what went wrong while it sent."""
        self.track.stop()
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


class Incoming:
    """A track for the watchers of `aiortc_media`: gives what frames decode to."""

    def __init__(self, mime: str) -> None:
        self.kind = mime.split("/")[0]
        codec = DECODERS[short(mime)]
        self.context = av.CodecContext.create(codec, "r")
        if isinstance(self.context, av.AudioCodecContext):
            self.context.sample_rate = 8000 if codec == "pcm_mulaw" else 48000
            self.context.layout = "mono" if codec == "pcm_mulaw" else "stereo"
        self.frames: asyncio.Queue[Any] = asyncio.Queue()
        self.undecodable = 0

    def take(self, data: bytes) -> None:
        try:
            decoded = self.context.decode(av.Packet(data))
        except av.error.InvalidDataError:  # before the first key frame, or behind a loss
            self.undecodable += 1
            return
        for frame in decoded:
            self.frames.put_nowait(frame)

    async def recv(self) -> Any:
        frame = await self.frames.get()
        if frame is None:
            raise MediaStreamError
        return frame

    def end(self) -> None:
        self.frames.put_nowait(None)
