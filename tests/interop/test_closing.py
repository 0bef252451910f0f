"""Closing, from either side: what was sent arrives, and what was not closed goes on."""

import asyncio

import pytest

import rtcore
from benchmarks.peers.session import Open

COUNT = 20


async def test_channel_closed_here(opened: Open, by: str) -> None:
    async with opened() as session:
        other, _ = await session.connect(by)
        ours, theirs = await session.channel(by, "short")
        messages = [f"{i}" * 1000 for i in range(COUNT)]
        for message in messages:
            await ours.send(message)
        if not session.stack.drains:
            await theirs.until(lambda: len(theirs.messages) >= COUNT)
        await ours.close()
        await theirs.until(lambda: theirs.closed and len(theirs.messages) >= COUNT)
        assert ours.ready_state == "closed"
        assert theirs.messages == messages

        assert other.ready_state == "open"
        again, _ = await session.channel(by, "again", mode="echo")
        await again.send("as before")
        assert await again.receive() == "as before"


async def test_channel_closed_there(opened: Open, by: str) -> None:
    async with opened() as session:
        other, _ = await session.connect(by)
        ours, theirs = await session.channel(by, "short")
        messages = [f"{i}" * 1000 for i in range(COUNT)]
        for message in messages:
            await theirs.send(message)
        await theirs.close()
        assert [message async for message in ours] == messages
        assert ours.ready_state == "closed"
        assert ours.error is None
        await theirs.until(lambda: theirs.closed)
        assert other.ready_state == "open"


@pytest.mark.able("parts")
async def test_connection_closed_here(opened: Open, by: str) -> None:
    async with opened() as session:
        ours, theirs = await session.connect(by)
        await session.pc.close()
        assert session.pc.connection_state == "closed"
        assert ours.ready_state == "closed"
        await theirs.until(lambda: theirs.closed)


@pytest.mark.able("parts")
async def test_connection_closed_there(opened: Open, by: str) -> None:
    async with opened() as session:
        ours, _ = await session.connect(by)
        await session.remote.close()
        async with asyncio.timeout(10):
            await ours.closed()
        with pytest.raises(rtcore.ChannelClosedError):
            await ours.receive()
