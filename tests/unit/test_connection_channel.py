"""DataChannel over peers in memory: messages, back-pressure both ways, closing, errors."""

import asyncio
import gc
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fake_worker as fake
import rtcore
from fake_worker import channels, exchange, pair, peer_of, turns


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"label": b"x"}, TypeError, "label"),
        ({"label": "é" * 40_000}, ValueError, "65535 bytes"),
        ({"protocol": 1}, TypeError, "protocol"),
        ({"max_retransmits": 1, "max_packet_life_time": 1}, ValueError, "exclude"),
        ({"max_retransmits": -1}, ValueError, "0 to 65535"),
        ({"max_retransmits": 1.5}, TypeError, "int"),
        ({"max_packet_life_time": 65536}, ValueError, "0 to 65535"),
        ({"negotiated": True}, ValueError, "id"),
        ({"negotiated": True, "id": 65535}, ValueError, "0 to 65534"),
        ({"negotiated": True, "id": True}, TypeError, "int"),
        ({"priority": "urgent"}, ValueError, "very-low"),
        ({"priority": 5}, ValueError, "very-low"),
    ],
)
def test_wrong_options(worker: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    pc = rtcore.PeerConnection(worker=worker)
    with pytest.raises(error, match=words):
        pc.create_data_channel(**{"label": "x", **options})


def test_wrong_messages_before_it_opens(worker: Any) -> None:
    async def main() -> None:
        async with rtcore.PeerConnection(worker=worker) as pc:
            channel = pc.create_data_channel("x")
            with pytest.raises(TypeError):
                await asyncio.wait_for(channel.send(5), 5)  # type: ignore[arg-type]

    asyncio.run(main())


def test_options_reach_both_ends(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            arrived: asyncio.Future[rtcore.DataChannel] = asyncio.get_running_loop().create_future()
            b.on("datachannel", arrived.set_result)
            one = a.create_data_channel(
                "grüße", protocol="proto", ordered=False, max_retransmits=3, priority="high", id=7
            )
            assert one.id is None, "an id is for negotiated channels only (W3C)"
            await exchange(a, b)
            await one.opened()
            two = await arrived
            for channel in (one, two):
                assert (channel.label, channel.protocol, channel.ordered) == ("grüße", "proto", False)
                assert (channel.max_retransmits, channel.max_packet_life_time) == (3, None)
                assert (channel.priority, channel.negotiated) == ("high", False)
                assert channel.ready_state == "open"
                assert channel.id == 1, "the offerer is the DTLS server: odd ids"

    asyncio.run(main())


def test_negotiated(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            one = a.create_data_channel("one", negotiated=True, id=5)
            two = b.create_data_channel("two", negotiated=True, id=5)
            with pytest.raises(rtcore.OperationError, match="taken"):
                a.create_data_channel("other", negotiated=True, id=5)
            assert one.id == 5
            await exchange(a, b)
            await asyncio.gather(one.opened(), two.opened())
            await one.send("hello")
            assert await two.receive() == "hello"
            with pytest.raises(rtcore.OperationError, match="in use"):
                a.create_data_channel("other", negotiated=True, id=5)

    asyncio.run(main())


MESSAGES = [b"bytes", "string", b"", "", "grüße €", b"x" * 60_000, bytearray(b"array"), memoryview(b"view")]


def test_messages(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            for message in MESSAGES:
                await one.send(message)
                received = await two.receive()
                assert received == message
                assert type(received) is (str if isinstance(message, str) else bytes)
            one.send_nowait(b"now")
            assert await anext(two) == b"now"

    asyncio.run(main())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=9000) | st.text(max_size=3000), max_size=60), st.booleans())
def test_everything_consumed_is_released(messages: list[bytes | str], by_handler: bool) -> None:
    """The receive window gets back exactly what was taken from it, once the reader waits."""

    async def main(worker: Any) -> None:
        async with channels(worker) as (one, two):
            received: list[bytes | str] = []
            if by_handler:
                two.on("message", received.append)

            async def read() -> None:
                received.extend([await two.receive() for _ in messages])

            reading = asyncio.ensure_future(asyncio.sleep(0) if by_handler else read())
            for message in messages:
                await one.send(message)
            await reading
            await turns(200)
            assert received == messages
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await two.receive()
            assert one._transport.peer.outstanding == 0

    with pytest.MonkeyPatch.context() as monkeypatch, fake.installed(monkeypatch) as worker:
        asyncio.run(main(worker))


def test_replaced_bytes_are_released_as_they_came(worker: Any) -> None:
    """What is not UTF-8 becomes U+FFFD, which is longer than it was."""

    async def main() -> None:
        async with channels(worker) as (one, two):
            for by_handler in (False, True):
                if by_handler:
                    two.on("message", lambda message: None)
                one._transport.peer.outstanding += 3
                two._transport.peer.happens("on_message", two._handle, "\ufffd\ufffd\ufffd", 3)
                await turns()
                if not by_handler:
                    assert await two.receive() == "\ufffd\ufffd\ufffd"
                two._transport.release()
                assert one._transport.peer.outstanding == 0

    asyncio.run(main())


def test_messages_are_diverted(worker: Any) -> None:
    """To one function, which takes those that wait first; and all of them are released."""

    async def main() -> None:
        async with channels(worker) as (one, two):
            received: list[tuple[bytes | str, int]] = []

            def take(message: bytes | str, charge: int) -> bool:
                received.append((message, charge))
                return True

            for message in (b"first", "zweite é", b""):
                one.send_nowait(message)
            await turns(20)
            two.divert(take)
            assert received == [(b"first", 5), ("zweite é", 9), (b"", 1)]
            one.send_nowait(b"later")
            await turns(20)
            assert received[3:] == [(b"later", 5)]
            assert one._transport.peer.outstanding == 0
            one.close_nowait()
            assert one.ready_state == "closing"
            one.close_nowait()
            await two.closed()

    asyncio.run(main())


def test_diverted_before_it_opens(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            received: list[bytes | str] = []
            one, two = (pc.create_data_channel("x", negotiated=True, id=3) for pc in (a, b))
            two.divert(lambda message, charge: not received.append(message))
            await exchange(a, b)
            await one.send("x")
            await turns(20)
            assert received == ["x"]

    asyncio.run(main())


def test_a_slow_reader_stops_the_sender(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            sent = 0

            async def send() -> None:
                nonlocal sent
                for number in range(100):
                    await one.send(number.to_bytes(4, "big") * 1000)
                    sent += 1

            sending = asyncio.ensure_future(send())
            await turns(50)
            held = sent
            assert held <= fake.BUFFER // 4000
            with pytest.raises(BlockingIOError):
                one.send_nowait(b"x")
            received = [await two.receive() for _ in range(100)]
            await sending
            assert [int.from_bytes(message[:4], "big") for message in received] == list(range(100))

    asyncio.run(main())


async def fill(channel: rtcore.DataChannel) -> None:
    """The send buffer, but for less than the 8,000 bytes of each message."""
    for _ in range(fake.BUFFER // 8000):
        channel.send_nowait(bytes(8000))
    with pytest.raises(BlockingIOError):
        channel.send_nowait(bytes(8000))


def test_waiting_senders_keep_their_order(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            await fill(one)
            senders = [asyncio.ensure_future(one.send(bytes([number]) * 8000)) for number in range(1, 21)]
            await turns()
            senders[3].cancel()
            expected = [number for number in range(1, 21) if number != 4]
            received: list[int] = []
            async with asyncio.timeout(5):
                while len(received) < len(expected):
                    message = await two.receive()
                    if message[0]:
                        received.append(message[0])
            assert received == expected
            await asyncio.gather(*senders, return_exceptions=True)
            assert senders[3].cancelled()
            assert not one._queued

    asyncio.run(main())


def test_a_cancelled_turn_is_passed_on(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            await fill(one)
            first = asyncio.ensure_future(one.send(b"1" * 8000))
            second = asyncio.ensure_future(one.send(b"2" * 8000))
            await turns()
            two._transport.consumed += 8000 * 4
            two._transport.release()
            worker.run()  # room: the turn is the first one's
            first.cancel()
            async with asyncio.timeout(5):
                await second
            assert first.cancelled()

    asyncio.run(main())


def test_senders_find_out_that_the_channel_closed(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            await fill(one)
            waiting = asyncio.ensure_future(one.send(bytes(8000)))
            await turns()
            assert not waiting.done()
            await two.close()
            with pytest.raises(rtcore.ChannelClosedError):
                await waiting
            with pytest.raises(rtcore.ChannelClosedError):
                await one.send(b"y")
            with pytest.raises(rtcore.ChannelClosedError):
                one.send_nowait(b"y")

    asyncio.run(main())


def test_send_waits_for_open(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            channel = a.create_data_channel("x")
            with pytest.raises(rtcore.InvalidStateError, match="not open yet"):
                channel.send_nowait(b"x")
            sending = asyncio.ensure_future(channel.send(b"early"))
            arrived: asyncio.Future[rtcore.DataChannel] = asyncio.get_running_loop().create_future()
            b.on("datachannel", arrived.set_result)
            await exchange(a, b)
            await sending
            assert await (await arrived).receive() == b"early"

    asyncio.run(main())


def test_the_loop_gets_its_turn(worker: Any) -> None:
    """A sender that never has to wait does not starve the others."""

    async def main() -> None:
        async with channels(worker) as (one, _):
            turned = False

            def turn() -> None:
                nonlocal turned
                turned = True

            asyncio.get_running_loop().call_soon(turn)
            count = 0
            while not turned:
                await one.send(b"")
                count += 1
            assert count < 1000

    asyncio.run(main())


def test_wrong_messages(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            with pytest.raises(ValueError, match="large"):
                await one.send(bytes(1024 * 1024 + 1))
            for wrong in (1, None, ["x"]):
                with pytest.raises(TypeError):
                    await one.send(wrong)  # type: ignore[arg-type]
            await one.send(b"still works")
            assert await two.receive() == b"still works"

    asyncio.run(main())


def test_one_reader(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            first = asyncio.ensure_future(two.receive())
            await turns()
            with pytest.raises(RuntimeError, match="another task"):
                await two.receive()
            await one.send(b"x")
            assert await first == b"x"

    asyncio.run(main())


def test_handlers_get_what_waited(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            await one.send(b"before")
            await turns()
            seen: list[bytes | str] = []

            @two.on("message")
            def take(message: bytes | str) -> None:
                seen.append(message)

            await one.send("after")
            await turns()
            assert seen == [b"before", "after"]
            two.off("message", take)
            await one.send(b"queued")
            assert await two.receive() == b"queued"

    asyncio.run(main())


@pytest.mark.parametrize("when", ["before", "open"])
def test_an_empty_buffer_is_heard_of(worker: Any, when: str) -> None:
    """The threshold is 0 unless it is set; a peer that nobody listens to tells nothing."""

    async def main() -> None:
        async with pair(worker) as (a, b):
            one, other = a.create_data_channel("x"), a.create_data_channel("unheard")
            heard: list[str] = []
            if when == "before":
                one.on("bufferedamountlow", lambda: heard.append("low"))
            await exchange(a, b)
            await one.opened()
            await other.opened()
            if when == "open":
                one.on("bufferedamountlow", lambda: heard.append("low"))
            assert peer_of(a).thresholds == {one._handle: 0}
            peer_of(a).happens("on_buffered_amount_low", one._handle)
            await turns()
            assert heard == ["low"]

    asyncio.run(main())


def test_channel_events(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            one = a.create_data_channel("x")
            seen: list[str] = []
            for name in ("open", "closing", "close", "bufferedamountlow"):
                one.on(name, lambda name=name: seen.append(name))
            one.on("error", seen.append)
            arrived: asyncio.Future[rtcore.DataChannel] = asyncio.get_running_loop().create_future()
            b.on("datachannel", arrived.set_result)
            await exchange(a, b)
            two = await arrived
            await one.opened()
            one.buffered_amount_low_threshold = 100
            assert peer_of(a).thresholds == {one._handle: 100}
            peer_of(a).happens("on_buffered_amount_low", one._handle)
            await turns()
            await two.close()
            await one.closed()
            assert seen == ["open", "bufferedamountlow", "closing", "close"]
            with pytest.raises(ValueError, match="threshold"):
                one.buffered_amount_low_threshold = -1

    asyncio.run(main())


def test_low_threshold_before_open(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            channel = a.create_data_channel("x")
            channel.buffered_amount_low_threshold = 5
            assert channel.buffered_amount == 0
            await exchange(a, b)
            await channel.opened()
            assert peer_of(a).thresholds == {channel._handle: 5}

    asyncio.run(main())


def test_close(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            for number in range(5):
                await one.send(str(number))
            async with one:
                pass
            await one.close()
            assert one.ready_state == "closed"
            assert [message async for message in two] == ["0", "1", "2", "3", "4"]
            await two.closed()
            assert (one.error, two.error) == (None, None)
            with pytest.raises(rtcore.ChannelClosedError):
                await two.receive()
            with pytest.raises(EOFError):
                await two.receive()
            assert one._transport.channels_closed == two._transport.channels_closed == 1
            assert peer_of(one._transport._connection).channels == {}

    asyncio.run(main())


def test_close_does_not_wait_for_ever(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["rtcore.connection.channel"], "CLOSE_TIMEOUT", 0.01)
    monkeypatch.setattr(fake.FakePeer, "close_channel", lambda self, handle: None)

    async def main() -> None:
        async with channels(worker) as (one, _):
            await one.close()
            assert one.ready_state == "closing"

    asyncio.run(main())


def test_close_before_open(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            early = a.create_data_channel("early")
            other = a.create_data_channel("other")
            await early.close()
            assert early.ready_state == "closed"
            await exchange(a, b)
            await other.opened()
            assert len(peer_of(a).channels) == 1
            assert a._transport.channels_closed == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (("on_channel_closed", 0xFFFE, "too many"), rtcore.OperationError),
        (("on_sctp_closed", 0xFFFF, "timed out"), rtcore.ConnectionFailedError),
        (("on_dtls_state", "failed", "alert"), rtcore.ConnectionFailedError),
    ],
)
def test_failures_reach_the_reader(worker: Any, event: tuple[Any, ...], error: type[Exception]) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            seen: list[Exception] = []
            two.on("error", seen.append)
            await one.send(b"before")
            reading = asyncio.ensure_future(read(two))
            await turns()
            peer = two._transport.peer
            name, *values = event
            peer.happens(name, *([two._handle] if name == "on_channel_closed" else []), *values)
            messages, raised = await reading
            assert messages == [b"before"]
            assert isinstance(raised, rtcore.ChannelClosedError)
            assert isinstance(raised.__cause__, error)
            assert [type(e) for e in seen] == [error]
            assert type(two.error) is error

    async def read(channel: rtcore.DataChannel) -> tuple[list[bytes | str], Exception | None]:
        messages = []
        try:
            async for message in channel:
                messages.append(message)
        except rtcore.ChannelClosedError as error:
            return messages, error
        return messages, None

    asyncio.run(main())


def test_the_other_end_aborts(worker: Any) -> None:
    """A user-initiated abort (RFC 9260 section 3.3.10.12) is a close, not a failure."""

    async def main() -> None:
        async with channels(worker) as (_, two):
            two._transport.peer.happens("on_sctp_closed", 12, "")
            assert [message async for message in two] == []
            assert two.error is None

    asyncio.run(main())


def test_abandoned_messages_free_the_window(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            one = a.create_data_channel("x")
            b.on("datachannel", lambda channel: None)
            await exchange(a, b)
            await one.opened()
            for _ in range(5):
                await one.send(bytes(1000))
            await one.close()
            await turns()
            gc.collect()
            await turns()
            assert peer_of(a).outstanding == 0

    asyncio.run(main())
