"""A conference server's work: 1.5 Mbit/s of video and Opus to N connections, beside aiortc.

Both with real connections, negotiated with the same receivers, which live in another process. The time is
CPU of the server's process for a tenth of a second of media, in real time: what is sent and what comes back
(RTCP, STUN). rtcore: `rtcore.Fanout`, with pacing, retransmission and congestion control. aiortc: what it has
for packets that are encoded already, `RtpPacket` and `RTCDtlsTransport._send_rtp()`, without any of these.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any, Protocol

import aiortc
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
PACKETS = len(VIDEO_TIMES) * VIDEO_PACKETS + len(AUDIO_TIMES)
SCHEDULE = sorted([(at, "video") for at in VIDEO_TIMES] + [(at, "audio") for at in AUDIO_TIMES])
WARM_UP, ROUNDS = 30, 20  # tenths of a second: the bandwidth is found, and measured
COUNTS = (10, 100)


class Server(Protocol):
    async def join(self, audience: Audience) -> None: ...

    async def send(self, kind: str) -> None: ...

    def sent(self) -> int: ...


class Rtcore:
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

    def sent(self) -> int:
        return int(self.worker.stats()["datagrams_sent"])


class RtcoreThreaded(Rtcore):
    threaded = True


class Silent(aiortc.MediaStreamTrack):
    """For a sender of aiortc that has nothing to encode."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class Aiortc:
    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self.stack = stack
        self.senders: dict[str, list[Any]] = {"video": [], "audio": []}
        self.sequence = itertools.count()
        self.packets = 0

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

        for kind, senders in self.senders.items():
            senders.append(pc.addTrack(Silent(kind)))
        await pc.setLocalDescription(await pc.createOffer())
        answer = await audience.answer(pc.localDescription.sdp)
        await pc.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))
        await connected.wait()

    async def send(self, kind: str) -> None:
        count, size = (VIDEO_PACKETS, VIDEO_FRAME // VIDEO_PACKETS) if kind == "video" else (1, AUDIO_FRAME)
        for _ in range(count):
            number = next(self.sequence)
            for sender in self.senders[kind]:
                packet = RtpPacket(
                    payload_type=97 if kind == "video" else 96,
                    sequence_number=number & 0xFFFF,
                    timestamp=number,
                    ssrc=sender._ssrc,
                )
                packet.payload = bytes(size)
                await sender.transport._send_rtp(packet.serialize())
                self.packets += 1

    def sent(self) -> int:
        return self.packets


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
    "kind", [Rtcore, RtcoreThreaded, Aiortc], ids=["rtcore", "rtcore threaded", "aiortc"]
)
def test_forwarding(benchmark: Any, kind: Callable[[contextlib.AsyncExitStack], Server], count: int) -> None:
    benchmark.group = f"forwarding: {PACKETS} packets to each of {count} connections, CPU of the server"
    packets = PACKETS * count
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def gather() -> Server:
            audience = await stack.enter_async_context(Audience())
            server = kind(stack)
            for _ in range(count):
                await server.join(audience)
            for _ in range(WARM_UP):
                await play(server)
            return server

        server = runner.run(gather())
        before = server.sent()
        benchmark.pedantic(lambda: runner.run(play(server)), rounds=ROUNDS)
        sent = (server.sent() - before) / ROUNDS
        runner.run(stack.aclose())
    # Reports and probes come on top; they are not counted as packets.
    assert 0.99 * packets <= sent <= 1.3 * packets
    figure = benchmark.extra_info["ns per packet"] = round(benchmark.stats.stats.median / packets * 1e9)
    print(f"\n{type(server).__name__}, {count} connections: {figure} ns of CPU per packet")
