"""SCTP alone: two associations in memory, ours beside aiortc's. No sockets, no DTLS.

Groups: bulk data in messages of 16 KiB and 64 KiB, small messages, and the handshake. The figures of one
group are for the same work, both ends together.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiortc import rtcsctptransport as aiortc_sctp

from rtcore.native import sctp

WORK = [(16384, 128), (65536, 32), (100, 2000)]
IDS = ["16 KiB", "64 KiB", "100 B"]


class Ours:
    """A pair of associations, connected; time moves only as far as timers need."""

    def __init__(self) -> None:
        self.now = 1.0
        self.a = sctp.Association()
        self.b = sctp.Association()
        self.a.connect(self.now)
        self.b.connect(self.now)
        while self.a.state != "established" or self.b.state != "established":
            self.exchange()
        self.a.events(self.now)
        self.b.events(self.now)

    def exchange(self) -> bool:
        there = self.a.transmit(self.now)
        self.b.receive_batch(there, self.now)
        back = self.b.transmit(self.now)
        self.a.receive_batch(back, self.now)
        return bool(there or back)

    def move(self, data: bytes, count: int) -> None:
        sent = received = 0
        while received < count:
            try:
                while sent < count:
                    self.a.send(1, data, self.now, protocol=53)
                    sent += 1
            except BlockingIOError:
                pass
            if not self.exchange():
                self.now += 0.001
                self.a.expire(self.now)
                self.b.expire(self.now)
            for event in self.b.events(self.now):
                assert isinstance(event, sctp.Message)
                received += 1
            self.a.events(self.now)


class Wire:
    """What aiortc's transport needs of DTLS: hands each packet to the other end."""

    state = "connected"

    def __init__(self, role: str) -> None:
        self._role = role
        self.other: Any = None

    def _register_data_receiver(self, receiver: Any) -> None: ...

    def _unregister_data_receiver(self, receiver: Any) -> None: ...

    async def _send_data(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.other._handle_data(data)))


class Aiortc(aiortc_sctp.RTCSctpTransport):  # type: ignore[misc]
    def __init__(self, role: str) -> None:
        self.wire = Wire(role)
        super().__init__(self.wire)
        self.count = 0
        self.wanted = 0
        self.done = asyncio.Event()

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        self.count += 1
        if self.count >= self.wanted:
            self.done.set()


async def aiortc_pair() -> tuple[Aiortc, Aiortc]:
    a, b = Aiortc("client"), Aiortc("server")
    a.wire.other, b.wire.other = b, a
    await a.start(None, 5000)
    await b.start(None, 5000)
    while a.state != "connected" or b.state != "connected":  # noqa: ASYNC110 - it announces nothing
        await asyncio.sleep(0)
    return a, b


async def aiortc_move(a: Aiortc, b: Aiortc, data: bytes, count: int) -> None:
    b.count, b.wanted = 0, count
    b.done.clear()
    for _ in range(count):
        await a._send(1, 53, data)
    await b.done.wait()


@pytest.mark.parametrize(("size", "count"), WORK, ids=IDS)
class TestTransfer:
    def test_rtcore(self, benchmark: Any, size: int, count: int) -> None:
        benchmark.group = f"sctp: {count} messages of {size} bytes, in memory"
        pair = Ours()
        benchmark.extra_info["bytes"] = size * count
        benchmark.pedantic(pair.move, args=(bytes(size), count), rounds=7, warmup_rounds=1)

    def test_aiortc(self, benchmark: Any, size: int, count: int) -> None:
        benchmark.group = f"sctp: {count} messages of {size} bytes, in memory"
        benchmark.extra_info["bytes"] = size * count
        with asyncio.Runner() as runner:
            a, b = runner.run(aiortc_pair())
            move: Callable[[], None] = lambda: runner.run(aiortc_move(a, b, bytes(size), count))  # noqa: E731
            benchmark.pedantic(move, rounds=3, warmup_rounds=1)
            runner.run(a.stop())
            runner.run(b.stop())


class TestHandshake:
    def test_rtcore(self, benchmark: Any) -> None:
        benchmark.group = "sctp: handshake, in memory"
        benchmark(Ours)

    def test_aiortc(self, benchmark: Any) -> None:
        benchmark.group = "sctp: handshake, in memory"

        async def connect() -> None:
            a, b = await aiortc_pair()
            await a.stop()
            await b.stop()

        with asyncio.Runner() as runner:
            benchmark(lambda: runner.run(connect()))
