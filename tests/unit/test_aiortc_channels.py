"""`rtcore.aiortc` data channels, each script run on aiortc as well, and on both together."""

from typing import Any

import pytest

import rtcore
import rtcore.aiortc
from aiortc_sides import connect, each, live, paired, peer, until


@paired
@live
async def test_messages_are_echoed(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    channel = one.createDataChannel("chat", protocol="echo")
    heard: list[Any] = []

    @other.on("datachannel")
    def arrived(theirs: Any) -> None:
        assert (theirs.label, theirs.protocol, theirs.readyState) == ("chat", "echo", "open")

        @theirs.on("message")
        def echo(message: Any) -> None:
            theirs.send(message)

    @channel.on("open")
    def opened() -> None:
        for message in ("text", b"bytes", "", b"", "\u00e4\u20ac"):
            channel.send(message)

    channel.on("message", heard.append)
    await connect(sides, one, other)
    await until(lambda: len(heard) == 5)
    assert heard == ["text", b"bytes", "", b"", "\u00e4\u20ac"]
    assert channel.bufferedAmount == 0
    await one.close()
    await until(lambda: other.connectionState == "closed")
    assert channel.readyState == "closed"
    await other.close()


async def opened(sides: tuple[Any, Any]) -> tuple[Any, Any, Any, Any]:
    """Two connections, and a channel as both see it."""
    one, other = peer(sides[0]), peer(sides[1])
    theirs: list[Any] = []
    other.on("datachannel", theirs.append)
    channel = one.createDataChannel("chat")
    await connect(sides, one, other)
    await until(lambda: channel.readyState == "open" and theirs)
    return one, other, channel, theirs[0]


@paired
@live
async def test_the_low_event_paces_a_sender(sides: tuple[Any, Any]) -> None:
    """As programs that send files do: pieces as long as the buffer is low, and on each event."""
    one, other, channel, theirs = await opened(sides)
    pieces = [number.to_bytes(4, "big") * 4000 for number in range(200)]
    heard: list[bytes] = []
    theirs.on("message", heard.append)
    waiting = list(pieces)
    largest = 0

    @channel.on("bufferedamountlow")
    def send_on() -> None:
        nonlocal largest
        while waiting and channel.bufferedAmount <= channel.bufferedAmountLowThreshold:
            channel.send(waiting.pop(0))
            largest = max(largest, channel.bufferedAmount)

    channel.bufferedAmountLowThreshold = 20000
    assert channel.bufferedAmountLowThreshold == 20000
    send_on()
    await until(lambda: len(heard) == len(pieces))
    assert heard == pieces
    assert largest <= 20000 + len(pieces[0])
    await until(lambda: channel.bufferedAmount == 0)
    await one.close()
    await other.close()


@paired
@live
async def test_one_piece_for_each_low_event(sides: tuple[Any, Any]) -> None:
    one, other, channel, theirs = await opened(sides)
    heard: list[bytes] = []
    theirs.on("message", heard.append)
    pieces = [bytes([number]) * 50000 for number in range(20)]
    waiting = list(pieces)
    channel.on("bufferedamountlow", lambda: waiting and channel.send(waiting.pop(0)))
    channel.send(waiting.pop(0))
    await until(lambda: len(heard) == len(pieces))
    assert heard == pieces
    await one.close()
    await other.close()


@paired
@live
async def test_more_than_the_send_buffer(sides: tuple[Any, Any]) -> None:
    """A program that does not look at bufferedAmount: everything waits, arrives in order, and is told of."""
    one, other, channel, theirs = await opened(sides)
    heard: list[Any] = []
    theirs.on("message", heard.append)
    sent: list[Any] = [number.to_bytes(4, "big") * 15000 for number in range(200)]
    sent[100] = "text between"
    low: list[int] = []
    channel.on("bufferedamountlow", lambda: low.append(channel.bufferedAmount))
    channel.bufferedAmountLowThreshold = 6_000_000
    for message in sent:
        channel.send(message)
    size = sum(len(message) for message in sent)
    assert 0.9 * size < channel.bufferedAmount <= size
    channel.close()
    assert channel.readyState == "closing"
    with pytest.raises(sides[0].InvalidStateError):
        channel.send("too late")
    await until(lambda: channel.readyState == "closed" and theirs.readyState == "closed")
    assert heard == sent
    assert len(low) == 1
    assert low[0] <= 6_000_000
    assert channel.bufferedAmount == 0
    await one.close()
    await other.close()


@live
async def test_the_backlog_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = (rtcore.aiortc, rtcore.aiortc)
    one, other, channel, _ = await opened(sides)
    monkeypatch.setattr(rtcore.aiortc.rtcdatachannel, "MAX_BACKLOG", 100_000)

    def flood() -> None:
        for _ in range(100):
            channel.send(bytes(60_000))

    with pytest.raises(rtcore.OperationError, match="bufferedAmount"):
        flood()
    before = channel.bufferedAmount
    await other.close()
    await until(lambda: channel.readyState == "closed")
    assert before > 4_000_000
    assert channel.bufferedAmount == 0
    await one.close()


@paired
@live
async def test_what_cannot_be_sent(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    channel = one.createDataChannel("chat")
    assert channel.readyState == "connecting"
    with pytest.raises(sides[0].InvalidStateError):
        channel.send("early")
    await connect(sides, one, other)
    await until(lambda: channel.readyState == "open")
    with pytest.raises(ValueError):  # noqa: PT011
        channel.send(1)
    with pytest.raises(ValueError):  # noqa: PT011
        channel.send(bytes(2_000_000))
    for value in (-1, 2**32):
        with pytest.raises(ValueError, match="bufferedAmountLowThreshold"):
            channel.bufferedAmountLowThreshold = value
    closed: list[str] = []
    channel.on("close", lambda: closed.append(channel.readyState))
    channel.close()
    channel.close()
    with pytest.raises(sides[0].InvalidStateError):
        channel.send("late")
    await until(lambda: closed)
    assert closed == ["closed"]
    assert channel.listeners("close") == []
    await one.close()
    await other.close()


@each
@live
async def test_a_channel_that_never_opened(module: Any) -> None:
    pc = peer(module)
    channel = pc.createDataChannel("chat")
    closed: list[str] = []
    channel.on("close", lambda: closed.append(channel.readyState))
    channel.close()
    assert closed == ["closed"]
    assert pc.sctp.state == "new"
    await pc.close()


@paired
@live
async def test_what_channels_are_made_with(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    arrived: dict[str, Any] = {}
    other.on("datachannel", lambda channel: arrived.__setitem__(channel.label, channel))
    made = [
        one.createDataChannel("lifetime", maxPacketLifeTime=500, ordered=False, protocol="p"),
        one.createDataChannel("retransmits", maxRetransmits=0),
        one.createDataChannel("reliable"),
    ]
    ours = one.createDataChannel("agreed", negotiated=True, id=20)
    theirs = other.createDataChannel("agreed", negotiated=True, id=20)
    await connect(sides, one, other)
    await until(lambda: len(arrived) == 3 and ours.readyState == theirs.readyState == "open")
    await until(lambda: all(channel.readyState == "open" for channel in made))
    names = ("label", "protocol", "ordered", "maxPacketLifeTime", "maxRetransmits", "negotiated", "id")
    for channel in made:
        partner = arrived[channel.label]
        assert [getattr(channel, name) for name in names] == [getattr(partner, name) for name in names]
        assert partner.transport is other.sctp
    assert (ours.id, ours.negotiated) == (20, True)
    heard: list[str] = []
    theirs.on("message", heard.append)
    ours.send("between agreed ones")
    await until(lambda: heard)
    assert one.sctp.maxChannels == other.sctp.maxChannels == 65535
    assert (one.sctp.port, one.sctp.state, other.sctp.state) == (5000, "connected", "connected")
    assert one.sctp.transport.state == "connected"
    assert one.sctp.transport.transport.state == "completed"
    await one.close()
    await other.close()


@paired
@live
async def test_a_coroutine_hears_of_the_channel(sides: tuple[Any, Any]) -> None:
    """What came in one burst with the channel waits for the handler that a coroutine adds."""
    one, other = peer(sides[0]), peer(sides[1])
    heard: list[Any] = []

    @other.on("datachannel")
    async def arrived(channel: Any) -> None:
        @channel.on("message")
        async def message(text: Any) -> None:
            heard.append(text)

    channel = one.createDataChannel("chat")
    channel.on("open", lambda: [channel.send(str(number)) for number in range(10)])
    await connect(sides, one, other)
    await until(lambda: len(heard) == 10)
    assert heard == [str(number) for number in range(10)]
    await one.close()
    await other.close()


@live
async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody hears is dropped in the end, and does not stop what others hear."""
    monkeypatch.setattr(rtcore.aiortc.rtcdatachannel, "HOLD", 0.05)
    sides = (rtcore.aiortc, rtcore.aiortc)
    one, other, channel, _ = await opened(sides)
    received: list[Any] = []
    other.on("datachannel", lambda second: second.on("message", received.append))
    for _ in range(150):
        channel.send(bytes(60_000))
    second = one.createDataChannel("heard")
    second.on("open", lambda: second.send("through"))
    await until(lambda: received == ["through"] and channel.bufferedAmount == 0)
    await one.close()
    await other.close()


@live
async def test_the_size_of_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs set USERDATA_MAX_LENGTH for networks with a small MTU."""
    monkeypatch.setattr(rtcore.aiortc.rtcsctptransport, "USERDATA_MAX_LENGTH", 700)
    sides = (rtcore.aiortc, rtcore.aiortc)
    one, other, channel, theirs = await opened(sides)
    heard: list[Any] = []
    theirs.on("message", heard.append)
    channel.send(bytes(50_000))
    await until(lambda: heard)
    carried = one._connection._transport.native_stats()["sctp"]
    assert carried["mtu"] <= 700 + 12 + 16
    await one.close()
    await other.close()
