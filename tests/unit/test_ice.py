"""rtcore.native.ice: candidates and their SDP form, and the agent by itself."""

import asyncio
import pickle
import socket
import time
from collections.abc import Callable
from typing import Any

import aioice
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcore.native.ice import Agent, Candidate
from rtcore.native.stun import Attribute, Message, build

CHROMIUM = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 "
    "ufrag EsAw network-id 1 network-cost 10"
)
FIREFOX_MDNS = "candidate:0 1 UDP 2122252543 1c6dd8a9-4b0a-4d6c-9b0e-1d3d3f0c2a55.local 51372 typ host"


def test_chromium_candidate() -> None:
    candidate = Candidate.from_sdp(CHROMIUM)
    assert candidate.foundation == "842163049"
    assert candidate.component == 1
    assert candidate.transport == candidate.protocol == "udp"
    assert candidate.priority == 1677729535
    assert candidate.address == candidate.ip == "203.0.113.7"
    assert candidate.port == 46154
    assert candidate.type == "srflx"
    assert (candidate.related_address, candidate.related_port) == ("0.0.0.0", 0)
    assert candidate.tcp_type is None
    assert (candidate.generation, candidate.ufrag) == (0, "EsAw")
    assert candidate.extensions == (("network-id", "1"), ("network-cost", "10"))
    assert not candidate.is_mdns
    assert candidate.is_numeric
    assert candidate.to_sdp() == CHROMIUM


def test_mdns_name_is_kept() -> None:
    candidate = Candidate.from_sdp("a=" + FIREFOX_MDNS + "\r\n")
    assert candidate.is_mdns
    assert not candidate.is_numeric
    assert candidate.address.endswith(".local")
    assert candidate.to_sdp() == FIREFOX_MDNS.replace("UDP", "udp")


def test_tcp_candidate() -> None:
    text = "candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0"
    candidate = Candidate.from_sdp(text)
    assert (candidate.transport, candidate.tcp_type, candidate.port) == ("tcp", "active", 9)
    assert candidate.to_sdp() == text


def test_ipv6_is_canonical() -> None:
    text = "candidate:1 1 udp 1 2001:DB8:0:0:0:0:0:1 9 typ host"
    assert Candidate.from_sdp(text).address == "2001:db8::1"


def test_value_semantics() -> None:
    one, two = Candidate.from_sdp(CHROMIUM), Candidate.from_sdp(CHROMIUM)
    assert one == two
    assert hash(one) == hash(two)
    assert one != Candidate.from_sdp(FIREFOX_MDNS)
    assert one != CHROMIUM
    assert len({one, two}) == 1
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "candidate:1 1 udp 1 192.0.2.1 9 typ",
        "candidate:1 1 udp 1 192.0.2.1 9 kind host",
        "candidate:1 1 sctp 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ mirror",
        "candidate:1 0 udp 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp -1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.256 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 nine typ host",
        "candidate:1 1 udp 1 192.0.2.1 \u0669 typ host",
        "candidate:1 1 udp 1 [::1] 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host generation",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host raddr a rport x",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host ufrag a ufrag b",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host tcptype active",
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype fast",
        "candidate:not,allowed 1 udp 1 192.0.2.1 9 typ host",
        "candidate:" + 33 * "f" + " 1 udp 1 192.0.2.1 9 typ host",
        "v=0",
    ],
)
def test_nonsense_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each text breaks another rule
        Candidate.from_sdp(text)


@pytest.mark.parametrize("value", [b"candidate:1", None, 7])
def test_wrong_type(value: object) -> None:
    with pytest.raises(TypeError):
        Candidate.from_sdp(value)  # type: ignore[arg-type]


TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=12)
CANDIDATES = st.builds(
    Candidate,
    st.text("ABCabc019+/", min_size=1, max_size=32),
    st.integers(1, 256),
    st.just("udp"),
    st.integers(0, 2**32 - 1),
    st.one_of(st.ip_addresses().map(str), st.just("f0.local"), st.just("stun.example.org")),
    st.integers(0, 65535),
    st.sampled_from(["host", "srflx", "prflx", "relay"]),
    related_address=st.one_of(st.none(), st.ip_addresses().map(str)),
    related_port=st.one_of(st.none(), st.integers(0, 65535)),
    generation=st.one_of(st.none(), st.integers(0, 9)),
    ufrag=st.one_of(st.none(), st.text("abc+/09", min_size=1, max_size=256)),
    extensions=st.lists(st.tuples(TOKENS.map("x-".__add__), TOKENS), max_size=4),
)


@given(CANDIDATES)
def test_sdp_round_trip(candidate: Candidate) -> None:
    again = Candidate.from_sdp(candidate.to_sdp())
    assert again == candidate
    assert again.to_sdp() == candidate.to_sdp()


@given(st.text(max_size=200))
def test_any_text_parses_or_raises_value_error(text: str) -> None:
    for line in (text, "candidate:" + text):
        try:
            candidate = Candidate.from_sdp(line)
        except ValueError:
            continue
        assert Candidate.from_sdp(candidate.to_sdp()) == candidate


# The agent by itself: two of them joined by a wire in virtual time.


class Wire:
    """Two agents, each with one host, whose datagrams arrive after `delay` seconds."""

    def __init__(self, delay: float = 0.001, **options: Any) -> None:
        self.now = 100.0
        self.delay = delay
        self.agents = [
            Agent(controlling=True, seed=1, **options),
            Agent(controlling=False, seed=2, **options),
        ]
        self.addresses = [("192.0.2.1", 1000), ("192.0.2.2", 2000)]
        self.events: list[list[tuple[str, Any]]] = [[], []]
        self.flying: list[tuple[float, int, bytes]] = []

    def start(self) -> None:
        for agent, address in zip(self.agents, self.addresses, strict=True):
            agent.add_host(0, address, self.now)
            agent.end_of_local(self.now)
        self.drain()
        for agent, other in zip(self.agents, reversed(self.agents), strict=True):
            agent.set_remote_credentials(other.local_ufrag, other.local_pwd, self.now)
        for mine, agent in zip(self.events, reversed(self.agents), strict=True):
            for name, value in list(mine):
                if name == "candidate":
                    agent.add_remote(Candidate.from_sdp(value.to_sdp()), self.now)
            agent.end_of_remote(self.now)
        self.drain()

    def drain(self) -> None:
        for index, agent in enumerate(self.agents):
            for data, number, address in agent.transmit(self.now):
                assert number == 0
                assert address == self.addresses[1 - index]
                self.flying.append((self.now + self.delay, 1 - index, data))
            self.events[index] += agent.events()

    def run(self, seconds: float, goal: Callable[[], bool] = lambda: False) -> bool:
        end = self.now + seconds
        while not goal():
            times = [item[0] for item in self.flying[:1]]
            times += [agent.deadline for agent in self.agents if agent.deadline is not None]
            if not times or min(times) > end:
                self.now = end
                return False
            self.now = max(self.now, min(times))
            while self.flying and self.flying[0][0] <= self.now:
                _, index, data = self.flying.pop(0)
                self.agents[index].receive(data, self.addresses[1 - index], 0, self.now)
            for agent in self.agents:
                agent.expire(self.now)
            self.drain()
        return True

    def completed(self) -> bool:
        return all(agent.state == "completed" for agent in self.agents)


def test_agents_connect() -> None:
    wire = Wire()
    assert [agent.state for agent in wire.agents] == ["new", "new"]
    wire.start()
    assert wire.run(1, wire.completed)
    assert wire.now - 100 < 0.01
    for index, agent in enumerate(wire.agents):
        names = [event for event in wire.events[index] if event[0] != "candidate"]
        assert ("gathering", "gathering") in names
        assert ("gathering", "complete") in names
        assert [value for name, value in names if name == "state"] == ["checking", "connected", "completed"]
        assert ("selected", (0, wire.addresses[1 - index])) in names
        assert agent.path == (0, wire.addresses[1 - index])
        assert agent.knows(wire.addresses[1 - index], 0)
        assert not agent.knows(("192.0.2.99", 1), 0)
        (pair,) = agent.pairs()
        assert pair["state"] == "succeeded"
        assert pair["nominated"]
        assert pair["selected"]
        assert pair["current_round_trip"] == pytest.approx(0.002)
        assert agent.local_candidates[pair["local"]].address == wire.addresses[index][0]
        assert agent.remote_candidates[pair["remote"]].address == wire.addresses[1 - index][0]
        agent.count_data(wire.addresses[1 - index], 0, 500, wire.now, sent=True)
        assert agent.pairs()[0]["bytes_sent"] == 500
        assert agent.stats()["selected_pair_changes"] == 1
    assert [agent.controlling for agent in wire.agents] == [True, False]


def test_credentials_of_ones_own() -> None:
    """At their longest, both ends' user name fragments make a user name of 513 characters."""
    wire = Wire()
    given = [("a+/9" * 64, "p" * 256), ("b" * 256, "Q" * 22)]
    for agent, (ufrag, pwd) in zip(wire.agents, given, strict=True):
        agent.set_local_credentials("user", "p" * 22)
        agent.set_local_credentials(ufrag, pwd)
        assert (agent.local_ufrag, agent.local_pwd) == (ufrag, pwd)
    wire.start()
    assert wire.run(1, wire.completed)
    with pytest.raises(ConnectionError):
        wire.agents[0].set_local_credentials("user", "p" * 22)
    wire.agents[0].restart(wire.now)
    assert wire.agents[0].local_ufrag != given[0][0]


@pytest.mark.parametrize(
    ("ufrag", "pwd"),
    [("abc", "p" * 22), ("u" * 257, "p" * 22), ("user", "p" * 21), ("user", "p" * 257), ("us:r", "p" * 22),
     ("user", "p" * 21 + "="), ("us\0r", "p" * 22), ("usér", "p" * 22), ("", "")],
)  # fmt: skip
def test_credentials_that_ice_cannot_have(ufrag: str, pwd: str) -> None:
    agent = Agent()
    drawn = agent.local_ufrag, agent.local_pwd
    with pytest.raises(ValueError, match="local credentials"):
        agent.set_local_credentials(ufrag, pwd)
    assert (agent.local_ufrag, agent.local_pwd) == drawn


def test_a_restarted_peer_is_told_the_same_credentials() -> None:
    """Those of one's own outlive the other end's restart."""
    wire = Wire()
    wire.agents[0].set_local_credentials("mine", "m" * 22)
    wire.start()
    assert wire.run(1, wire.completed)
    one, two = wire.agents
    two.restart(wire.now)
    two.add_host(0, wire.addresses[1], wire.now)
    two.end_of_local(wire.now)
    one.set_remote_credentials(two.local_ufrag, two.local_pwd, wire.now)
    one.add_remote(two.local_candidates[0], wire.now)
    one.end_of_remote(wire.now)
    assert (one.local_ufrag, one.local_pwd) == ("mine", "m" * 22)
    two.set_remote_credentials(one.local_ufrag, one.local_pwd, wire.now)
    two.add_remote(one.local_candidates[0], wire.now)
    two.end_of_remote(wire.now)
    wire.drain()
    assert wire.run(1, wire.completed)


def test_agents_restart_and_fail() -> None:
    wire = Wire()
    wire.start()
    assert wire.run(1, wire.completed)
    one, two = wire.agents
    before = one.local_ufrag, two.local_ufrag
    for agent, address in zip(wire.agents, wire.addresses, strict=True):
        agent.restart(wire.now)
        agent.add_host(0, address, wire.now)
        agent.end_of_local(wire.now)
        assert agent.path is not None
        assert agent.state == "connected"
    assert one.local_ufrag not in before
    for agent, other in ((one, two), (two, one)):
        agent.set_remote_credentials(other.local_ufrag, other.local_pwd, wire.now)
        agent.add_remote(other.local_candidates[0], wire.now)
        agent.end_of_remote(wire.now)
    wire.drain()
    assert wire.run(1, wire.completed)
    wire.delay = 1e9
    wire.run(60)
    assert [agent.state for agent in wire.agents] == ["failed", "failed"]
    assert ("state", "disconnected") in wire.events[0]
    assert one.path is None
    assert one.deadline is None


def test_rfc8445_priorities() -> None:
    """5.1.2.1: 2^24 type + 2^8 local preference + (256 - component); 6.1.2.3 for the pair."""
    wire = Wire()
    wire.start()
    host = wire.agents[0].local_candidates[0].priority
    assert host == (126 << 24) + (65535 << 8) + 255
    wire.agents[0].add_remote(
        Candidate("9", 1, "udp", (100 << 24) + (7 << 8) + 255, "203.0.113.1", 9, "srflx"), wire.now
    )
    small, large = (100 << 24) + (7 << 8) + 255, host
    assert wire.agents[0].pairs()[1]["priority"] == (small << 32) + 2 * large + 1  # controlling: ours is G


def check(agent: Agent, *attributes: tuple[int, object], **options: Any) -> bytes:
    names = [(Attribute.USERNAME, f"{agent.local_ufrag}:peer"), (Attribute.PRIORITY, 1), *attributes]
    return build("request", b"transaction.", names, key=agent.local_pwd, **options)


def replies(agent: Agent, data: bytes) -> list[Message]:
    agent.receive(data, ("192.0.2.9", 9), 0, 1.0)
    return [Message.parse(answer) for answer, _, to in agent.transmit(1.0) if to == ("192.0.2.9", 9)]


@pytest.fixture
def agent() -> Agent:
    agent = Agent(controlling=False, seed=5)
    agent.add_host(0, ("192.0.2.1", 1000), 1.0)
    return agent


def test_early_check_is_answered(agent: Agent) -> None:
    (answer,) = replies(agent, check(agent, (Attribute.ICE_CONTROLLING, 1)))
    assert answer.kind == "success"
    assert answer.mapped_address == ("192.0.2.9", 9)
    assert answer.verify(agent.local_pwd)
    assert answer.has_fingerprint
    assert agent.remote_candidates[0].type == "prflx"
    agent.set_remote_credentials("peer", "p" * 22, 1.0)
    ((data, _, to),) = agent.transmit(1.0)
    assert to == ("192.0.2.9", 9)
    request = Message.parse(data)
    assert request.username == f"peer:{agent.local_ufrag}".encode()
    assert request.verify("p" * 22)
    assert request.ice_controlled is not None


def test_sha256_is_answered_with_sha256(agent: Agent) -> None:
    (answer,) = replies(agent, check(agent, algorithms=["sha256"]))
    assert answer.kind == "success"
    assert answer.verify(agent.local_pwd, "sha256")


def test_unknown_attribute_is_refused_with_420(agent: Agent) -> None:
    (answer,) = replies(agent, check(agent, (0x7777, b"x")))
    assert answer.error is not None
    assert answer.error[0] == 420
    assert dict(answer.attributes)[Attribute.UNKNOWN_ATTRIBUTES] == b"\x77\x77"
    assert answer.verify(agent.local_pwd)
    assert agent.remote_candidates == []


def test_role_conflict_is_refused_with_487_or_switches(agent: Agent) -> None:
    (answer,) = replies(agent, check(agent, (Attribute.ICE_CONTROLLED, 2**64 - 1)))
    assert answer.error is not None
    assert answer.error[0] == 487
    assert not agent.controlling
    (answer,) = replies(agent, check(agent, (Attribute.ICE_CONTROLLED, 0)))
    assert answer.kind == "success"
    assert agent.controlling
    assert ("role", True) in agent.events()


def test_unauthenticated_requests(agent: Agent) -> None:
    name = (Attribute.USERNAME, f"{agent.local_ufrag}:peer" + 16 * "x")
    bad = build("request", b"transaction.", [name, (Attribute.PRIORITY, 1)], key="wrong")
    (answer,) = replies(agent, bad)
    assert answer.error is not None
    assert answer.error[0] == 401
    assert len(bytes(answer)) <= len(bad)
    stranger = build("request", b"transaction.", [(Attribute.USERNAME, 20 * "y" + ":x")], key="wrong")
    assert replies(agent, stranger)[0].error == answer.error
    # Nothing is amplified: what is shorter than its answer gets none.
    assert replies(agent, build("request", b"transaction.")) == []
    assert agent.remote_candidates == []
    assert agent.stats()["unauthenticated"] == 3


def test_flood_costs_no_memory_and_few_replies(agent: Agent) -> None:
    bad = build("request", b"transaction.", [(Attribute.USERNAME, 40 * "y" + ":x")], key="wrong")
    for port in range(1, 3000):
        agent.receive(bad, ("192.0.2.9", port), 0, 1.0)
    assert len(agent.transmit(1.0)) <= 16
    for port in range(1, 3000):
        agent.receive(check(agent), ("192.0.2.9", port), 0, 1.0)
        agent.transmit(1.0)
    assert agent.stats()["remote_candidates"] == 64
    assert agent.stats()["candidates_refused"] == 2999 - 64


def test_limits_and_wrong_arguments(agent: Agent) -> None:
    with pytest.raises(ValueError, match="exists already"):
        agent.add_host(0, ("192.0.2.1", 1000), 1.0)
    with pytest.raises(ValueError, match="invalid"):
        agent.add_host(1, ("0.0.0.0", 1000), 1.0)
    with pytest.raises(ValueError, match="not an IP address"):
        agent.add_host(1, ("localhost", 1000), 1.0)
    with pytest.raises(ValueError, match="resolve"):
        agent.add_remote(Candidate.from_sdp(FIREFOX_MDNS), 1.0)
    with pytest.raises(TypeError, match="Candidate"):
        agent.add_remote(CHROMIUM, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="credentials"):
        agent.set_remote_credentials("abc", "p" * 22, 1.0)
    with pytest.raises(ValueError, match="now"):
        agent.transmit(float("nan"))
    with pytest.raises(ValueError, match="rto"):
        Agent(rto=0)
    agent.set_remote_credentials("abcd", "p" * 22, 1.0)
    with pytest.raises(ConnectionError):
        agent.controlling = True
    agent.add_remote(Candidate.from_sdp("candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active"), 1.0)
    assert agent.pairs() == []
    for port in range(1, 64):
        agent.add_remote(Candidate("1", 1, "udp", 1, "192.0.2.7", port, "host"), 1.0)
    with pytest.raises(BlockingIOError):
        agent.add_remote(Candidate("1", 1, "udp", 1, "192.0.2.7", 9000, "host"), 1.0)
    assert agent.stats()["pairs"] == 63
    assert not agent.receive(b"not stun", ("192.0.2.9", 9), 0, 1.0)


# Against aioice, over real sockets.


class Driver(asyncio.DatagramProtocol):
    """An agent on one UDP socket of the loopback interface."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.events: list[tuple[str, Any]] = []
        self.data: asyncio.Queue[bytes] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, agent: Agent) -> "Driver":
        _, self = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(agent), local_addr=("127.0.0.1", 0), family=socket.AF_INET
        )
        agent.add_host(0, self.transport.get_extra_info("sockname"), time.monotonic())
        agent.end_of_local(time.monotonic())
        self.drain()
        return self

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data[0] < 4:
            self.agent.receive(data, addr, 0, time.monotonic())
        elif self.agent.knows(addr, 0):
            self.data.put_nowait(data)
        self.drain()

    def drain(self) -> None:
        for data, _, address in self.agent.transmit(time.monotonic()):
            self.transport.sendto(data, address)
        self.events += self.agent.events()
        self.changed.set()
        if self.timer:
            self.timer.cancel()
        deadline = self.agent.deadline
        if deadline is not None:
            self.timer = asyncio.get_running_loop().call_later(max(0, deadline - time.monotonic()), self.tick)

    def tick(self) -> None:
        self.agent.expire(time.monotonic())
        self.drain()

    def send(self, data: bytes) -> None:
        assert self.agent.path is not None
        self.transport.sendto(data, self.agent.path[1])

    async def reached(self, *states: str) -> None:
        while self.agent.state not in states:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10)

    def close(self) -> None:
        if self.timer:
            self.timer.cancel()
        self.transport.close()


async def connect_with_aioice(controlling: bool, both: bool) -> None:
    driver = await Driver.open(Agent(controlling=controlling))
    peer = aioice.Connection(ice_controlling=controlling if both else not controlling)
    await peer.gather_candidates()
    agent = driver.agent
    for ours in agent.local_candidates:
        await peer.add_remote_candidate(aioice.Candidate.from_sdp(ours.to_sdp().removeprefix("candidate:")))
    await peer.add_remote_candidate(None)
    peer.remote_username, peer.remote_password = agent.local_ufrag, agent.local_pwd
    now = time.monotonic()
    agent.set_remote_credentials(peer.local_username, peer.local_password, now)
    for candidate in peer.local_candidates:
        agent.add_remote(Candidate.from_sdp("candidate:" + candidate.to_sdp()), now)
    agent.end_of_remote(now)
    driver.drain()
    try:
        await asyncio.wait_for(peer.connect(), 10)
        await driver.reached("completed")
        assert agent.controlling != peer.ice_controlling
        await peer.send(b"\x80 from aioice")
        assert await asyncio.wait_for(driver.data.get(), 5) == b"\x80 from aioice"
        driver.send(b"\x80 from rtcore")
        assert await asyncio.wait_for(peer.recv(), 5) == b"\x80 from rtcore"
        assert [pair["state"] for pair in agent.pairs() if pair["selected"]] == ["succeeded"]
    finally:
        await peer.close()
        driver.close()


@pytest.mark.parametrize("controlling", [True, False], ids=["controlling", "controlled"])
@pytest.mark.parametrize("both", [False, True], ids=["agreed", "conflict"])
def test_connects_with_aioice(controlling: bool, both: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    asyncio.run(connect_with_aioice(controlling, both))
