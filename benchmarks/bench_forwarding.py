"""A conference server's work: 1.5 Mbit/s of video and Opus to N connections, beside aiortc.

All with real connections, negotiated with the same receivers, which live in another process. The time is CPU
of the server's process for a tenth of a second of media, in real time: what is sent, and what comes back
(RTCP, STUN). That the packets arrive is counted where they do.

- rtcore: `rtcore.Fanout`, with pacing, retransmission and congestion control.
- aiortc: a track per sender with `av.Packet`, what it has for frames that are encoded already; with
  retransmission.
- aiortc, bare: `RtpPacket` and `RTCDtlsTransport._send_rtp()`, without any of these.
- nothing: what the program takes that keeps the time; it is in all the others' figures.
"""

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

import aiortc
import av
import pytest
from aiortc.rtp import RtpPacket

import rtcore
from benchmarks.peers import aiortc_loopback  # noqa: F401
from benchmarks.peers.audience import ADDRESS, Audience
from rtcore.native.frame import EncodedFrame
from rtcore.sdp import default_codecs

VIDEO_FRAME = 1_500_000 // 8 // 30
VIDEO_PACKETS = 6
AUDIO_FRAME = 160  # 64 kbit/s
VIDEO_TIMES, AUDIO_TIMES = (0, 1 / 30, 2 / 30), (0, 0.02, 0.04, 0.06, 0.08)
SCHEDULE = sorted([(at, "video") for at in VIDEO_TIMES] + [(at, "audio") for at in AUDIO_TIMES])
WARM_UP, ROUNDS = 30, 20  # tenths of a second: the bandwidth is found, and measured
COUNTS = (10, 100)


class Server(Protocol):
    video_packets: int  # per frame

    async def join(self, audience: Audience) -> None: ...

    async def send(self, kind: str) -> None: ...


class Nothing:
    video_packets = VIDEO_PACKETS

    def __init__(self, stack: contextlib.AsyncExitStack) -> None: ...

    async def join(self, audience: Audience) -> None: ...

    async def send(self, kind: str) -> None: ...


class Rtcore:
    video_packets = VIDEO_PACKETS
    threaded = False

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self.stack = stack
        self.worker = stack.enter_context(rtcore.Worker(threaded=self.threaded))
        self.endpoint = self.worker.bind(ADDRESS)
        self.fans = {
            kind: rtcore.Fanout(next(c for c in default_codecs(kind) if c.name == name))
            for kind, name in (("video", "VP8"), ("audio", "opus"))
        }
        self.number = itertools.count()
        self.key = True

    async def join(self, audience: Audience) -> None:
        pc = await self.stack.enter_async_context(
            rtcore.PeerConnection(worker=self.worker, endpoints=self.endpoint, start_bitrate=3_000_000)
        )
        for fan in self.fans.values():
            pc.add_track(fan.track())
        await pc.set_local_description()
        await pc.gathered()
        assert pc.local_description is not None
        answer = await audience.answer(pc.local_description.sdp)
        await pc.set_remote_description({"type": "answer", "sdp": answer})
        await pc.connected()

    async def send(self, kind: str) -> None:
        number = next(self.number)
        if kind == "audio":
            frame = EncodedFrame(bytes(AUDIO_FRAME), codec="opus", timestamp=960 * number)
        else:
            head = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01" if self.key else b"\x11\x00\x00"
            data = head + bytes(VIDEO_FRAME - len(head))
            frame = EncodedFrame(data, codec="VP8", timestamp=3000 * number, key=self.key)
            self.key = False
        self.fans[kind].send(frame)


class RtcoreThreaded(Rtcore):
    threaded = True


class Encoded(aiortc.MediaStreamTrack):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.queue: asyncio.Queue[av.Packet[Any]] = asyncio.Queue()

    async def recv(self) -> Any:
        return await self.queue.get()


class Aiortc:
    video_packets = VIDEO_FRAME // 1300 + 1

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self.stack = stack
        self.tracks: dict[str, list[Encoded]] = {"video": [], "audio": []}
        self.senders: dict[str, list[Any]] = {"video": [], "audio": []}
        self.payload_types: dict[str, int] = {}
        self.number = itertools.count()

    async def join(self, audience: Audience) -> None:
        pc = aiortc.RTCPeerConnection(
            aiortc.RTCConfiguration(bundlePolicy=aiortc.RTCBundlePolicy.MAX_BUNDLE, iceServers=[])
        )
        self.stack.push_async_callback(pc.close)
        connected = asyncio.Event()

        @pc.on("connectionstatechange")
        def look() -> None:
            if pc.connectionState == "connected":
                connected.set()

        for kind, tracks in self.tracks.items():
            tracks.append(Encoded(kind))
            self.senders[kind].append(pc.addTrack(tracks[-1]))
        await pc.setLocalDescription(await pc.createOffer())
        answer = await audience.answer(pc.localDescription.sdp)
        await pc.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))
        for line, payload_type in re.findall(r"^m=(\w+) \d+ \S+ (\d+)", answer, re.MULTILINE):
            self.payload_types[line] = int(payload_type)
        await connected.wait()

    async def send(self, kind: str) -> None:
        packet = av.Packet(bytes(VIDEO_FRAME if kind == "video" else AUDIO_FRAME))
        packet.pts = next(self.number)
        packet.time_base = Fraction(1, 80)
        for track in self.tracks[kind]:
            track.queue.put_nowait(packet)


class AiortcBare(Aiortc):
    video_packets = VIDEO_PACKETS

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


async def play(server: Server) -> None:
    """A tenth of a second, in real time."""
    began = time.monotonic()
    for at, kind in [*SCHEDULE, (0.1, "")]:
        await asyncio.sleep(began + at - time.monotonic())
        if kind:
            await server.send(kind)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "kind",
    [Rtcore, RtcoreThreaded, Aiortc, AiortcBare, Nothing],
    ids=["rtcore", "rtcore threaded", "aiortc", "aiortc bare", "nothing"],
)
def test_forwarding(benchmark: Any, kind: Callable[[contextlib.AsyncExitStack], Server], count: int) -> None:
    benchmark.group = f"forwarding: a tenth of a second to each of {count} connections, CPU of the server"
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def gather() -> tuple[Audience, Server]:
            audience = await stack.enter_async_context(Audience())
            server = kind(stack)
            for _ in range(count):
                await server.join(audience)
            for _ in range(WARM_UP):
                await play(server)
            return audience, server

        audience, server = runner.run(gather())
        before, ciphers = runner.run(audience.count())
        benchmark.pedantic(lambda: runner.run(play(server)), rounds=ROUNDS)
        runner.run(asyncio.sleep(0.1))  # what is on its way
        after, _ = runner.run(audience.count())
        runner.run(stack.aclose())
    packets = count * (len(VIDEO_TIMES) * server.video_packets + len(AUDIO_TIMES))
    assert kind is Nothing or 0.99 * packets <= (after - before) / ROUNDS <= 1.01 * packets
    figure = benchmark.extra_info["ns per packet"] = round(benchmark.stats.stats.median / packets * 1e9)
    print(f"\n{type(server).__name__}, {count} connections, {ciphers}: {figure} ns of CPU per packet")
