"""ICE: two agents connect in memory; an agent answers checks; one UDP round on loopback beside aioice.

`connect` in memory is the machines alone. Over loopback, both ends run in one asyncio loop with plain asyncio
sockets, ours and aioice's alike: from the first gathered candidate until both ends are connected.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aioice
import aioice.stun
import pytest

from rtcore.native.ice import Agent
from rtcore.native.stun import Attribute, build

HOSTS = (("192.0.2.1", 1000), ("192.0.2.2", 2000))


def introduce(agents: list[Agent], now: float) -> None:
    for agent, other in zip(agents, reversed(agents), strict=True):
        agent.set_remote_credentials(other.local_ufrag, other.local_pwd, now)
        for candidate in other.local_candidates:
            agent.add_remote(candidate, now)
        agent.end_of_remote(now)


def connect_in_memory() -> list[Agent]:
    agents = [Agent(controlling=True), Agent(controlling=False)]
    for agent, host in zip(agents, HOSTS, strict=True):
        agent.add_host(0, host, 0.0)
        agent.end_of_local(0.0)
    introduce(agents, 0.0)
    while agents[0].state != "completed" or agents[1].state != "completed":
        for index, agent in enumerate(agents):
            for data, _, _ in agent.transmit(0.0):
                agents[1 - index].receive(data, HOSTS[index], 0, 0.0)
    return agents


def test_connect_in_memory(benchmark: Any) -> None:
    benchmark.group = "ice: connect in memory"
    benchmark(connect_in_memory)


class Answering:
    """An agent that answers a consent check: what an idle connection costs, and what a flood costs."""

    def __init__(self, known: bool) -> None:
        self.agent = connect_in_memory()[1]
        password = self.agent.local_pwd if known else "somebody's password"
        self.check = build(
            "request",
            b"transaction.",
            [
                (Attribute.USERNAME, f"{self.agent.local_ufrag}:peer"),
                (Attribute.PRIORITY, 1),
                (Attribute.ICE_CONTROLLING, 2**64 - 1),
            ],
            key=password,
        )

    def __call__(self) -> int:
        self.agent.receive(self.check, HOSTS[0], 0, 1.0)
        return len(self.agent.transmit(1.0))


def aioice_answering() -> Callable[[], bytes]:
    """The same steps on aioice's codec: parse, verify, build and sign the answer."""
    key = b"the password of the answering end"
    message = aioice.stun.Message(
        aioice.stun.Method.BINDING,
        aioice.stun.Class.REQUEST,
        attributes={"USERNAME": "12345678:peer", "PRIORITY": 1, "ICE-CONTROLLING": 2**64 - 1},
    )
    message.add_message_integrity(key)
    data = bytes(message)

    def answer() -> bytes:
        request = aioice.stun.parse_message(data)
        assert request.check_message_integrity(key)
        response = aioice.stun.Message(
            aioice.stun.Method.BINDING, aioice.stun.Class.RESPONSE, request.transaction_id
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = HOSTS[0]
        response.add_message_integrity(key)
        return bytes(response)

    return answer


@pytest.mark.parametrize("codec", ["rtcore", "aioice"])
def test_answer_a_check(benchmark: Any, codec: str) -> None:
    benchmark.group = "ice: answer a check"
    assert benchmark(Answering(known=True) if codec == "rtcore" else aioice_answering())


def test_refuse_a_check(benchmark: Any) -> None:
    benchmark.group = "ice: refuse a check"
    assert benchmark(Answering(known=False)) == 1


class Socket(asyncio.DatagramProtocol):
    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.completed = asyncio.get_running_loop().create_future()
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.agent.receive(data, addr, 0, time.monotonic())
        self.drain()

    def drain(self) -> None:
        for data, _, address in self.agent.transmit(time.monotonic()):
            self.transport.sendto(data, address)
        if self.agent.state == "completed" and not self.completed.done():
            self.completed.set_result(None)


async def connect_rtcore() -> None:
    loop = asyncio.get_running_loop()
    sockets = []
    for controlling in (True, False):
        agent = Agent(controlling=controlling)
        _, end = await loop.create_datagram_endpoint(
            lambda agent=agent: Socket(agent),  # type: ignore[misc]
            local_addr=("127.0.0.1", 0),
        )
        agent.add_host(0, end.transport.get_extra_info("sockname"), time.monotonic())
        agent.end_of_local(time.monotonic())
        sockets.append(end)
    introduce([end.agent for end in sockets], time.monotonic())
    for end in sockets:
        end.drain()
    for end in sockets:
        await end.completed
        end.transport.close()


async def connect_aioice() -> None:
    ends = [aioice.Connection(ice_controlling=True), aioice.Connection(ice_controlling=False)]
    for end in ends:
        await end.gather_candidates()
    for end, other in zip(ends, reversed(ends), strict=True):
        for candidate in other.local_candidates:
            await end.add_remote_candidate(candidate)
        await end.add_remote_candidate(None)
        end.remote_username, end.remote_password = other.local_username, other.local_password
    await asyncio.gather(*(end.connect() for end in ends))
    for end in ends:
        await end.close()


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.AbstractEventLoop]:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("connect", [connect_rtcore, connect_aioice], ids=["rtcore", "aioice"])
def test_connect_on_loopback(
    benchmark: Any, loop: asyncio.AbstractEventLoop, connect: Callable[[], Awaitable[None]]
) -> None:
    benchmark.group = "ice: connect on loopback"
    benchmark.pedantic(lambda: loop.run_until_complete(connect()), rounds=20, warmup_rounds=2)
