"""A conference server's work: 1.5 Mbit/s of video and Opus to N connections, beside aiortc.

All with real connections, negotiated with the same receivers, which live in another process; as many
packets per frame and the same SRTP profile for all. The time is CPU of the server's process for half a second
of media, in real time: what is sent, and what comes back (RTCP, STUN). That the packets arrive is counted
where they do.

- rtcore: `rtcore.Fanout`, with pacing, retransmission and congestion control.
- rtcore by tracks: an `EncodedSource` per sender, with the same.
- rtcore.aiortc: aiortc's program under aiortc's names, over rtcore.
- aiortc: a track per sender with `av.Packet`, what it has for frames that are encoded already; with
  retransmission.
- aiortc, bare: `RtpPacket` and `RTCDtlsTransport._send_rtp()`, without any of these.
- floor: bare datagrams of the same sizes in the fewest calls (`floor.c`); nothing comes back.
- nothing: what the program takes that keeps the time; it is in all the others' figures.
"""

import asyncio
import contextlib
import ctypes
import itertools
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiortc
import av
import pytest
from aiortc import rtcdtlstransport
from aiortc.rtp import RtpPacket

import rtcore
import rtcore.aiortc
from benchmarks.peers import aiortc_loopback  # noqa: F401
from benchmarks.peers.audience import ADDRESS, Audience
from rtcore.media import EncodedFrame, EncodedSource
from rtcore.sdp import RtpCodec, default_codecs

VIDEO_FRAME = 6600  # 1.58 Mbit/s
VIDEO_PACKETS = 6  # of a frame, for payloads of 1,100 to 1,319 bytes
AUDIO_FRAME = 160  # 64 kbit/s
HEADERS = 50  # of a packet: RTP with extensions, the payload's descriptor, SRTP's tag
VIDEO_TIMES, AUDIO_TIMES = (0, 1 / 30, 2 / 30), (0, 0.02, 0.04, 0.06, 0.08)
SCHEDULE = sorted([(at, "video") for at in VIDEO_TIMES] + [(at, "audio") for at in AUDIO_TIMES])
START_BITRATE = 3_000_000
WARM_UP, ROUNDS, TENTHS = 30, 8, 5  # tenths of a second before; how often, and of how many tenths
COUNTS = (10, 100)


class Server:
    """One that does nothing."""

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self.stack = stack

    async def join(self, audience: Audience) -> None: ...

    async def send(self, kind: str) -> None: ...

    async def count(self, audience: Audience) -> tuple[int, list[str]]:
        return await audience.count()


class Floor(Server):
    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        super().__init__(stack)
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("needs a C compiler")
        library = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "floor.so"
        source = Path(__file__).with_name("floor.c")
        subprocess.run(
            [compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O3", "-shared", "-fPIC", source, "-o", library],
            check=True,
        )
        self.give = ctypes.CDLL(str(library)).give
        self.socket = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.receivers = 0
        self.sink: subprocess.Popen[str] | None = None

    async def join(self, audience: Audience) -> None:
        self.receivers += 1

    def ask(self, question: int) -> Any:
        if self.sink is None:
            self.sink = self.stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.peers.sink"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    bufsize=1,
                )
            )
        assert self.sink.stdin is not None
        assert self.sink.stdout is not None
        self.sink.stdin.write(f"{question}\n")
        return json.loads(self.sink.stdout.readline())

    async def send(self, kind: str) -> None:
        if self.sink is None:
            self.ports = (ctypes.c_uint16 * self.receivers)(*self.ask(self.receivers))
        packets, size = (VIDEO_PACKETS, VIDEO_FRAME // VIDEO_PACKETS) if kind == "video" else (1, AUDIO_FRAME)
        if self.give(self.socket.fileno(), self.ports, self.receivers, packets, size + HEADERS) < 0:
            raise OSError("the kernel refuses what the floor sends")

    async def count(self, audience: Audience) -> tuple[int, list[str]]:
        return self.ask(0), []


def codec_of(kind: str) -> RtpCodec:
    name = {"video": "VP8", "audio": "opus"}[kind]
    return next(codec for codec in default_codecs(kind) if codec.name == name)


def frame_of(kind: str, number: int, key: bool) -> EncodedFrame:
    if kind == "audio":
        return EncodedFrame(bytes(AUDIO_FRAME), codec="opus", timestamp=960 * number)
    head = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01" if key else b"\x11\x00\x00"
    data = head + bytes(VIDEO_FRAME - len(head))
    return EncodedFrame(data, codec="VP8", timestamp=3000 * number, key=key)


async def answered(pc: rtcore.PeerConnection, audience: Audience) -> None:
    """Connects it."""
    await pc.set_local_description()
    await pc.gathered()
    assert pc.local_description is not None
    answer = await audience.answer(pc.local_description.sdp)
    await pc.set_remote_description({"type": "answer", "sdp": answer})
    await pc.connected()


class Rtcore(Server):
    threaded = False

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        super().__init__(stack)
        self.worker = stack.enter_context(rtcore.Worker(threaded=self.threaded))
        self.endpoint = self.worker.bind(ADDRESS)
        self.fans = {kind: rtcore.Fanout(codec_of(kind)) for kind in ("video", "audio")}
        self.number = itertools.count()
        self.key = True

    async def join(self, audience: Audience) -> None:
        pc = await self.stack.enter_async_context(
            rtcore.PeerConnection(worker=self.worker, endpoints=self.endpoint, start_bitrate=START_BITRATE)
        )
        for fan in self.fans.values():
            pc.add_track(fan.track())
        await answered(pc, audience)

    async def send(self, kind: str) -> None:
        frame, self.key = frame_of(kind, next(self.number), self.key), self.key and kind == "audio"
        self.fans[kind].send(frame)


class RtcoreThreaded(Rtcore):
    threaded = True


async def arriving(queue: asyncio.Queue[EncodedFrame]) -> AsyncIterator[EncodedFrame]:
    while True:
        yield await queue.get()


class RtcoreTracks(Server):
    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        super().__init__(stack)
        self.queues: dict[str, list[asyncio.Queue[EncodedFrame]]] = {"video": [], "audio": []}
        self.number = itertools.count()
        self.key = True

    async def join(self, audience: Audience) -> None:
        pc = await self.stack.enter_async_context(
            rtcore.PeerConnection(interfaces=[ADDRESS], start_bitrate=START_BITRATE)
        )
        for kind, queues in self.queues.items():
            queues.append(asyncio.Queue())
            pc.add_track(EncodedSource(arriving(queues[-1]), codec_of(kind), realtime=False))
        await answered(pc, audience)

    async def send(self, kind: str) -> None:
        frame, self.key = frame_of(kind, next(self.number), self.key), self.key and kind == "audio"
        for queue in self.queues[kind]:
            queue.put_nowait(frame)


def encoded(module: Any, kind: str) -> Any:
    """A track of packets, in aiortc's way."""

    class Encoded(module.MediaStreamTrack):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kind = kind
            self.queue: asyncio.Queue[av.Packet[Any]] = asyncio.Queue()

        async def recv(self) -> Any:
            return await self.queue.get()

    return Encoded()


class Aiortc(Server):
    module: Any = aiortc
    options: Mapping[str, Any] = {}

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        super().__init__(stack)
        # It would take the 256 bits; the others have 128.
        rtcdtlstransport.SRTP_PROFILES.sort(key=lambda profile: b"128_GCM" not in profile.openssl_profile)
        self.tracks: dict[str, list[Any]] = {"video": [], "audio": []}
        self.senders: dict[str, list[Any]] = {"video": [], "audio": []}
        self.payload_types: dict[str, int] = {}
        self.number = itertools.count()

    async def join(self, audience: Audience) -> None:
        module = self.module
        pc = module.RTCPeerConnection(
            module.RTCConfiguration(bundlePolicy=module.RTCBundlePolicy.MAX_BUNDLE, iceServers=[]),
            **self.options,
        )
        self.stack.push_async_callback(pc.close)
        connected = asyncio.Event()

        @pc.on("connectionstatechange")
        def look() -> None:
            if pc.connectionState == "connected":
                connected.set()

        for kind, tracks in self.tracks.items():
            tracks.append(encoded(module, kind))
            self.senders[kind].append(pc.addTrack(tracks[-1]))
        await pc.setLocalDescription(await pc.createOffer())
        answer = await audience.answer(pc.localDescription.sdp)
        await pc.setRemoteDescription(module.RTCSessionDescription(answer, "answer"))
        for line, payload_type in re.findall(r"^m=(\w+) \d+ \S+ (\d+)", answer, re.MULTILINE):
            self.payload_types[line] = int(payload_type)
        await connected.wait()

    async def send(self, kind: str) -> None:
        packet = av.Packet(bytes(VIDEO_FRAME if kind == "video" else AUDIO_FRAME))
        packet.pts = next(self.number)
        packet.time_base = Fraction(1, 80)
        for track in self.tracks[kind]:
            track.queue.put_nowait(packet)


class RtcoreAiortc(Aiortc):
    module = rtcore.aiortc
    options: Mapping[str, Any] = {"interfaces": [ADDRESS], "start_bitrate": START_BITRATE}


class AiortcBare(Aiortc):
    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        super().__init__(stack)
        self.sequences = {kind: itertools.count() for kind in self.tracks}

    async def send(self, kind: str) -> None:
        count, size = (VIDEO_PACKETS, VIDEO_FRAME // VIDEO_PACKETS) if kind == "video" else (1, AUDIO_FRAME)
        for _ in range(count):
            number = next(self.sequences[kind])
            for sender in self.senders[kind]:
                packet = RtpPacket(
                    payload_type=self.payload_types[kind],
                    sequence_number=number & 0xFFFF,
                    timestamp=number,
                    ssrc=sender._ssrc,
                )
                packet.payload = bytes(size)
                await sender.transport._send_rtp(packet.serialize())


async def play(server: Server, tenths: int) -> None:
    """In real time."""
    began = time.monotonic()
    for tenth in range(tenths):
        for at, kind in SCHEDULE:
            await asyncio.sleep(began + tenth / 10 + at - time.monotonic())
            await server.send(kind)
    await asyncio.sleep(began + tenths / 10 - time.monotonic())


KINDS = {
    "rtcore": Rtcore,
    "rtcore threaded": RtcoreThreaded,
    "rtcore by tracks": RtcoreTracks,
    "rtcore.aiortc": RtcoreAiortc,
    "aiortc": Aiortc,
    "aiortc bare": AiortcBare,
    "floor": Floor,
    "nothing": Server,
}


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", KINDS)
def test_forwarding(benchmark: Any, kind: str, count: int) -> None:
    benchmark.group = f"forwarding: half a second to each of {count} connections, CPU of the server"
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def gather() -> tuple[Audience, Server]:
            audience = await stack.enter_async_context(Audience())
            server = KINDS[kind](stack)
            for _ in range(count):
                await server.join(audience)
            await play(server, WARM_UP)
            return audience, server

        audience, server = runner.run(gather())
        before, ciphers = runner.run(server.count(audience))
        benchmark.pedantic(lambda: runner.run(play(server, TENTHS)), rounds=ROUNDS)
        runner.run(asyncio.sleep(0.1))  # what is on its way
        after, _ = runner.run(server.count(audience))
        runner.run(stack.aclose())
    packets = TENTHS * count * (len(VIDEO_TIMES) * VIDEO_PACKETS + len(AUDIO_TIMES))
    assert kind == "nothing" or 0.99 * packets <= (after - before) / ROUNDS <= 1.01 * packets
    figure = benchmark.extra_info["ns per packet"] = round(benchmark.stats.stats.median / packets * 1e9)
    print(f"\n{kind}, {count} connections, {ciphers}: {figure} ns of CPU per packet")
