"""Long transfers: every byte, in both directions, in both at once, and across an ICE restart."""

import asyncio
import re

import pytest

import rtcore
from benchmarks.peers.session import MESSAGE, Open, collect, pour

TOTAL = 20_000_000  # where a transfer only has to go on for a while


async def test_there(opened: Open) -> None:
    async with opened() as session:
        ours, theirs = await session.connect("us", mode="collect")
        total = session.stack.bulk
        sent = await pour(ours, total)
        received = await theirs.received(total)
        assert received["bytes"] == total
        assert received["sha256"] == sent


async def test_here(opened: Open) -> None:
    async with opened() as session:
        ours, theirs = await session.connect("them")
        total = session.stack.bulk
        sent, received = await asyncio.gather(theirs.pour(MESSAGE, total), collect(ours, total))
        assert sent["sha256"] == received


@pytest.mark.parametrize("threaded", [False, True], ids=["driven", "threaded"])
async def test_both_ways_at_once(opened: Open, threaded_worker: rtcore.Worker, threaded: bool) -> None:
    async with opened(worker=threaded_worker if threaded else None) as session:
        ours, theirs = await session.connect("us", mode="collect")
        total = session.stack.bulk // 5
        sent_here, sent_there, received_here, received_there = await asyncio.gather(
            pour(ours, total), theirs.pour(MESSAGE, total), collect(ours, total), theirs.received(total)
        )
        assert received_there["sha256"] == sent_here
        assert received_here == sent_there["sha256"]


def ufrag(description: rtcore.SessionDescription | None) -> str:
    assert description is not None
    (found,) = set(re.findall(r"^a=ice-ufrag:(\S+)", description.sdp, re.M))
    return str(found)


@pytest.mark.able("restarts_ice")
@pytest.mark.parametrize("restarter", ["us", "them"])
async def test_restart_while_data_flows(opened: Open, by: str, restarter: str) -> None:
    async with opened() as session:
        ours, theirs = await session.connect(by, mode="collect")
        before = ufrag(session.pc.local_description), ufrag(session.pc.remote_description)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(pour(ours, TOTAL)), group.create_task(theirs.pour(MESSAGE, TOTAL))
            taking = group.create_task(collect(ours, TOTAL)), group.create_task(theirs.received(TOTAL))
            if restarter == "us":
                session.pc.restart_ice()
                await session.offer()
            else:
                await session.answer(restart=True)
            assert not any(task.done() for task in taking)
        after = ufrag(session.pc.local_description), ufrag(session.pc.remote_description)
        assert before[0] != after[0]
        assert before[1] != after[1]
        assert taking[1].result()["sha256"] == sending[0].result()
        assert taking[0].result() == sending[1].result()["sha256"]
        assert session.pc.connection_state == "connected"
