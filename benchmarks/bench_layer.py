"""What aiortc's names cost: `rtcore.aiortc` beside `rtcore` in the same steps, with the same codecs.

Two peers in one process; CPU of both ends. More rounds (`--rounds 9`) tell differences of a few per cent.
"""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.peers.measure import Result
from benchmarks.peers.replay import REPLAY, Rounds, replay
from benchmarks.peers.stacks import LAYER, Stack

pytestmark = [
    pytest.mark.benchmark(timer=REPLAY),
    pytest.mark.timeout(900),
    pytest.mark.parametrize("stack", LAYER, ids=lambda stack: stack.name),
]

PAIRS_AT_ONCE = "50"


def of_each(what: str, each: str) -> Callable[[Result], float]:
    return lambda result: result[what] / result[each]


def whole(what: str) -> Callable[[Result], float]:
    return lambda result: result[what]


CPU = {
    "connect, CPU of a pair": (("connect", "1"), of_each("cpu", "pairs")),
    "connect with audio and video, CPU of a pair": (("media-connect", "1"), of_each("cpu", "pairs")),
    "message of 100 bytes, CPU": (("throughput", "100", "1"), of_each("cpu", "messages")),
    "message of 16 KiB, CPU": (("throughput", "16384", "1"), of_each("cpu", "messages")),
    "round trip of 100 bytes, p50": (("roundtrip", "1"), whole("p50")),
    "50 idle pairs, CPU s per s": (("many", PAIRS_AT_ONCE, "5"), whole("idle")),
}
"""What takes time: the scenario of `benchmarks.peers.pair`, and seconds of its result."""

MEMORY = {
    "memory of a pair": ("many", PAIRS_AT_ONCE, "5"),
    "memory of a pair with audio and video": ("media-many", PAIRS_AT_ONCE, "1"),
}


@pytest.mark.parametrize("what", CPU)
def test_time(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack, what: str
) -> None:
    scenario, seconds = CPU[what]
    samples = [seconds(result) for result in rounds(stack, *scenario, stacks=LAYER)]
    replay(benchmark, f"layer: {what}", stack, samples)
    report(f"layer: {what}", "us", stack, [1e6 * sample for sample in samples], higher_is_better=False)


@pytest.mark.parametrize("what", MEMORY)
def test_memory(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack, what: str
) -> None:
    """pytest-benchmark is told the time until all are open."""
    results = rounds(stack, *MEMORY[what], stacks=LAYER)
    replay(benchmark, f"layer: {PAIRS_AT_ONCE} at once, {what}", stack, [r["seconds"] for r in results])
    report(f"layer: {what}", "KiB", stack, [r["memory"] / 1024 for r in results], higher_is_better=False)
