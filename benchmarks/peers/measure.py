"""Runs pair programs (README.md, "Pairs") round by round, all stacks in each round, so that a noisy moment of
the machine meets all of them.
"""

import json
import os
import subprocess
from collections.abc import Sequence

from .install import HERE
from .stacks import Stack

Result = dict[str, float]

LONGEST = 120  # seconds one run may take


def run_pair(stack: Stack, scenario: Sequence[str]) -> Result:
    """One run of a stack's pair program in a new process."""
    done = subprocess.run(
        [*stack.pair, *scenario],
        cwd=HERE.parents[1],
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{stack.name} {' '.join(scenario)}: {done.stderr[-2000:]}")
    result: Result = json.loads(done.stdout)
    return result


def run_rounds(stacks: Sequence[Stack], scenario: Sequence[str], rounds: int) -> dict[str, list[Result]]:
    """Every stack once in each round; the results of each stack by its name."""
    results: dict[str, list[Result]] = {stack.name: [] for stack in stacks}
    for number in range(rounds):
        # Who comes first changes, so that nobody always runs on a machine that the same neighbour warmed.
        for stack in [*stacks[number % len(stacks) :], *stacks[: number % len(stacks)]]:
            results[stack.name].append(run_pair(stack, scenario))
    return results
