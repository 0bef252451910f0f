"""Gives pytest-benchmark figures that a pair program measured.

A pair program times itself, in a process of its own, and all stacks take turns. So a benchmark here replays
samples: its timer is `REPLAY`, a clock that moves by what was measured.
"""

from collections.abc import Callable, Sequence

from pytest_benchmark.fixture import BenchmarkFixture

from .measure import Result
from .stacks import Stack

Rounds = Callable[..., list[Result]]


class Replay:
    """A clock that shows the samples' sum."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


REPLAY = Replay()


def replay(benchmark: BenchmarkFixture, group: str, stack: Stack, samples: Sequence[float]) -> None:
    """Makes `samples`, in seconds, the rounds of this benchmark, which is marked with `timer=REPLAY`."""
    benchmark.group = group
    benchmark.name = stack.name
    waiting = iter(samples)
    benchmark.pedantic(
        REPLAY.pass_by, setup=lambda: ((next(waiting),), {}), rounds=len(samples), iterations=1
    )
    assert benchmark.stats is None or len(benchmark.stats.stats.data) == len(samples)
