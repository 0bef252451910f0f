"""One server, many receivers: CPU of the server per frame of 1.5 Mbit/s video, beside packets made by hand.

The time is that of the server's thread alone: the fan-out, the pacers, SRTP, the sockets, and all RTCP that
comes back. The receivers live on a worker with a thread of its own. By hand: aiortc's RTP classes, pylibsrtp
and `sendto()`, without pacing, retransmission or reports, which is the least that a forwarder in Python does.
"""

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiortc.rtp import RtpPacket
from pylibsrtp import Policy, Session

from rtcore.native.dtls import Certificate
from rtcore.native.fanout import Fanout
from rtcore.native.frame import EncodedFrame
from rtcore.native.ice import Candidate
from rtcore.native.media import Encoding, Format, Media
from rtcore.native.worker import Peer, Worker

FRAME = 1_500_000 // 8 // 30
PACKET = 1150
PACKETS = -(-FRAME // PACKET)
COUNTS = (10, 100)
VP8 = Format(96, "VP8", 90000, rtx_payload_type=97, feedback=frozenset({"nack", "pli", "twcc"}))
EXTENSIONS = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": 1,
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": 2,
}


class End:
    """One end of a connection; its events but for the candidates are of no interest."""

    def __init__(self, worker: Worker, certificate: Certificate, *, server: bool) -> None:
        self.other: End | None = None
        self.connected = False
        self.peer = Peer(worker, self, certificate, controlling=server, srtp_profiles=(7,))
        self.media = Media(self.peer, self, cname="bench", start_bitrate=10_000_000)
        self.media.set_section(
            0,
            mid="0",
            kind="video",
            receive=not server,
            send=server,
            extensions=EXTENSIONS,
            formats=[VP8],
            sources=[] if server else [(100, 101)],
            send_format=VP8 if server else None,
            encodings=[Encoding(100, 101)] if server else [],
            passthrough=True,
        )

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *arguments: None

    def on_dtls_state(self, state: str, text: str) -> None:
        self.connected = self.connected or state == "connected"

    def on_candidate(self, candidate: Candidate) -> None:
        assert self.other is not None
        self.other.peer.add_remote_candidate(candidate)


class Hall:
    """A server with `count` receivers."""

    def __init__(self, stack: contextlib.ExitStack, count: int) -> None:
        certificate = Certificate.generate()
        self.server = stack.enter_context(contextlib.closing(Worker()))
        self.away = stack.enter_context(contextlib.closing(Worker(threaded=True)))
        endpoint = self.server.bind("127.0.0.1")
        self.fanout = Fanout(self.server, VP8)
        selector = stack.enter_context(selectors.DefaultSelector())
        for worker in (self.server, self.away):
            selector.register(worker.fileno(), selectors.EVENT_READ, worker)
        for _ in range(count):
            near, far = (End(w, certificate, server=w is self.server) for w in (self.server, self.away))
            near.other, far.other = far, near
            for end, other in ((near, far), (far, near)):
                end.peer.set_remote_credentials(other.peer.local_ufrag, other.peer.local_pwd)
                end.peer.add_fingerprint("sha-256", certificate.fingerprint_bytes())
                end.peer.set_dtls_role("client" if end is near else "server")
            near.peer.gather(endpoints=[endpoint])
            far.peer.gather(interfaces=["127.0.0.1"])
            while not (near.connected and far.connected):
                for key, _ in selector.select(0.1):
                    key.data.run()
            self.fanout.add(near.media, 0)
        self.number = 0

    def frame(self) -> None:
        key = self.number == 0
        head = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01" if key else b"\x11\x00\x00"
        data = head + bytes(FRAME - len(head))
        self.server.run()  # what came in since the last one
        self.fanout.send(EncodedFrame(data, codec="VP8", timestamp=3000 * self.number, key=key))
        self.number += 1

    def others(self) -> None:
        self.away.run()

    def sent(self) -> int:
        return int(self.server.stats()["datagrams_sent"])


class ByHand:
    """Every packet for every receiver: header, SRTP, one system call."""

    def __init__(self, stack: contextlib.ExitStack, count: int) -> None:
        policy = Policy(
            key=bytes(28),
            ssrc_type=Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        )
        self.sessions = [Session(policy) for _ in range(count)]
        self.socket = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sinks = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)
        ]
        for sink in self.sinks:
            sink.bind(("127.0.0.1", 0))
            sink.setblocking(False)
        self.addresses = [sink.getsockname() for sink in self.sinks]
        self.sequence = self.packets = 0

    def frame(self) -> None:
        for _ in range(PACKETS):
            self.sequence = (self.sequence + 1) & 0xFFFF
            for session, address in zip(self.sessions, self.addresses, strict=True):
                packet = RtpPacket(payload_type=96, sequence_number=self.sequence, ssrc=100)
                packet.payload = bytes(FRAME // PACKETS)
                self.socket.sendto(session.protect(packet.serialize()), address)
                self.packets += 1

    def others(self) -> None:
        for sink in self.sinks:
            with contextlib.suppress(BlockingIOError):
                while sink.recv(2048):
                    pass

    def sent(self) -> int:
        return self.packets


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.benchmark(timer=time.thread_time)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", [Hall, ByHand], ids=["rtcore", "by hand"])
def test_fanout(benchmark: Any, stack: contextlib.ExitStack, kind: Any, count: int) -> None:
    benchmark.group = f"fan-out: a frame of {PACKETS} packets to {count} receivers, CPU of the server"
    hall = kind(stack, count)
    hall.frame()
    before, rounds = hall.sent(), 60

    def setup() -> None:
        time.sleep(0.02)  # the receivers' turn
        hall.others()

    benchmark.pedantic(hall.frame, setup=setup, rounds=rounds)
    packets = (hall.sent() - before) / rounds
    assert packets >= PACKETS * count * 0.9
    benchmark.extra_info["ns per packet"] = round(benchmark.stats.stats.median / packets * 1e9)
    print(
        f"\n{kind.__name__}, {count} receivers: {benchmark.extra_info['ns per packet']} ns of CPU per packet"
    )
