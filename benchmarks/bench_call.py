"""Calls, beside aiortc: connecting with audio and video, and how long a picture takes from source to sink."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.peers.replay import REPLAY, Rounds, replay
from benchmarks.peers.stacks import CALLERS, Stack

pytestmark = [
    pytest.mark.benchmark(timer=REPLAY),
    pytest.mark.timeout(900),
    pytest.mark.parametrize("stack", CALLERS, ids=lambda stack: stack.name),
]


def test_one_after_another(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """Seconds per pair with audio, video and a channel: connect, close both."""
    results = rounds(stack, "media-connect", "1", stacks=CALLERS)
    replay(benchmark, "call, connect and close", stack, [r["seconds"] / r["pairs"] for r in results])
    opened = [r["p50"] * 1e3 for r in results]
    report("call: offer to open channel, p50", "ms", stack, opened, higher_is_better=False)
    cpu = [r["cpu"] / r["pairs"] * 1e3 for r in results]
    report("call: CPU of a pair", "ms", stack, cpu, higher_is_better=False)


def test_fifty_at_once(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """Wall time until all channels are open, and the memory that the pairs then hold."""
    results = rounds(stack, "media-many", "50", "1", count=3, stacks=CALLERS)
    replay(benchmark, "50 calls at once", stack, [r["seconds"] for r in results])
    report("50 calls at once", "ms", stack, [r["seconds"] * 1e3 for r in results], higher_is_better=False)
    memory = [r["memory"] / 1024 for r in results]
    report("memory of a call", "KiB", stack, memory, higher_is_better=False)


def test_glass_to_glass(
    benchmark: BenchmarkFixture, rounds: Rounds, report: Callable[..., None], stack: Stack
) -> None:
    """From the source's frame to the decoded one: 640 x 360 VP8 at 30 frames a second, Opus."""
    results = rounds(stack, "glass", "8", count=3, stacks=CALLERS)
    replay(benchmark, "glass to glass, video p50", stack, [r["video_p50"] for r in results])
    for kind in ("video", "audio"):
        for share in ("p50", "p99"):
            delays = [r[f"{kind}_{share}"] * 1e3 for r in results]
            report(f"glass to glass, {kind} {share}", "ms", stack, delays, higher_is_better=False)
    cpu = [r["cpu"] * 100 for r in results]
    report("CPU of a call, both ends", "% of a core", stack, cpu, higher_is_better=False)
