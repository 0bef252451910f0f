"""Payload formats: a frame of 30 kB into RTP payloads and back, beside aiortc's codecs."""

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import pytest
from aiortc.codecs import h264, vpx

from rtcore.aiortc.codecs import h264 as rtcore_h264
from rtcore.aiortc.codecs import vpx as rtcore_vpx
from rtcore.native.payload import Depacketizer, Packetizer

SIZE = 30_000
NOISE = bytes(byte or 1 for byte in random.Random(1).randbytes(SIZE))
FRAMES = {"VP8": b"\x11" + NOISE[1:], "H264": b"\0\0\0\1\x41" + NOISE}
PAYLOADS = {codec: list(Packetizer(codec).packetize(frame)) for codec, frame in FRAMES.items()}


class Rtcore:
    def __init__(self, codec: str) -> None:
        self.frame, self.payloads = FRAMES[codec], PAYLOADS[codec]
        self.packetizer, self.depacketizer = Packetizer(codec), Depacketizer(codec)

    def packetize(self) -> Any:
        return self.packetizer.packetize(self.frame)

    def packetize_to_list(self) -> Any:
        return list(self.packetizer.packetize(self.frame))

    def depayload(self) -> Any:
        return self.depacketizer.assemble(self.payloads)

    def inspect(self) -> Any:
        inspect = self.depacketizer.inspect
        return [inspect(payload) for payload in self.payloads]


class Aiortc:
    h264: Any = h264
    vpx: Any = vpx

    def __init__(self, codec: str) -> None:
        self.codec, self.frame, self.payloads = codec, FRAMES[codec], PAYLOADS[codec]
        depayload = self.vpx.vp8_depayload if codec == "VP8" else self.h264.h264_depayload
        self.one: Callable[[bytes], bytes] = depayload

    def packetize(self) -> Any:
        if self.codec == "VP8":
            return self.vpx.Vp8Encoder._packetize(self.frame, 1)
        encoder = self.h264.H264Encoder
        return encoder._packetize(encoder._split_bitstream(self.frame))

    packetize_to_list = packetize

    def depayload(self) -> Any:
        return b"".join([self.one(payload) for payload in self.payloads])

    def inspect(self) -> Any:
        return [self.one(payload) for payload in self.payloads]


class Layer(Aiortc):
    """aiortc's names, over rtcore. `_packetize()` is none of them: by way of `pack()`."""

    h264 = rtcore_h264
    vpx = rtcore_vpx

    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        self.encoder = rtcore_vpx.Vp8Encoder() if codec == "VP8" else rtcore_h264.H264Encoder()
        self.packet = av.Packet(self.frame)
        self.packet.pts, self.packet.time_base = 0, Fraction(1, 90000)

    def packetize(self) -> Any:
        return self.encoder.pack(self.packet)[0]

    packetize_to_list = packetize


@pytest.mark.parametrize("stack", [Rtcore, Layer, Aiortc], ids=["rtcore", "rtcore.aiortc", "aiortc"])
@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize("what", ["packetize", "packetize_to_list", "depayload", "inspect"])
def test_payload(benchmark: Any, stack: Callable[[str], Any], codec: str, what: str) -> None:
    """Always all 26 payloads of the frame. aiortc has no step of its own that only inspects."""
    benchmark.group = f"payload: {what} {codec}"
    assert benchmark(getattr(stack(codec), what))
