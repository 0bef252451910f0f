"""`rtcore.native.sctp` alone against usrsctp: each UDP datagram on 127.0.0.1 is one SCTP packet."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from benchmarks.peers.install import USRSCTP
from benchmarks.peers.process import Watched
from rtcore.native import sctp

STRING, BINARY = 51, 53  # payload protocol identifiers (RFC 8831 section 8)
Kind = TypeVar("Kind", bound=sctp.Event)
FNV_START, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


def fnv(data: bytes, start: int = FNV_START) -> int:
    """FNV-1a, 64 bits."""
    for byte in data:
        start = (start ^ byte) * FNV_PRIME & 0xFFFFFFFFFFFFFFFF
    return start


def hash_of(messages: Iterable[bytes]) -> str:
    return f"{fnv(b''.join(messages)):016x}"


class Here(Watched):
    """An association of ours on a UDP socket, driven by the event loop. `events` only grows."""

    def __init__(self, socket_: socket.socket, **options: Any) -> None:
        super().__init__()
        self.socket = socket_
        self.sctp = sctp.Association(zero_checksum=False, **options)
        self.events: list[sctp.Event] = []
        self.timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(socket_, self.readable)

    def readable(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while packet := self.socket.recv(65536):
                assert self.sctp.receive(packet, time.monotonic()), sctp.parse_packet(packet)
        self.drain()

    def drain(self) -> None:
        """Sends and tells everything that waits, then sleeps until the deadline."""
        now = time.monotonic()
        while packets := self.sctp.transmit(now):
            for packet in packets:
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):  # lost, as packets are
                    self.socket.send(packet)
        self.events += self.sctp.events(now)
        self.changed()
        if self.timer is not None:
            self.timer.cancel()
        self.timer = None
        if (deadline := self.sctp.deadline) is not None:
            self.timer = self.loop.call_later(max(0.0, deadline - now), self.expire)

    def expire(self) -> None:
        self.sctp.expire(time.monotonic())
        self.drain()

    async def send(self, stream: int, messages: Iterable[bytes]) -> None:
        """All of them, as fast as the send buffer allows."""
        for message in messages:
            while True:
                try:
                    self.sctp.send(stream, message, time.monotonic(), protocol=BINARY)
                    break
                except BlockingIOError:
                    told = len(self.of(sctp.SendRoom))
                    await self.until(lambda: len(self.of(sctp.SendRoom)) > told)  # noqa: B023
            self.drain()

    def of(self, type_: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, type_)]

    def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.loop.remove_reader(self.socket)
        self.socket.close()


class There(Watched):
    """The usrsctp program: commands and events are in its first lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.reading = asyncio.create_task(self.read())

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.events.append(json.loads(line))
            self.changed()

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")

    async def echo(self) -> None:
        """Every message that comes after this returned."""
        self.tell("echo")
        await self.until(lambda: self.of("echoes"))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.events if entry["event"] == event]

    async def close(self) -> None:
        self.tell("quit")
        async with asyncio.timeout(5):
            assert await self.process.wait() == 0
        await self.reading


@asynccontextmanager
async def pair(*, active: str, interleaving: bool) -> AsyncIterator[tuple[Here, There]]:
    """Connected ends; `active` sends the INIT: "here" or "there"."""
    here_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    here_socket.setblocking(False)
    here_socket.bind(("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        there_port = probe.getsockname()[1]
    here_socket.connect(("127.0.0.1", there_port))
    here = Here(here_socket, interleaving=interleaving)
    process = await asyncio.create_subprocess_exec(
        USRSCTP,
        str(there_port),
        str(here_socket.getsockname()[1]),
        "connect" if active == "there" else "accept",
        "idata" if interleaving else "data",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    there = There(process)
    try:
        await there.until(lambda: there.of("ready"))
        if active == "here":
            here.sctp.connect(time.monotonic())
            here.drain()
        await here.until(lambda: here.of(sctp.Connected))
        await there.until(lambda: there.of("connected"))
        yield here, there
    finally:
        await there.close()
        here.close()


both_roles = pytest.mark.parametrize("active", ["here", "there"])
both_forms = pytest.mark.parametrize("interleaving", [False, True], ids=["data", "i-data"])


def pattern(size: int, count: int) -> list[bytes]:
    """The messages of the program's `send`."""
    return [bytes((i + 31 * k) % 251 for k in range(size)) for i in range(count)]


@both_roles
@both_forms
async def test_messages(active: str, interleaving: bool) -> None:
    async with pair(active=active, interleaving=interleaving) as (here, there):
        assert here.sctp.stats()["interleaving"] == interleaving
        for size in (1, 100, 1163, 5000, 262144):
            messages = pattern(size, 3)
            taken = len(there.of("message"))
            await here.send(7, messages)
            await there.until(lambda: len(there.of("message")) == taken + 3)  # noqa: B023
            seen = there.of("message")[taken:]
            assert [m["hash"] for m in seen] == [hash_of([m]) for m in messages]
            assert {(m["stream"], m["ppid"], m["size"], m["unordered"]) for m in seen} == {
                (7, BINARY, size, False)
            }

            given = len(here.of(sctp.Message))
            there.tell(f"send 9 {STRING} u n 0 {size} 3")
            await here.until(lambda: len(here.of(sctp.Message)) == given + 3)  # noqa: B023
            events = here.of(sctp.Message)[given:]
            assert sorted(event.data for event in events) == sorted(messages)
            assert {(event.stream, event.protocol) for event in events} == {(9, STRING)}


@both_roles
@both_forms
async def test_loss(active: str, interleaving: bool) -> None:
    """One packet in twenty that usrsctp sends is lost, data and acknowledgements alike."""
    async with pair(active=active, interleaving=interleaving) as (here, there):
        there.tell("lose 5")
        messages = pattern(20000, 100)
        await there.echo()
        await here.send(1, messages)
        await here.until(lambda: len(here.of(sctp.Message)) == len(messages), 40)
        assert [event.data for event in here.of(sctp.Message)] == messages


@both_forms
async def test_partial_reliability(interleaving: bool) -> None:
    """What usrsctp gives up on it says with FORWARD-TSN, and what comes afterwards is delivered."""
    async with pair(active="here", interleaving=interleaving) as (here, there):
        there.tell("lose 30")
        there.tell(f"send 1 {BINARY} o r 0 3000 100")
        await there.until(lambda: there.of("sent"))
        there.tell("lose 0")
        there.tell(f"send 1 {STRING} o n 0 10 1")
        await here.until(lambda: any(event.protocol == STRING for event in here.of(sctp.Message)), 30)
        binary = [event.data for event in here.of(sctp.Message) if event.protocol == BINARY]
        possible = pattern(3000, 100)
        assert 0 < len(binary) < 100
        assert all(message in possible for message in binary)
        order = [possible.index(message) for message in binary]
        assert order == sorted(order)


@both_roles
async def test_reset(active: str) -> None:
    async with pair(active=active, interleaving=False) as (here, there):
        await here.send(3, pattern(1000, 5))
        here.sctp.reset_stream(3, time.monotonic())
        here.drain()
        await here.until(lambda: here.of(sctp.ResetOut))
        await there.until(lambda: any(event["direction"] == "in" for event in there.of("reset")))
        assert len(there.of("message")) == 5  # all before the reset
        assert here.of(sctp.ResetOut)[0].stream == 3

        there.tell(f"send 3 {BINARY} o n 0 1000 5")
        there.tell("reset 3")
        await here.until(lambda: here.of(sctp.ResetIn))
        assert here.of(sctp.ResetIn)[0].stream == 3
        assert [event.data for event in here.of(sctp.Message)] == pattern(1000, 5)

        await here.send(3, pattern(10, 1))  # the stream begins anew
        await there.until(lambda: len(there.of("message")) == 6)
        assert there.of("message")[-1]["hash"] == hash_of(pattern(10, 1))


@both_roles
@pytest.mark.parametrize("by", ["here", "there"])
async def test_shutdown(active: str, by: str) -> None:
    """Whoever ends it, everything sent before arrives."""
    async with pair(active=active, interleaving=False) as (here, there):
        messages = pattern(5000, 20)
        await here.send(2, messages)
        if by == "here":
            here.sctp.shutdown(time.monotonic())
            here.drain()
        else:
            await there.until(lambda: len(there.of("message")) == 20)
            there.tell("shutdown")
        await here.until(lambda: here.of(sctp.Closed))
        await there.until(lambda: there.of("closed"))
        assert [m["hash"] for m in there.of("message")] == [hash_of([m]) for m in messages]
        assert not there.of("closed")[0]["lost"]


async def test_bulk() -> None:
    async with pair(active="here", interleaving=False) as (here, there):
        await there.echo()
        message = struct.pack("<I", 0) + bytes(65532)
        messages = [struct.pack("<I", i) + message[4:] for i in range(300)]
        await here.send(0, messages)
        await here.until(lambda: len(here.of(sctp.Message)) == len(messages), 30)
        assert [event.data for event in here.of(sctp.Message)] == messages
