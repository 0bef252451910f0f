"""Connecting, beside the other stacks: one pair after another, and fifty at once."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.peers.replay import REPLAY, Rounds, replay
from benchmarks.peers.stacks import PAIRS, Stack

pytestmark = [
    pytest.mark.benchmark(timer=REPLAY),
    pytest.mark.timeout(900),
    pytest.mark.parametrize("stack", PAIRS, ids=lambda stack: stack.name),
]


def test_one_after_another(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """Seconds per pair: connect until both ends of a channel are open, close both."""
    results = rounds(stack, "connect", "1")
    replay(benchmark, "pair, connect and close", stack, [r["seconds"] / r["pairs"] for r in results])
    rates = [r["pairs"] / r["seconds"] for r in results]
    report("pairs one after another", "1/s", stack, rates, higher_is_better=True)
    opened = [r["p50"] * 1e3 for r in results]
    report("offer to open channel, p50", "ms", stack, opened, higher_is_better=False)
    cpu = [r["cpu"] / r["pairs"] * 1e3 for r in results]
    report("CPU of a pair", "ms", stack, cpu, higher_is_better=False)


def test_fifty_at_once(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """Wall time until all channels are open, and the memory that the pairs then hold."""
    results = rounds(stack, "many", "{at_once}", "5", count=3)
    replay(benchmark, "50 pairs at once", stack, [r["seconds"] for r in results])
    report("50 pairs at once", "ms", stack, [r["seconds"] * 1e3 for r in results], higher_is_better=False)
    report("memory of a pair", "KiB", stack, [r["memory"] / 1024 for r in results], higher_is_better=False)
