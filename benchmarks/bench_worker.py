"""The worker: UDP packets in batches through io/udp in C, messages and round trips through `Peer` in Python.

Every figure of a group is beside its peer: the plain system calls, or asyncio's own datagram transport.
"""

import asyncio
import contextlib
import hashlib
import selectors
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker import Peer, Worker

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ["benchmarks/udp.c", "native/base/addr.c"]
SOURCES += ["native/io/socket.c", "native/io/udp_receive.c", "native/io/udp_send.c"]
PACKETS = 50_000

WAYS = {  # mmsg, GSO, GRO
    "plain calls": (0, 0, 0),
    "mmsg": (1, 0, 0),
    "mmsg + GSO": (1, 1, 0),
    "GSO + GRO": (0, 1, 1),
    "mmsg + GSO + GRO": (1, 1, 1),
}
KINDS: dict[str, dict[str, Any]] = {
    "driven": {},
    "threaded": {"threaded": True},
    "portable": {"poll": True, "mmsg": False, "gso": False, "gro": False},
}


# ---- packets ----


@pytest.fixture(scope="session")
def udp_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    program = tmp_path_factory.mktemp("udp") / "udp"
    sources = [str(ROOT / source) for source in SOURCES]
    include = f"-I{ROOT / 'native'}"
    subprocess.run(
        [compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O3", include, *sources, "-o", str(program)], check=True
    )
    return program


@pytest.mark.benchmark(group="50,000 UDP packets of 1200 bytes, sent and received")
@pytest.mark.parametrize("way", WAYS)
def test_packets(benchmark: BenchmarkFixture, udp_program: Path, way: str) -> None:
    flags = [str(flag) for flag in WAYS[way]]

    def move() -> str:
        arguments = [str(udp_program), *flags, str(PACKETS), "108"]
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout

    wall, cpu, packets = (float(word) for word in benchmark.pedantic(move, rounds=5, warmup_rounds=1).split())
    benchmark.extra_info["microseconds_cpu_per_packet"] = round(cpu / packets * 1e6, 3)
    benchmark.extra_info["gbit_per_second"] = round(packets * 1200 * 8 / wall / 1e9, 2)


# ---- messages ----


class Side:
    """A handler that counts, and can answer."""

    def __init__(self, worker: Worker, certificate: Certificate, *, controlling: bool) -> None:
        self.opened: int | None = None
        self.count = 0
        self.echo = False
        self.peer = Peer(worker, self, certificate, controlling=controlling)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *_: None

    def on_candidate(self, candidate: Candidate) -> None:
        self.other.peer.add_remote_candidate(candidate)

    def on_channel(self, handle: int) -> None:
        self.opened = handle

    on_channel_open = on_channel

    def on_message(self, handle: int, data: bytes | str, charge: int) -> None:
        self.count += 1
        self.peer.release(charge)
        if self.echo:
            self.peer.send(handle, data)

    def connect(self, other: "Side", fingerprint: bytes, role: str) -> None:
        self.other = other
        self.peer.add_fingerprint("sha-256", fingerprint)
        self.peer.set_dtls_role(role)
        self.peer.start_sctp(5000, 0)
        self.peer.set_remote_credentials(other.peer.local_ufrag, other.peer.local_pwd)
        self.peer.gather(interfaces=["127.0.0.1"])


class Pair:
    """Two connected sides on one worker, run as an event loop would."""

    def __init__(self, **options: Any) -> None:
        certificate = Certificate.generate()
        fingerprint = hashlib.sha256(certificate.der).digest()
        self.worker = Worker(**options)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.worker.fileno(), selectors.EVENT_READ)
        self.a = Side(self.worker, certificate, controlling=True)
        self.b = Side(self.worker, certificate, controlling=False)
        self.a.connect(self.b, fingerprint, "client")
        self.b.connect(self.a, fingerprint, "server")
        self.channel = self.a.peer.open_channel("bench")
        while self.a.opened is None or self.b.opened is None:
            self.turn()

    def turn(self) -> None:
        if self.selector.select(10):
            self.worker.run()

    def send(self, data: bytes, count: int) -> None:
        """`count` messages from a, until b has them all."""
        target = self.b.count + count
        while self.b.count < target:
            while count and self.a.peer.send(self.channel, data):
                count -= 1
            self.turn()

    def round_trips(self, data: bytes, count: int) -> None:
        for _ in range(count):
            target = self.a.count + 1
            self.a.peer.send(self.channel, data)
            while self.a.count < target:
                self.turn()

    def close(self) -> None:
        self.selector.close()
        self.worker.close()


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with contextlib.closing(Pair(**KINDS[request.param])) as pair:
        yield pair


@pytest.mark.benchmark(group="1,000 messages of 16 KiB")
def test_large_messages(benchmark: BenchmarkFixture, pair: Pair) -> None:
    benchmark.pedantic(pair.send, args=(b"x" * 16384, 1000), rounds=7, warmup_rounds=2)


@pytest.mark.benchmark(group="20,000 messages of 100 bytes")
def test_small_messages(benchmark: BenchmarkFixture, pair: Pair) -> None:
    benchmark.pedantic(pair.send, args=(b"x" * 100, 20_000), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="500 round trips of 100 bytes")
def test_round_trips(benchmark: BenchmarkFixture, pair: Pair) -> None:
    pair.b.echo = True
    benchmark.pedantic(pair.round_trips, args=(b"x" * 100, 500), rounds=7, warmup_rounds=1)


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class Caller(asyncio.DatagramProtocol):
    def __init__(self, count: int) -> None:
        self.left = count
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.transport.sendto(bytes(100))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.left -= 1
        if self.left:
            self.transport.sendto(data)
        elif not self.done.done():
            self.done.set_result(None)


@pytest.mark.benchmark(group="500 round trips of 100 bytes")
def test_round_trips_of_asyncio_udp(benchmark: BenchmarkFixture) -> None:
    """The peer: no encryption, no reliability, nothing but the datagrams."""

    async def exchange() -> None:
        loop = asyncio.get_running_loop()
        echo, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        address = echo.get_extra_info("sockname")
        caller, protocol = await loop.create_datagram_endpoint(lambda: Caller(500), remote_addr=address)
        await protocol.done
        caller.close()
        echo.close()

    benchmark.pedantic(lambda: asyncio.run(exchange()), rounds=7, warmup_rounds=1)
