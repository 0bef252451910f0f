"""Connections that have nothing to do, beside the other stacks; and what 1 to 1,000 of ours cost each."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.peers.measure import run_pair
from benchmarks.peers.replay import REPLAY, Rounds, replay
from benchmarks.peers.stacks import PAIRS, RTCORE, RTCORE_THREADED, Stack

pytestmark = [pytest.mark.benchmark(timer=REPLAY), pytest.mark.timeout(900)]

WINDOW = "5"  # seconds: at least one consent check of each connection


@pytest.mark.parametrize("stack", PAIRS, ids=lambda stack: stack.name)
def test_fifty_idle(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """CPU seconds per second of 50 idle pairs."""
    results = rounds(stack, "many", "{at_once}", WINDOW, count=3)
    shares = [r["idle"] * 50 / r["pairs"] for r in results]
    replay(benchmark, "50 idle pairs, CPU s per s", stack, shares)
    percent = [share * 100 for share in shares]
    report("CPU of 50 idle pairs", "% of a core", stack, percent, higher_is_better=False)


@pytest.mark.parametrize("count", [1, 10, 100, 1000])
@pytest.mark.parametrize("stack", [RTCORE, RTCORE_THREADED], ids=lambda stack: stack.name)
def test_scale(benchmark: BenchmarkFixture, report: Callable[..., None], stack: Stack, count: int) -> None:
    """Seconds to set one pair up, among 1 to 1,000 in one process."""
    result = run_pair(stack, ["many", str(count), WINDOW])
    replay(benchmark, f"set-up of a pair among {count}", stack, [result["seconds"] / count])
    report(f"set-up, {count} pairs", "pairs/s", stack, [count / result["seconds"]], higher_is_better=True)
    report(f"memory of a pair, of {count}", "KiB", stack, [result["memory"] / 1024], higher_is_better=False)
    idle = [result["idle"] * 100 / count]
    report(f"CPU of an idle pair, of {count}", "% of a core", stack, idle, higher_is_better=False)
