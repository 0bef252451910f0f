"""What the pair programs measured, as Markdown: medians with their spread, and how rtcore compares."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measure:
    """One line of the table. `values`: by stack, one per round."""

    name: str
    unit: str
    higher_is_better: bool
    values: Mapping[str, Sequence[float]] = field(hash=False)

    def median(self, stack: str) -> float:
        return statistics.median(self.values[stack])

    def ratio(self, ours: str, theirs: str) -> float:
        """How many times better `ours` is."""
        mine, other = self.median(ours), self.median(theirs)
        if not self.higher_is_better:
            mine, other = other, mine
        return mine / other if other else float("inf")


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{round(value):,}"
    return f"{value:.3g}"


def row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def table(measures: Sequence[Measure], stacks: Sequence[str], ours: Sequence[str]) -> str:
    """Medians with the rounds' range, then ratios of the better of `ours` to each other stack."""
    others = [stack for stack in stacks if stack not in ours]
    lines = [row(["median (rounds' range)", *stacks]), row(["---"] * (1 + len(stacks)))]
    for measure in measures:
        cells = [
            f"{number(measure.median(stack))} ({number(min(values))} to {number(max(values))})"
            if (values := measure.values.get(stack))
            else ""
            for stack in stacks
        ]
        lines.append(row([f"{measure.name}, {measure.unit}", *cells]))
    lines += ["", row(["times better than", *others]), row(["---"] * (1 + len(others)))]
    for measure in measures:
        mine = [stack for stack in ours if stack in measure.values]
        if not mine or not any(stack in measure.values for stack in others):
            continue
        cells = [
            number(max(measure.ratio(stack, other) for stack in mine)) if other in measure.values else ""
            for other in others
        ]
        lines.append(row([measure.name, *cells]))
    return "\n".join(lines) + "\n"
