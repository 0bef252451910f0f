"""Messages and channels of every kind, in both directions."""

import asyncio
import os
import re
from typing import Any

import pytest

import rtcore
from benchmarks.peers.session import Open
from benchmarks.peers.stacks import Stack


def every_kind(stack: Stack, largest: int) -> list[str | bytes]:
    characters = (0, 0x41, 0xE9, 0x20AC, 0x1D11E)  # one to four bytes of UTF-8
    return [
        "text",
        "".join(chr(each) for each in characters if each or stack.zeros),
        b"\x00\xffbinary",
        *(("", b"") if stack.empties else ()),
        os.urandom(1200),
        os.urandom(largest),
        "t" * largest,
        b"end",
    ]


async def test_kinds_there(opened: Open, by: str) -> None:
    async with opened() as session:
        ours, theirs = await session.connect(by)
        messages = every_kind(session.stack, session.largest)
        for message in messages:
            await ours.send(message)
        await theirs.until(lambda: len(theirs.messages) >= len(messages))
        assert theirs.messages == messages


async def test_kinds_here(opened: Open, by: str) -> None:
    async with opened() as session:
        ours, theirs = await session.connect(by)
        messages = every_kind(session.stack, session.largest)
        for message in messages:
            await theirs.send(message)
        assert [await ours.receive() for _ in messages] == messages


async def test_too_large_is_refused_here(opened: Open) -> None:
    """More than the other side takes never leaves, and the channel stays open."""
    async with opened() as session:
        ours, theirs = await session.connect()
        for limit in re.findall(r"^a=max-message-size:(\d+)", session.pc.remote_description.sdp, re.M):
            if int(limit) < 1 << 24:
                with pytest.raises(ValueError, match="too large"):
                    await ours.send(bytes(int(limit) + 1))
        await ours.send("still open")
        await theirs.until(lambda: theirs.messages)
        assert theirs.messages == ["still open"]


async def test_fifty_channels(opened: Open, by: str) -> None:
    count = 50
    async with opened(incoming="echo") as session:
        await session.connect(by)
        channels = [
            await session.channel("them" if i % 2 else "us", f"channel {i}", mode="echo")
            for i in range(count)
        ]
        assert len({ours.id for ours, _ in channels}) == count
        for ours, theirs in channels:
            assert theirs.id in (None, ours.id)

        async def echoed(ours: rtcore.DataChannel, text: str) -> None:
            await ours.send(text)
            assert await ours.receive() == text

        await asyncio.gather(*(echoed(ours, f"message {i}") for i, (ours, _) in enumerate(channels)))


async def test_negotiated(opened: Open) -> None:
    async with opened() as session:
        theirs = await session.remote.channel("agreed", negotiated=True, id=1000)
        ours = session.pc.create_data_channel("agreed", negotiated=True, id=1000)
        await session.offer()
        await ours.opened()
        await theirs.open()
        await ours.send("no word was said about it")
        await theirs.until(lambda: theirs.messages)
        assert theirs.messages == ["no word was said about it"]
        await theirs.send("indeed")
        assert await ours.receive() == "indeed"


@pytest.mark.able("non_ascii")
async def test_label_and_protocol(opened: Open, by: str) -> None:
    async with opened() as session:
        await session.connect(by)
        ours, theirs = await session.channel(by, "канал ☎", protocol="протокол/1")
        assert (ours.label, ours.protocol) == ("канал ☎", "протокол/1")
        assert (theirs.members["label"], theirs.members["protocol"]) == ("канал ☎", "протокол/1")


OPTIONS = {
    "ordered": {},
    "unordered": {"ordered": False},
    "retransmits": {"maxRetransmits": 5},
    "unordered-retransmits": {"ordered": False, "maxRetransmits": 0},
    "life-time": {"maxPacketLifeTime": 3000},
    "unordered-life-time": {"ordered": False, "maxPacketLifeTime": 3000},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_reliability(opened: Open, by: str, options: dict[str, Any]) -> None:
    """The other side sees the options, and where no packet is lost every message comes, both ways."""
    async with opened() as session:
        await session.connect(by)
        ours, theirs = await session.channel(by, "options", **options)
        expected = {"ordered": True, "maxRetransmits": None, "maxPacketLifeTime": None, **options}
        assert expected == {
            "ordered": ours.ordered,
            "maxRetransmits": ours.max_retransmits,
            "maxPacketLifeTime": ours.max_packet_life_time,
        }
        if by == "us" and session.stack.tells_options:
            unset = (None, 65535)
            assert theirs.members["ordered"] == expected["ordered"]
            for name in ("maxRetransmits", "maxPacketLifeTime"):
                assert theirs.members[name] == expected[name] or (
                    expected[name] is None and theirs.members[name] in unset
                )

        sent = [f"{i} ".encode() * 100 for i in range(100)]
        for message in sent:
            await ours.send(message)
        await theirs.until(lambda: len(theirs.messages) >= len(sent))
        for message in sent:
            await theirs.send(message)
        received = [await ours.receive() for _ in sent]
        if expected["ordered"]:
            assert theirs.messages == sent
            assert received == sent
        else:
            assert sorted(theirs.messages) == sorted(sent)
            assert sorted(received) == sorted(sent)
