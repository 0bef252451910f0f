"""Benchmarks beside the other stacks: what their pair programs measure becomes pytest-benchmark's figures.

All stacks take turns, round by round (`benchmarks.peers.measure`), and the samples are replayed to
pytest-benchmark (`benchmarks.peers.replay`). The table of all of them is printed at the end, and written to
`benchmarks/results.md`.
"""

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks.peers.measure import PairFailed, Result, run_rounds
from benchmarks.peers.replay import Rounds
from benchmarks.peers.stacks import LAYER, PAIRS, RTCORE, RTCORE_AIORTC, RTCORE_THREADED, Stack
from benchmarks.peers.table import Measure, table

RESULTS = Path(__file__).with_name("results.md")
MEASURES = pytest.StashKey[dict[str, Measure]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=5, help="rounds of each pair program (5)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MEASURES] = {}


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> Rounds:
    """`rounds(stack, "throughput", "16384", "1")`: the results of this stack. The first who asks for a
    scenario has all stacks run it, interleaved. "{at_once}" stands for the stack's own number."""
    done: dict[tuple[object, ...], dict[str, list[Result] | PairFailed]] = {}

    def rounds(
        stack: Stack, *scenario: str, count: int | None = None, stacks: Sequence[Stack] = PAIRS
    ) -> list[Result]:
        key = (*scenario, *stacks)
        if key not in done:
            done[key] = run_rounds(
                stacks,
                lambda stack: [word.format(at_once=stack.at_once) for word in scenario],
                count or pytestconfig.getoption("rounds"),
            )
        results = done[key][stack.name]
        if isinstance(results, PairFailed):
            raise results
        return results

    return rounds


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Callable[..., None]:
    """`report("round trip, p50", "us", stack, values, higher_is_better=False)` adds to the table."""

    def report(name: str, unit: str, stack: Stack, values: list[float], *, higher_is_better: bool) -> None:
        measures = pytestconfig.stash[MEASURES]
        measure = measures.setdefault(name, Measure(name, unit, higher_is_better, {}))
        measure.values[stack.name] = values  # type: ignore[index]

    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    measures = list(config.stash[MEASURES].values())
    if not measures:
        return
    names, layer = [stack.name for stack in PAIRS], [stack.name for stack in LAYER]
    costs = [measure for measure in measures if layer[0] in measure.values]
    others = [measure for measure in measures if layer[0] not in measure.values]
    text = (
        f"Two peers in one process over loopback, {os.cpu_count()} cores,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}.\n\n"
        + (table(others, names, [RTCORE.name, RTCORE_THREADED.name]) if others else "")
        + "".join(
            f"\n{stack.name}: {stack.at_once} pairs instead of 50; the CPU of idle pairs is told for 50.\n"
            for stack in PAIRS
            if stack.at_once != 50 and others
        )
        + (("\n" if others else "") + table(costs, layer, [RTCORE_AIORTC.name]) if costs else "")
    )
    RESULTS.write_text(text)
    terminalreporter.section("beside the other stacks")
    terminalreporter.write(text)
