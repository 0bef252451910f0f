"""The other side dies without a word."""

import asyncio

import pytest

from benchmarks.peers.process import start
from benchmarks.peers.session import Open
from benchmarks.peers.stacks import Stack


async def test_killed(opened: Open, stack: Stack) -> None:
    """`disconnected`, then `failed`; and everything that the connection held is given back."""
    states: list[str] = []
    failed = asyncio.Event()
    async with (
        await start(stack) as remote,
        opened(remote, disconnected_timeout=0.5, failed_timeout=2.0) as session,
    ):
        ours, _ = await session.connect()
        await session.pc.connected()
        session.pc.on("connectionstatechange", states.append)
        session.pc.on("connectionstatechange", lambda state: state == "failed" and failed.set())
        remote.kill()
        await ours.send(b"into the void")
        async with asyncio.timeout(20):
            await failed.wait()
        assert states == ["disconnected", "failed"]
        with pytest.raises(ConnectionError):
            await session.pc.connected()
