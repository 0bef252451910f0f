"""What `rtcore.aiortc` makes only when it is asked for: nobody can tell, and nothing outlives its use."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Generic, TypeVar

import pytest
from pyee.asyncio import AsyncIOEventEmitter

import rtcore
import rtcore.aiortc
from aiortc_sides import connect, each, live, paired, peer, until
from rtcore.aiortc._emitter import Emitter

T = TypeVar("T")


class Typed(Emitter, Generic[T]):
    """As programs derive theirs."""


def test_an_emitter_without_listeners_has_nothing() -> None:
    emitter: Typed[int] = Typed()
    assert isinstance(emitter, AsyncIOEventEmitter)
    assert not emitter.emit("event")
    emitter.remove_all_listeners()
    emitter.remove_all_listeners("event")
    emitter.cancel()
    assert (emitter.listeners("event"), emitter.event_names(), emitter.complete) == ([], set(), True)
    assert vars(emitter) == {}
    with pytest.raises(KeyError, match="lost"):
        emitter.emit("error", KeyError("lost"))


def test_emitters_share_no_listener() -> None:
    heard: list[tuple[str, int]] = []
    one, other = Typed[int](), Typed[int]()
    one.on("event", lambda value: heard.append(("one", value)))
    assert not other.emit("event", 1)
    other.once("event", lambda value: heard.append(("other", value)))
    assert [one.emit("event", 2), other.emit("event", 3), other.emit("event", 4)] == [True, True, False]
    assert heard == [("one", 2), ("other", 3)]
    assert Typed[int]().event_names() == set()


def test_the_first_listener_on_any_thread() -> None:
    """Of many threads at once, none is lost."""
    for _ in range(20):
        emitter = Emitter()
        threads = [Thread(target=emitter.on, args=("event", lambda: None)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(emitter.listeners("event")) == 8


@live
async def test_a_coroutine_as_the_first_listener() -> None:
    emitter, done = Emitter(), asyncio.Event()

    async def hear() -> None:
        done.set()

    emitter.on("event", hear)
    emitter.emit("event")
    assert not emitter.complete
    await emitter.wait_for_complete()
    assert done.is_set()


def states(pc: Any) -> list[str]:
    dtls = pc.sctp.transport
    ice = dtls.transport
    return [pc.sctp.state, dtls.state, ice.state, ice.role, ice.iceGatherer.state]


@each
@live
async def test_transports_asked_late(module: Any) -> None:
    """What is asked first at the end says what was asked all the time."""
    early, late = peer(module), peer(module)
    channel = early.createDataChannel("chat")
    assert states(early)[:3] == ["new", "new", "new"]
    heard: list[str] = []
    early.sctp.transport.on("statechange", lambda: heard.append(early.sctp.transport.state))
    await connect((module, module), early, late)
    await until(lambda: channel.readyState == "open")
    await until(lambda: late.connectionState == "connected")
    assert heard == ["connecting", "connected"]
    assert states(early) == ["connected", "connected", "completed", "controlling", "completed"]
    assert states(late) == ["connected", "connected", "completed", "controlled", "completed"]
    transport = late.sctp.transport
    assert transport is late.sctp.transport
    assert transport.transport is transport.transport
    transport.on("statechange", lambda: heard.append(f"late {transport.state}"))
    transport.transport.on("statechange", lambda: heard.append(f"late ice {transport.transport.state}"))
    await late.close()
    assert sorted(heard[2:4]) == ["late closed", "late ice closed"]
    await early.close()
    assert states(early)[:3] == states(late)[:3] == ["closed", "closed", "closed"]


@each
@live
async def test_transports_asked_after_the_end(module: Any) -> None:
    one, other = peer(module), peer(module)
    channel = one.createDataChannel("chat")
    await connect((module, module), one, other)
    await until(lambda: channel.readyState == "open")
    await one.close()
    await other.close()
    assert states(one)[:3] == states(other)[:3] == ["closed", "closed", "closed"]


@each
@live
async def test_senders_and_receivers_asked_late(module: Any) -> None:
    """Of a connection in use, and of one that has ended."""
    one, other = peer(module), peer(module)
    track = module.AudioStreamTrack()
    transceiver = one.addTransceiver(track)
    one.addTransceiver("video")
    await connect((module, module), one, other)
    await until(lambda: other.connectionState == "connected")
    assert transceiver.sender is one.getSenders()[0]
    assert [sender.track for sender in one.getSenders()] == [track, None]
    assert [receiver.track.readyState for receiver in other.getReceivers()[:1]] == ["live"]
    assert other.getTransceivers()[0].receiver is other.getReceivers()[0]
    await one.close()
    await other.close()
    assert [receiver.track.kind for receiver in other.getReceivers()] == ["audio", "video"]
    for receiver in other.getReceivers():
        with pytest.raises(module.mediastreams.MediaStreamError):
            await asyncio.wait_for(receiver.track.recv(), 5)
        assert receiver.track.readyState == "ended"
    track.stop()


@live
async def test_a_sender_asked_after_the_end_sends_nothing() -> None:
    """aiortc's says by its transport that it is closed."""
    one = peer(rtcore.aiortc)
    transceiver = one.addTransceiver("audio")
    await one.close()
    track = rtcore.aiortc.AudioStreamTrack()
    transceiver.sender.replaceTrack(track)
    assert transceiver.sender.track is None
    assert (transceiver.sender.transport.state, track.readyState) == ("closed", "live")


@each
@live
async def test_all_share_one_transport(module: Any) -> None:
    one, other = peer(module), peer(module)
    channel = one.createDataChannel("chat")
    transceiver = one.addTransceiver("audio")
    assert one.sctp.mid is None
    await connect((module, module), one, other)
    await until(lambda: channel.readyState == "open")
    assert channel.transport is one.sctp
    assert f"a=mid:{one.sctp.mid}\r\n" in one.localDescription.sdp.partition("m=application")[2]
    assert {transceiver.mid, one.sctp.mid} == {"0", "1"}
    assert other.sctp.mid == one.sctp.mid
    assert transceiver.sender.transport is transceiver.receiver.transport is one.sctp.transport
    await one.close()
    await other.close()


@each
@live
async def test_the_sctp_transport_tells_of_channels(module: Any) -> None:
    """After the connection does."""
    one, other = peer(module), peer(module)
    heard: list[tuple[str, Any]] = []
    one.createDataChannel("first", negotiated=True, id=0)
    assert one.sctp is not None
    other.createDataChannel("first", negotiated=True, id=0)
    other.on("datachannel", lambda channel: heard.append(("connection", channel)))
    other.sctp.on("datachannel", lambda channel: heard.append(("sctp", channel)))
    await connect((module, module), one, other)
    one.createDataChannel("second")
    await until(lambda: len(heard) == 2)
    assert [name for name, _ in heard] == ["connection", "sctp"]
    assert heard[0][1] is heard[1][1]
    assert heard[0][1].transport is other.sctp
    await one.close()
    await other.close()


@paired
@live
async def test_handlers_of_messages_change(sides: tuple[Any, Any]) -> None:
    """Each message goes to those that are there when it arrives."""
    one, other = peer(sides[0]), peer(sides[1])
    arrived: list[Any] = []
    other.on("datachannel", arrived.append)
    channel = one.createDataChannel("chat")
    await connect(sides, one, other)
    await until(lambda: channel.readyState == "open" and arrived)
    (theirs,) = arrived
    heard: list[tuple[str, Any]] = []

    def first(message: Any) -> None:
        heard.append(("first", message))

    async def second(message: Any) -> None:
        heard.append(("second", message))

    def first_again(message: Any) -> None:
        theirs.remove_listener("message", first_again)
        heard.append(("again", message))

    async def sent(message: str, count: int) -> list[str]:
        before = len(heard)
        channel.send(message)
        await until(lambda: len(heard) == before + count)
        assert {what for _, what in heard[before:]} == {message}
        return [name for name, _ in heard[before:]]

    theirs.on("message", first)
    assert await sent("one", 1) == ["first"]
    theirs.on("message", second)
    assert await sent("two", 2) == ["first", "second"]
    theirs.remove_listener("message", first)
    assert await sent("only the other", 1) == ["second"]
    theirs.remove_all_listeners("message")
    theirs.on("message", first_again)
    theirs.once("message", first)
    assert await sent("both", 2) == ["again", "first"]
    theirs.on("message", first)
    assert await sent("once more", 1) == ["first"]
    theirs.remove_all_listeners()
    theirs.on("message", first)
    assert await sent("anew", 1) == ["first"]
    await one.close()
    await other.close()


@contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def closed_pair() -> list[weakref.ref[Any]]:
    """Of two connections with a channel, and of that."""
    sides = (rtcore.aiortc, rtcore.aiortc)
    one, other = peer(sides[0]), peer(sides[1])
    arrived: list[Any] = []
    other.on("datachannel", arrived.append)
    channel = one.createDataChannel("chat")
    channel.on("message", arrived.append)
    channel.on("bufferedamountlow", arrived.clear)
    await connect(sides, one, other)
    await until(lambda: channel.readyState == "open" and arrived)
    await one.close()
    await other.close()
    return [weakref.ref(part) for part in (one, other, channel, arrived[0])]


@live
async def test_what_is_closed_is_gone() -> None:
    """Without the collector: as soon as the program forgets it."""
    with no_collector():
        held = await closed_pair()
        await asyncio.sleep(0)  # what close() has scheduled
        assert [ref() for ref in held] == [None] * 4


async def plain_pair() -> None:
    one, other = rtcore.PeerConnection(), rtcore.PeerConnection()
    channel = one.create_data_channel("chat")
    await one.set_local_description(await one.create_offer())
    await one.gathered()
    await other.set_remote_description(one.local_description)
    await other.set_local_description(await other.create_answer())
    await other.gathered()
    await one.set_remote_description(other.local_description)
    await channel.opened()
    await one.close()
    await other.close()


async def layer_pair() -> None:
    sides = (rtcore.aiortc, rtcore.aiortc)
    one, other = peer(sides[0]), peer(sides[1])
    channel = one.createDataChannel("chat")
    await connect(sides, one, other)
    await until(lambda: channel.readyState == "open")
    await one.close()
    await other.close()


@live
async def test_the_layer_leaves_the_collector_no_more() -> None:
    """Than rtcore's own names do."""
    left: dict[str, int] = {}
    with no_collector():
        for _ in range(2):  # the first time loads what stays
            for pair in (plain_pair, layer_pair):
                for _ in range(3):
                    await pair()
                await asyncio.sleep(0)
                left[pair.__name__] = gc.collect()
    assert 0 < left["layer_pair"] <= left["plain_pair"]
