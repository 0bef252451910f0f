"""Encoding and decoding a moving picture of 640 x 360 and 20 ms of sound, beside aiortc's codecs.

Both use the same libraries; what differs is how they are set, and what lies around them. The last group is
a minute in which the network gives more and less: what a changed bitrate costs in bytes sent above it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import aiortc.codecs
import aiortc.jitterbuffer
import av
import numpy as np
import pytest

import rtcore.aiortc.codecs
import rtcore.aiortc.jitterbuffer
from rtcore.media import codecs
from rtcore.media.synthetic import picture
from rtcore.sdp import RtpCodec

H264_PARAMETERS = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
VP8, H264 = RtpCodec("video", "VP8", 90000), RtpCodec("video", "H264", 90000, 1, H264_PARAMETERS)
OPUS = RtpCodec("audio", "opus", 48000, 2)
CODECS = {codec.name: codec for codec in (VP8, H264, OPUS)}
BITRATE = 1_000_000


def pictures(count: int) -> list[av.VideoFrame]:
    made = []
    for number in range(count):
        frame = picture(640, 360, number)
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
        made.append(frame)
    return made


def sounds(count: int) -> list[av.AudioFrame]:
    rng = np.random.default_rng(1)
    made = []
    for number in range(count):
        wave = np.sin(np.arange(960) * (0.03 + 0.001 * number)) * 8000 + rng.normal(0, 100, 960)
        samples = np.repeat(wave.astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, Fraction(1, 48000)
        made.append(frame)
    return made


class Rtcore:
    def __init__(self, codec: RtpCodec) -> None:
        options = {"channels": 2} if codec is OPUS else {}
        bitrate = BITRATE if codec.kind == "video" else 96_000
        self.encoder = codecs.create_encoder(codec, bitrate=bitrate, **options)
        self.decoder = codecs.create_decoder(codec)

    def encode(self, frame: Any) -> Any:
        return self.encoder.encode(frame)

    def decode(self, encoded: Any) -> Any:
        return [self.decoder.decode(one) for one in encoded]

    def set_bitrate(self, bitrate: int) -> None:
        self.encoder.bitrate = bitrate

    def size(self, encoded: Any) -> int:
        return sum(len(one) for one in encoded)


class Aiortc:
    aiortc: Any = aiortc

    def __init__(self, codec: RtpCodec) -> None:
        parameters = self.aiortc.RTCRtpCodecParameters(
            mimeType=codec.mime_type, clockRate=codec.clock_rate, channels=codec.channels, payloadType=96
        )
        self.encoder: Any = self.aiortc.codecs.get_encoder(parameters)
        self.decoder: Any = self.aiortc.codecs.get_decoder(parameters)
        self.video = codec.kind == "video"
        self.set_bitrate(BITRATE)

    def encode(self, frame: Any) -> Any:
        return self.encoder.encode(frame)

    def decode(self, encoded: Any) -> Any:
        payloads, timestamp = encoded
        if self.video:  # as aiortc's receiver does it: depacketized one by one
            payloads = [self.depayload(payload) for payload in payloads]
        return self.decoder.decode(self.aiortc.jitterbuffer.JitterFrame(b"".join(payloads), timestamp))

    def depayload(self, payload: bytes) -> bytes:
        if "Vp8" in type(self.encoder).__name__:
            return bytes(self.aiortc.codecs.vpx.vp8_depayload(payload))
        return bytes(self.aiortc.codecs.h264.h264_depayload(payload))

    def set_bitrate(self, bitrate: int) -> None:
        if self.video:
            self.encoder.target_bitrate = bitrate

    def size(self, encoded: Any) -> int:
        return sum(len(one) for one in encoded[0])


class Layer(Aiortc):
    """aiortc's names, over rtcore."""

    aiortc = rtcore.aiortc


MAKERS: dict[str, Callable[[RtpCodec], Any]] = {"rtcore": Rtcore, "rtcore.aiortc": Layer, "aiortc": Aiortc}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", CODECS)
def test_encode(benchmark: Any, name: str, maker: str) -> None:
    benchmark.group = f"encode {name}"
    frames = pictures(30) if CODECS[name].kind == "video" else sounds(50)
    coder = MAKERS[maker](CODECS[name])
    position = 0

    def one() -> None:
        nonlocal position
        frame = frames[position % len(frames)]
        frame.pts = position * (3000 if CODECS[name].kind == "video" else 960)
        position += 1
        coder.encode(frame)

    benchmark.pedantic(one, rounds=120, warmup_rounds=10)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", CODECS)
def test_decode(benchmark: Any, name: str, maker: str) -> None:
    benchmark.group = f"decode {name}"
    frames = pictures(60) if CODECS[name].kind == "video" else sounds(60)
    coder = MAKERS[maker](CODECS[name])
    encoded = [made for frame in frames if (made := coder.encode(frame))]
    waiting = iter(encoded)
    coder.decode(next(waiting))
    benchmark.pedantic(lambda: coder.decode(next(waiting)), rounds=len(encoded) - 2)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", ["VP8", "H264"])
def test_follow_the_network(benchmark: Any, name: str, maker: str) -> None:
    """Ten seconds, a new bitrate each half second. extra_info: bytes sent, and the largest frame but the
    first."""
    benchmark.group = f"follow the network {name}"
    rng = np.random.default_rng(7)
    rates = [int(rate) for rate in rng.uniform(300_000, 900_000, 20)]
    noise = rng.integers(-10, 10, (30, 540, 640), dtype=np.int16)
    frames = []
    for number in range(300):
        shot = picture(640, 360, number).to_ndarray().astype(np.int16) + noise[number % 30]
        frame = av.VideoFrame.from_ndarray(np.clip(shot, 0, 255).astype(np.uint8), format="yuv420p")
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
        frames.append(frame)
    sizes: list[int] = []

    def follow() -> None:
        coder = MAKERS[maker](CODECS[name])
        sizes.clear()
        for number, frame in enumerate(frames):
            if number % 15 == 0:
                coder.set_bitrate(rates[number // 15])
            sizes.append(coder.size(coder.encode(frame)))

    benchmark.pedantic(follow, rounds=1)
    benchmark.extra_info["wanted_kbit"] = sum(rates) // 2000
    benchmark.extra_info["sent_kbit"] = sum(sizes) * 8 // 1000
    benchmark.extra_info["largest_frame_kB"] = max(sizes[1:]) / 1000
