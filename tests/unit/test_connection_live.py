"""Two PeerConnections over real sockets on the loopback interface, on every kind of worker; and aiortc."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

import rtcore
from rtcore.signaling import StreamSignaling

LOOPBACK: dict[str, Any] = {"interfaces": ["127.0.0.1"]}
KINDS = ["own", "driven", "threaded", "two"]


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


@contextlib.contextmanager
def workers(kind: str) -> Any:
    """The workers of both ends: the loop's own, one that is shared, one with a thread, two with threads."""
    if kind == "own":
        yield None, None
    elif kind == "two":
        with rtcore.Worker(threaded=True) as one, rtcore.Worker(threaded=True) as two:
            yield one, two
    else:
        with rtcore.Worker(threaded=kind == "threaded") as one:
            yield one, one


async def exchange(a: rtcore.PeerConnection, b: rtcore.PeerConnection) -> None:
    await a.set_local_description()
    await a.gathered()
    await b.set_remote_description(a.local_description)
    await b.set_local_description()
    await b.gathered()
    await a.set_remote_description(b.local_description)


@contextlib.asynccontextmanager
async def pair(kind: str = "own", **options: Any) -> AsyncIterator[tuple[Any, Any]]:
    options = {**LOOPBACK, **options}
    with workers(kind) as (one, two):
        async with (
            rtcore.PeerConnection(worker=one, **options) as a,
            rtcore.PeerConnection(worker=two, **options) as b,
        ):
            yield a, b


async def open_pair(a: Any, b: Any, label: str = "x", **options: Any) -> tuple[Any, Any]:
    """A channel and its other end. The first one connects."""
    arrived = asyncio.get_running_loop().create_future()

    def take(channel: rtcore.DataChannel) -> None:
        if channel.label == label and not arrived.done():
            arrived.set_result(channel)

    b.on("datachannel", take)
    channel = a.create_data_channel(label, **options)
    if a.connection_state == "new":
        await exchange(a, b)
    await channel.opened()
    return channel, await arrived


@pytest.mark.parametrize("kind", KINDS)
def test_messages_both_ways(kind: str) -> None:
    async def test() -> None:
        async with pair(kind) as (a, b):
            one, two = await open_pair(a, b)
            await asyncio.gather(a.connected(), b.connected())
            messages = ["text", "", b"", b"bytes", "grüße €", random.randbytes(300_000), "x" * 70_000]
            for sender, receiver in ((one, two), (two, one)):
                for message in messages:
                    await sender.send(message)
                assert [await receiver.receive() for _ in messages] == messages

    run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_bulk_with_a_slow_reader(kind: str) -> None:
    """More than all buffers hold goes one way while the reader pauses; nothing is lost."""

    async def test() -> None:
        async with pair(kind, receive_buffer=256 * 1024, send_buffer=256 * 1024, max_message_size=65536) as (
            a,
            b,
        ):
            one, two = await open_pair(a, b)
            sent, received = hashlib.sha256(), hashlib.sha256()
            count, progress = 200, 0

            async def send() -> None:
                nonlocal progress
                for _ in range(count):
                    message = random.randbytes(16 * 1024)
                    sent.update(message)
                    await one.send(message)
                    progress += 1

            sending = asyncio.ensure_future(send())
            await asyncio.sleep(0.3)
            assert progress < 60, "the sender is stopped by full buffers"
            for _ in range(count):
                received.update(await two.receive())
            await sending
            assert received.digest() == sent.digest()

    run(test)


@pytest.mark.parametrize("message", [b"", "", b"x", "é"])
def test_unread_small_messages_stop_the_sender(message: bytes | str) -> None:
    """They cost memory, too, though they have hardly any bytes."""

    async def test() -> None:
        async with pair(receive_buffer=64 * 1024, send_buffer=64 * 1024, max_message_size=1000) as (a, b):
            one, two = await open_pair(a, b)
            count, sent = 10_000, 0

            async def send() -> None:
                nonlocal sent
                for _ in range(count):
                    await one.send(message)
                    sent += 1

            sending = asyncio.ensure_future(send())
            await asyncio.sleep(0.3)
            assert sent < count / 2, "the sender is stopped by full buffers"
            for _ in range(count):
                assert await two.receive() == message
            await sending

    run(test)


def test_many_channels() -> None:
    async def test() -> None:
        async with pair() as (a, b):
            arrived: asyncio.Queue[rtcore.DataChannel] = asyncio.Queue()
            b.on("datachannel", arrived.put_nowait)
            ones = [a.create_data_channel(str(number)) for number in range(100)]
            await exchange(a, b)
            twos = {}
            for _ in ones:
                channel = await arrived.get()
                twos[channel.label] = channel
            assert len({channel.id for channel in ones}) == 100
            for channel in ones:
                await channel.send(channel.label)
            for label, channel in twos.items():
                assert await channel.receive() == label

    run(test)


@pytest.mark.parametrize(
    "options",
    [
        {"ordered": False},
        {"max_retransmits": 0},
        {"max_packet_life_time": 500, "ordered": False},
        {"priority": "high", "protocol": "p"},
    ],
)
def test_kinds_of_channels(options: dict[str, Any]) -> None:
    async def test() -> None:
        async with pair() as (a, b):
            one, two = await open_pair(a, b, **options)
            for channel in (one, two):
                for name, value in options.items():
                    assert getattr(channel, name) == value
            await one.send(b"hello")
            assert await two.receive() == b"hello"

    run(test)


def test_negotiated_channels() -> None:
    async def test() -> None:
        async with pair() as (a, b):
            ends = [pc.create_data_channel("same", negotiated=True, id=77) for pc in (a, b)]
            await exchange(a, b)
            await asyncio.gather(*(end.opened() for end in ends))
            await ends[0].send("hello")
            assert await ends[1].receive() == "hello"

    run(test)


@pytest.mark.parametrize("closer", [0, 1])
def test_closing_a_channel_loses_nothing(closer: int) -> None:
    async def test() -> None:
        async with pair() as (a, b):
            ends = await open_pair(a, b)
            sender, receiver = ends[closer], ends[1 - closer]
            for number in range(200):
                await sender.send(number.to_bytes(2, "big") * 2000)
            closing = asyncio.ensure_future(sender.close())
            received = [int.from_bytes(message[:2], "big") async for message in receiver]
            assert received == list(range(200))
            await closing
            assert sender.ready_state == receiver.ready_state == "closed"
            assert sender.error is None
            again, twin = await open_pair(a, b, "again")
            await again.send(b"after")
            assert await twin.receive() == b"after"

    run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_closing_a_connection_closes_the_other_end(kind: str) -> None:
    async def test() -> None:
        async with pair(kind) as (a, b):
            one, two = await open_pair(a, b)
            await two.send(b"last words")
            assert await one.receive() == b"last words"
            await b.close()
            await a.closed()
            assert [message async for message in one] == []
            assert (one.error, a.connection_state) == (None, "closed")

    run(test)


def test_too_large_messages_are_refused() -> None:
    async def test() -> None:
        async with pair(max_message_size=1000) as (a, b):
            one, two = await open_pair(a, b)
            with pytest.raises(ValueError, match=r"1001 bytes.*up to 1000"):
                await one.send(bytes(1001))
            await one.send(bytes(1000))
            assert await two.receive() == bytes(1000)

    run(test)


def test_trickle() -> None:
    async def test() -> None:
        async with pair() as (a, b):
            a.on("icecandidate", b.add_ice_candidate)
            b.on("icecandidate", a.add_ice_candidate)
            channel = a.create_data_channel("x")
            await a.set_local_description()
            await b.set_remote_description(a.local_description)
            await b.set_local_description()
            await a.set_remote_description(b.local_description)
            await channel.opened()

    run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_restart(kind: str) -> None:
    """Messages flow on while ICE restarts, from either end, and the credentials are new."""

    async def test() -> None:
        async with pair(kind) as (a, b):
            one, two = await open_pair(a, b)
            for restarter, other in ((a, b), (b, a)):
                before = restarter.local_description.sdp
                changes = (await restarter.get_stats())["T0"]["selectedCandidatePairChanges"]
                restarter.restart_ice()
                await one.send(b"meanwhile")
                await exchange(restarter, other)
                assert await two.receive() == b"meanwhile"
                ufrag = next(line for line in before.split("\r\n") if line.startswith("a=ice-ufrag"))
                assert ufrag not in restarter.local_description.sdp
                for pc in (restarter, other):
                    async for _ in every(0.01):
                        if (await pc.get_stats())["T0"]["selectedCandidatePairChanges"] > changes:
                            break
                await two.send(b"after")
                assert await one.receive() == b"after"
                assert restarter.connection_state == other.connection_state == "connected"

    run(test)


async def every(interval: float) -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(interval)


@pytest.mark.parametrize("kind", ["own", "threaded"])
def test_a_peer_that_vanishes(kind: str) -> None:
    """Without a good-bye: disconnected, then failed; and connected() says so."""

    async def test() -> None:
        with workers(kind) as (one, _), rtcore.Worker() as doomed:
            timeouts = {"disconnected_timeout": 0.3, "failed_timeout": 0.9}
            async with rtcore.PeerConnection(worker=one, **LOOPBACK, **timeouts) as a:
                b = rtcore.PeerConnection(worker=doomed, **LOOPBACK)
                channel, _ = await open_pair(a, b)
                events = a.events()
                asyncio.get_running_loop().remove_reader(doomed.fileno())  # it says nothing any more
                states = []
                async for event in events:
                    if isinstance(event, rtcore.ConnectionStateEvent):
                        states.append(event.state)
                        if event.state == "failed":
                            break
                assert states == ["connecting", "connected", "disconnected", "failed"]
                with pytest.raises(rtcore.ConnectionFailedError, match="ICE"):
                    await a.connected()
                assert channel.ready_state == "open", "ICE may be restarted yet"
                await b.close()

    run(test)


@pytest.mark.parametrize("kind", ["own", "threaded"])
def test_short_timeouts_do_not_end_idle_connections(kind: str) -> None:
    async def test() -> None:
        async with pair(kind, disconnected_timeout=0.2, failed_timeout=0.6) as (a, b):
            await open_pair(a, b)
            states: list[str] = []
            for pc in (a, b):
                pc.on("connectionstatechange", states.append)
            await asyncio.sleep(1.0)
            assert states == []

    run(test)


def test_wrong_fingerprint() -> None:
    async def test() -> None:
        async with pair() as (a, b):
            channel = a.create_data_channel("x")
            await a.set_local_description()
            await a.gathered()
            wrong = a.local_description.sdp.replace(a.certificate.fingerprint(), ":".join(["00"] * 32))
            assert wrong != a.local_description.sdp
            await b.set_remote_description({"type": "offer", "sdp": wrong})
            await b.set_local_description()
            await b.gathered()
            await a.set_remote_description(b.local_description)
            with pytest.raises(rtcore.ConnectionFailedError, match="fingerprint"):
                await b.connected()
            assert channel.ready_state != "open"

    run(test)


def test_a_lite_server_on_one_port() -> None:
    """Many connections share one socket of a server that sends no checks."""

    async def test() -> None:
        with rtcore.Worker() as worker:
            endpoint = worker.bind("127.0.0.1")
            async with contextlib.AsyncExitStack() as stack:
                for number in range(5):
                    server = rtcore.PeerConnection(worker=worker, endpoints=endpoint, ice_lite=True)
                    client = rtcore.PeerConnection(**LOOPBACK)
                    await stack.enter_async_context(server)
                    await stack.enter_async_context(client)
                    one, two = await open_pair(client, server)
                    assert f" {endpoint.address[1]} " in server.local_description.sdp
                    await one.send(str(number))
                    assert await two.receive() == str(number)
                    await two.send(str(number))
                    assert await one.receive() == str(number)

    run(test)


def test_a_lite_server_that_is_only_on_loopback() -> None:
    """Checks reach it from other local addresses, too, with which loopback is not paired in advance."""

    async def test() -> None:
        with rtcore.Worker() as worker:
            endpoint = worker.bind("127.0.0.1")
            async with (
                rtcore.PeerConnection(worker=worker, endpoints=endpoint, ice_lite=True) as server,
                rtcore.PeerConnection(loopback=True) as client,
            ):
                one, two = await open_pair(client, server)
                await one.send("hello")
                assert await two.receive() == "hello"

    run(test)


def test_ports_and_addresses() -> None:
    async def test() -> None:
        async with pair(port_range=(47000, 47099), announced="203.0.113.9") as (a, _):
            a.create_data_channel("x")
            await a.set_local_description()
            await a.gathered()
            candidate = None
            async for event in a.events():
                if isinstance(event, rtcore.CandidateEvent):
                    candidate = event.candidate
                    break
            assert candidate is not None
            assert candidate.address == "203.0.113.9"
            assert 47000 <= candidate.port <= 47099

    run(test)


def test_a_worker_closed_under_its_connections() -> None:
    async def test() -> None:
        worker = rtcore.Worker()
        a, b = rtcore.PeerConnection(worker=worker, **LOOPBACK), rtcore.PeerConnection(**LOOPBACK)
        one, _ = await open_pair(a, b)
        worker.close()
        with pytest.raises(ConnectionError):
            await one.send(b"x")
        assert one.buffered_amount == 0
        await a.get_stats()
        await a.close()
        await b.closed()
        with rtcore.Worker() as another:
            async with rtcore.PeerConnection(worker=another, **LOOPBACK) as c, rtcore.PeerConnection() as d:
                await open_pair(c, d)

    run(test)


def test_signaling_over_a_stream() -> None:
    """With trickle: events go as they are, and what arrives is taken as it is."""

    async def test() -> None:
        met: asyncio.Queue[StreamSignaling] = asyncio.Queue()
        server = await asyncio.start_server(lambda *ends: met.put_nowait(StreamSignaling(*ends)), "127.0.0.1")
        streams = await asyncio.open_connection(*server.sockets[0].getsockname())
        sides = [StreamSignaling(*streams), await met.get()]

        async def listen(pc: rtcore.PeerConnection, signaling: StreamSignaling) -> None:
            while True:
                message = await signaling.receive()
                if not isinstance(message, rtcore.SessionDescription):
                    await pc.add_ice_candidate(message)
                    continue
                await pc.set_remote_description(message)
                if message.type == "offer":
                    await pc.set_local_description()
                    await signaling.send(pc.local_description)

        async with pair() as (a, b):
            tasks = [asyncio.ensure_future(listen(pc, side)) for pc, side in zip((a, b), sides, strict=True)]
            for pc, side in zip((a, b), sides, strict=True):
                pc.on("icecandidate", side.send)
            channel = a.create_data_channel("x")
            await a.set_local_description()
            await sides[0].send(a.local_description)
            await channel.opened()
            for task in tasks:
                task.cancel()
        for side in sides:
            side.close()
        server.close()
        await server.wait_closed()

    run(test)


def test_nothing_leaks() -> None:
    async def test() -> None:
        with rtcore.Worker() as worker:
            for _ in range(20):
                async with (
                    rtcore.PeerConnection(worker=worker, **LOOPBACK) as a,
                    rtcore.PeerConnection(worker=worker, **LOOPBACK) as b,
                ):
                    one, two = await open_pair(a, b)
                    await one.send(b"x")
                    await two.receive()
            stats = worker.stats()
            assert (stats["peers"], stats["sockets"]) == (0, 0)

    run(test)


# aiortc


@pytest.fixture
def aiortc_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


def to_aiortc(description: rtcore.SessionDescription) -> RTCSessionDescription:
    return RTCSessionDescription(sdp=description.sdp, type=description.type)


def from_aiortc(description: RTCSessionDescription) -> dict[str, str]:
    return {"type": description.type, "sdp": description.sdp}


@pytest.mark.parametrize("offerer", ["rtcore", "aiortc"])
@pytest.mark.usefixtures("aiortc_on_loopback")
def test_aiortc(offerer: str) -> None:
    async def test() -> None:
        theirs_pc = RTCPeerConnection()
        arrived = asyncio.get_running_loop().create_future()
        async with rtcore.PeerConnection(**LOOPBACK) as ours_pc:
            if offerer == "rtcore":
                ours = ours_pc.create_data_channel("chat")
                theirs_pc.once("datachannel", arrived.set_result)
                await ours_pc.set_local_description()
                await ours_pc.gathered()
                await theirs_pc.setRemoteDescription(to_aiortc(ours_pc.local_description))
                await theirs_pc.setLocalDescription(await theirs_pc.createAnswer())
                await ours_pc.set_remote_description(from_aiortc(theirs_pc.localDescription))
                theirs = await arrived
            else:
                theirs = theirs_pc.createDataChannel("chat")
                ours_pc.on("datachannel", arrived.set_result)
                await theirs_pc.setLocalDescription(await theirs_pc.createOffer())
                await ours_pc.set_remote_description(from_aiortc(theirs_pc.localDescription))
                await ours_pc.set_local_description()
                await ours_pc.gathered()
                await theirs_pc.setRemoteDescription(to_aiortc(ours_pc.local_description))
                ours = await arrived
            await ours_pc.connected()
            await ours.opened()
            received: asyncio.Queue[bytes | str] = asyncio.Queue()
            theirs.on("message", received.put_nowait)
            for message in ("text €", "", b"", b"bytes", random.randbytes(60_000)):
                await ours.send(message)
                assert await received.get() == message
                theirs.send(message)
                assert await ours.receive() == message
            theirs.close()
            await ours.closed()
            assert ours.error is None
            await theirs_pc.close()
            await ours_pc.closed()

    run(test)
