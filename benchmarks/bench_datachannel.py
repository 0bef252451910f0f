"""Moving data over one reliable, ordered channel, beside the other stacks: throughput, its CPU time, small
messages, round trips."""

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

WINDOW = "2"  # seconds: Pion may lose its first burst, and then waits for one


@pytest.mark.parametrize("size", [16384, 65536])
def test_throughput(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack, size: int
) -> None:
    """Seconds per gigabyte, one way."""
    results = rounds(stack, "throughput", str(size), WINDOW)
    replay(
        benchmark,
        f"throughput {size >> 10} KiB, s per GB",
        stack,
        [r["seconds"] / r["bytes"] * 1e9 for r in results],
    )
    rates = [r["bytes"] * 8e-6 / r["seconds"] for r in results]
    cpu = [r["cpu"] / r["bytes"] * 1e9 for r in results]
    benchmark.extra_info.update(mbit_per_second=rates, cpu_seconds_per_gb=cpu)
    report(f"throughput {size >> 10} KiB", "Mbit/s", stack, rates, higher_is_better=True)
    report(f"CPU {size >> 10} KiB, both ends", "s/GB", stack, cpu, higher_is_better=False)


def test_small_messages(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """Seconds per message of 100 bytes, one way."""
    results = rounds(stack, "throughput", "100", WINDOW)
    replay(benchmark, "100-byte message", stack, [r["seconds"] / r["messages"] for r in results])
    rates = [r["messages"] / r["seconds"] for r in results]
    report("100-byte messages", "1/s", stack, rates, higher_is_better=True)


def test_round_trip(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """Median of 100 bytes there and back, in each round."""
    results = rounds(stack, "roundtrip", WINDOW)
    replay(benchmark, "round trip of 100 bytes, p50", stack, [r["p50"] for r in results])
    for percentile in ("p50", "p99"):
        times = [r[percentile] * 1e6 for r in results]
        report(f"round trip of 100 bytes, {percentile}", "us", stack, times, higher_is_better=False)
