"""A server's way: all connections on one port, by a worker with a thread of its own, full ICE or lite."""

import asyncio
from contextlib import AsyncExitStack

import pytest

import rtcore
from benchmarks.peers.session import Open

COUNT = 5


@pytest.mark.parametrize("lite", [False, True], ids=["full", "lite"])
async def test_one_port(opened: Open, threaded_worker: rtcore.Worker, lite: bool) -> None:
    endpoint = threaded_worker.bind("127.0.0.1")
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(
                opened(worker=threaded_worker, endpoints=[endpoint], ice_lite=lite)
            )
            for _ in range(COUNT)
        ]
        pairs = await asyncio.gather(*(session.connect("them", mode="echo") for session in sessions))
        for number, (ours, _) in enumerate(pairs):
            await ours.send(f"connection {number}")
        for number, (ours, _) in enumerate(pairs):
            assert await ours.receive() == f"connection {number}"
        for session in sessions:
            stats = await session.pc.get_stats()
            (local,) = [entry for entry in stats.values() if entry["type"] == "local-candidate"]
            assert (local["address"], local["port"]) == endpoint.address
    endpoint.close()
