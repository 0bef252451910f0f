"""Measures two peers of one Python stack in this process (README.md, "Pairs"):

python -m benchmarks.peers.pair STACK throughput SIZE SECONDS | roundtrip SECONDS | connect SECONDS
                                      | many N SECONDS | media-connect SECONDS | media-many N SECONDS
                                      | glass SECONDS

`media-` is with audio and video transceivers, without a track, beside the channel.
"""

import asyncio
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from . import glass
from .percentile import percentile

AT_ONCE = 50  # handshakes: with more, the last wait longer than retransmission timers
FIRST = 10
SMALL = 100
WARM_UP = 0.3


class End(Protocol):
    """One end of a reliable, ordered channel."""

    async def send(self, data: bytes) -> None:
        """Returns when the stack has taken the message, and has room for more."""

    def on_message(self, callback: Callable[[bytes], None]) -> None: ...

    def post(self, data: bytes) -> None:
        """Sends without waiting: one small answer always fits."""


class Pair(Protocol):
    near: End
    far: End

    async def close(self) -> None: ...


Connect = Callable[[], Awaitable[Pair]]
Result = dict[str, float]


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def throughput(connect: Connect, size: float, seconds: float) -> Result:
    pair = await connect()
    taken = messages = 0

    def take(message: bytes) -> None:
        nonlocal taken, messages
        taken += len(message)
        messages += 1

    async def pour() -> None:
        message = bytes(int(size))
        while True:
            await pair.near.send(message)

    pair.far.on_message(take)
    pouring = asyncio.create_task(pour())
    await asyncio.sleep(WARM_UP)
    began, cpu, taken, messages = time.perf_counter(), time.process_time(), 0, 0
    await asyncio.sleep(seconds)
    result = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "bytes": taken,
        "messages": messages,
    }
    assert not pouring.done(), pouring
    pouring.cancel()
    await pair.close()
    return result


async def roundtrip(connect: Connect, seconds: float) -> Result:
    pair = await connect()
    answered = asyncio.Event()
    times: list[float] = []
    pair.far.on_message(pair.far.post)
    pair.near.on_message(lambda _: answered.set())
    message = bytes(SMALL)
    counted = time.perf_counter() + WARM_UP
    while (sent := time.perf_counter()) < counted + seconds:
        answered.clear()
        pair.near.post(message)
        await answered.wait()
        if sent >= counted:
            times.append(time.perf_counter() - sent)
    await pair.close()
    return {"count": len(times), "p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


async def repeat(connect: Connect, seconds: float) -> Result:
    await (await connect()).close()
    times: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    while (started := time.perf_counter()) < began + seconds:
        pair = await connect()
        times.append(time.perf_counter() - started)
        await pair.close()
    taken = time.perf_counter() - began
    return {
        "pairs": len(times),
        "seconds": taken,
        "cpu": time.process_time() - cpu,
        "p50": percentile(times, 0.5),
    }


async def many(connect: Connect, count: float, seconds: float) -> Result:
    # These load and allocate what is there only once, and take the room that the heap has free.
    first = [await connect() for _ in range(FIRST)]
    memory, began = resident(), time.perf_counter()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> Pair:
        async with gate:
            return await connect()

    pairs = await asyncio.gather(*(one() for _ in range(int(count))))
    result = {
        "seconds": time.perf_counter() - began,
        "memory": (resident() - memory) / count,
        "pairs": len(pairs),
    }
    await asyncio.gather(*(pair.close() for pair in first))
    await asyncio.sleep(WARM_UP)
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    result["idle"] = (time.process_time() - cpu) / (time.perf_counter() - began)
    await asyncio.gather(*(pair.close() for pair in pairs))
    return result


SCENARIOS: dict[str, Callable[..., Awaitable[Result]]] = {
    "throughput": throughput,
    "roundtrip": roundtrip,
    "connect": repeat,
    "many": many,
}
MEDIA = "media-"
KINDS = ("audio", "video")


def main(stack: str, scenario: str, *numbers: str) -> None:
    """`stack` names a module beside this one, with `connect`; after a colon an argument of its `connect`."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand pairs have two thousand sockets
    module, _, option = stack.partition(":")
    connect = importlib.import_module(f"benchmarks.peers.{module}_pair").connect
    options = [option] if option else []
    if scenario == "glass":
        print(json.dumps(glass.run(module, option, *map(float, numbers))))
        return
    media = {"media": KINDS} if scenario.startswith(MEDIA) else {}
    run = SCENARIOS[scenario.removeprefix(MEDIA)]
    print(json.dumps(asyncio.run(run(lambda: connect(*options, **media), *map(float, numbers)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
