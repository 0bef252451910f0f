"""Payload formats: a frame of 30 kB into RTP payloads and back, beside aiortc's codecs."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload

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
    def __init__(self, codec: str) -> None:
        self.codec, self.frame, self.payloads = codec, FRAMES[codec], PAYLOADS[codec]
        self.one: Callable[[bytes], bytes] = {"VP8": vp8_depayload, "H264": h264_depayload}[codec]

    def packetize(self) -> Any:
        if self.codec == "VP8":
            return Vp8Encoder._packetize(self.frame, 1)
        return H264Encoder._packetize(H264Encoder._split_bitstream(self.frame))

    packetize_to_list = packetize

    def depayload(self) -> Any:
        return b"".join([self.one(payload) for payload in self.payloads])

    def inspect(self) -> Any:
        return [self.one(payload) for payload in self.payloads]


@pytest.mark.parametrize("stack", [Rtcore, Aiortc], ids=["rtcore", "aiortc"])
@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize("what", ["packetize", "packetize_to_list", "depayload", "inspect"])
def test_payload(benchmark: Any, stack: Callable[[str], Any], codec: str, what: str) -> None:
    """Always all 26 payloads of the frame. aiortc has no step of its own that only inspects."""
    benchmark.group = f"payload: {what} {codec}"
    assert benchmark(getattr(stack(codec), what))
