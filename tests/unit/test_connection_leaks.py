"""Connections come and go, and leave nothing behind: memory, descriptors, objects, peers of a worker."""

import asyncio
import gc
import os
import sys

import pytest

import rtcore

WARM_UP, ROUNDS = 200, 1000
PAGE = os.sysconf("SC_PAGE_SIZE")

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def come_and_go(worker: rtcore.Worker | None) -> None:
    left, right = (rtcore.PeerConnection(worker=worker, interfaces=["127.0.0.1"]) for _ in range(2))
    async with left, right:
        channel = left.create_data_channel("short")
        await left.set_local_description()
        await left.gathered()
        await right.set_remote_description(left.local_description)
        await right.set_local_description()
        await right.gathered()
        await left.set_remote_description(right.local_description)
        await channel.opened()


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@linux
@pytest.mark.timeout(120)
@pytest.mark.parametrize("threaded", [False, True])
def test_a_thousand_connections_leave_nothing(threaded: bool) -> None:
    async def scenario() -> None:
        with rtcore.Worker(threaded=threaded) as worker:
            for _ in range(WARM_UP):
                await come_and_go(worker)
            gc.collect()
            memory, files, objects = resident(), descriptors(), len(gc.get_objects())
            for _ in range(ROUNDS):
                await come_and_go(worker)
            assert worker.stats()["peers"] == worker.stats()["sockets"] == 0
            gc.collect()
            assert abs(len(gc.get_objects()) - objects) < ROUNDS // 10
            assert descriptors() <= files + 2  # the loop's reader comes and goes
            assert resident() - memory < ROUNDS * 2048  # a fifth of the smallest thing that a connection has

    asyncio.run(scenario())


@linux
def test_a_loop_and_its_worker_leave_nothing() -> None:
    async def scenario() -> None:
        await come_and_go(None)

    asyncio.run(scenario())
    files = descriptors()
    for _ in range(20):
        asyncio.run(scenario())
    gc.collect()
    assert descriptors() <= files + 8  # the last loop's worker, until the next connection sweeps it away
