"""Runs pair programs (README.md, "Pairs") round by round, all stacks in each round, so that a noisy moment of
the machine meets all of them.
"""

import json
import os
import subprocess
from collections.abc import Callable, Sequence

from .install import HERE
from .stacks import Stack

Result = dict[str, float]

LONGEST = 60  # seconds one run may take


class PairFailed(Exception):
    """A pair program ended with an error, which is the text, or not at all."""


def run_pair(stack: Stack, scenario: Sequence[str]) -> Result:
    """One run of a stack's pair program in a new process."""
    try:
        done = subprocess.run(
            [*stack.pair, *scenario],
            cwd=HERE.parents[1],
            env={**os.environ, **stack.environment},
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired as late:
        raise PairFailed(str(late)) from late
    if done.returncode != 0:
        raise PairFailed(f"{stack.name} {' '.join(scenario)}: {done.stderr[-2000:]}")
    result: Result = json.loads(done.stdout)
    return result


def run_rounds(
    stacks: Sequence[Stack], scenario: Callable[[Stack], Sequence[str]], rounds: int
) -> dict[str, list[Result] | PairFailed]:
    """Every stack once in each round; by the stack's name its results, or how it failed."""
    results: dict[str, list[Result]] = {stack.name: [] for stack in stacks}
    failed: dict[str, PairFailed] = {}
    for number in range(rounds):
        # Who comes first changes, so that nobody always runs on a machine that the same neighbour warmed.
        for stack in [*stacks[number % len(stacks) :], *stacks[: number % len(stacks)]]:
            if stack.name not in failed:
                try:
                    results[stack.name].append(run_pair(stack, scenario(stack)))
                except PairFailed as failure:
                    failed[stack.name] = failure
    return {**results, **failed}
