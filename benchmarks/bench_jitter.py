"""The jitter buffer: packets of VP8 frames added and frames taken, beside aiortc's buffer.

25 packets of 1,200 bytes make a frame, all of them key frames, 30 a second; in order, with 10% of the packets
reordered, with 1% lost. Times are for the whole run of packets, and with taking out what is due. rtcore takes
packets one by one and in batches of 64, and reads their headers and payloads, too; aiortc's buffer is given
objects that are read already.
"""

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from aiortc.codecs import depayload
from aiortc.jitterbuffer import JitterBuffer as AiortcBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from rtcore.native.jitter import JitterBuffer

FRAMES, PACKETS, SIZE, STEP = 120, 25, 1200, 3000
CODEC = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=96)


def packet(frame: int, index: int) -> bytes:
    first = index == 0
    header = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01"
    descriptor = struct.pack("!BBH", 0x90 if first else 0x80, 0x80, 0x8000 | frame)
    payload = (descriptor + (header if first else b"")).ljust(SIZE, b"v")
    marker = 0x80 if index == PACKETS - 1 else 0
    sequence = (frame * PACKETS + index + 60000) & 0xFFFF
    return struct.pack("!BBHLL", 0x80, marker | 96, sequence, frame * STEP, 1) + payload


def stream(kind: str) -> list[bytes]:
    packets = [packet(frame, index) for frame in range(FRAMES) for index in range(PACKETS)]
    chance = random.Random(7)
    if kind == "10% reordered":
        for i in range(len(packets) - 4):
            if chance.random() < 0.1:
                packets.insert(i + 3, packets.pop(i))
    elif kind == "1% lost":
        packets = [p for i, p in enumerate(packets) if i < PACKETS or chance.random() >= 0.01]
    return packets


class Rtcore:
    """One packet at a time."""

    def __init__(self, packets: list[bytes]) -> None:
        self.packets = packets

    def run(self) -> int:
        buffer, frames = JitterBuffer("VP8", patience=0.0), 0
        for i, data in enumerate(self.packets):
            buffer.add(data, i / (30 * PACKETS))
            if i % 64 == 63:
                frames += len(buffer.pop(i / (30 * PACKETS)))
        return frames + len(buffer.pop(FRAMES / 30 + 1))


class RtcoreBatch(Rtcore):
    """64 at a time, as recvmmsg gives them."""

    def run(self) -> int:
        buffer, frames = JitterBuffer("VP8", patience=0.0), 0
        for i in range(0, len(self.packets), 64):
            now = i / (30 * PACKETS)
            buffer.add_batch(self.packets[i : i + 64], now)
            frames += len(buffer.pop(now))
        return frames + len(buffer.pop(FRAMES / 30 + 1))


class Aiortc:
    """Headers and payload descriptors read before."""

    def __init__(self, packets: list[bytes]) -> None:
        self.packets = [RtpPacket.parse(data) for data in packets]
        for parsed in self.packets:
            parsed._data = depayload(CODEC, parsed.payload)  # type: ignore[attr-defined]

    def run(self) -> int:
        buffer, frames = AiortcBuffer(capacity=128, is_video=True), 0
        for parsed in self.packets:
            _, frame = buffer.add(parsed)
            frames += frame is not None
        return frames


@pytest.mark.parametrize("kind", ["in order", "10% reordered", "1% lost"])
@pytest.mark.parametrize("side", [RtcoreBatch, Rtcore, Aiortc], ids=["rtcore batch", "rtcore", "aiortc"])
def test_jitter(benchmark: Any, side: Callable[[list[bytes]], Any], kind: str) -> None:
    benchmark.group = f"jitter buffer, {FRAMES * PACKETS} packets {kind}"
    frames = benchmark(side(stream(kind)).run)
    lost = {(data[2] << 8 | data[3]) for data in stream("in order")} - {
        (d[2] << 8 | d[3]) for d in stream(kind)
    }
    whole = FRAMES - len({((sequence - 60000) & 0xFFFF) // PACKETS for sequence in lost})
    assert frames == whole if side is not Aiortc else frames <= whole
    benchmark.extra_info["frames"] = frames
