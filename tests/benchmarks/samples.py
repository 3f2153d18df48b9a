"""What was measured: raw samples of each side of each measure, and what a table shows of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median, quantiles

from tests.benchmarks.sides import OURS


@dataclass(slots=True)
class Side:
    """One side of a measure. What was not measured is empty."""

    values: list[float] = field(default_factory=list)
    """Single samples, in the measure's unit."""
    rates: list[float] = field(default_factory=list)
    """Answers or runs a second, one for each window."""
    ends: list[float] = field(default_factory=list)
    """Seconds into the window at which each run ended."""
    errors: int = 0

    @property
    def p50(self) -> float | None:
        """The middle sample."""
        return median(self.values) if self.values else None

    @property
    def p95(self) -> float | None:
        """The 95th percentile; of few samples, the largest."""
        if not self.values:
            return None
        return quantiles(self.values, n=20)[-1] if len(self.values) > 20 else max(self.values)

    @property
    def rate(self) -> float | None:
        """The middle rate of all windows."""
        return median(self.rates) if self.rates else None


@dataclass(slots=True)
class Measure:
    """What one scenario measured of each side."""

    name: str
    scenario: str
    unit: str
    sides: dict[str, Side] = field(default_factory=dict)

    def better(self, other: str) -> float | None:
        """How many times better ours is: by rates where there are any, else by middle samples."""
        ours, theirs = self.sides.get(OURS), self.sides.get(other)
        if ours is None or theirs is None or other == OURS:
            return None
        if ours.rate and theirs.rate:
            return ours.rate / theirs.rate
        return theirs.p50 / ours.p50 if ours.p50 and theirs.p50 else None


class Samples:
    """All measures, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.measures: dict[str, Measure] = {}
        self.failures: dict[str, str] = {}
        """By scenario: why it did not come to its end."""
        self.remarks: list[str] = []
        """What a reader of the table must know, such as limits and what is not there."""
        self.scenario = ""

    def add(
        self,
        name: str,
        side: str,
        values: Iterable[float] = (),
        *,
        unit: str = "ms",
        rate: float | None = None,
        ends: Iterable[float] = (),
        errors: int = 0,
    ) -> None:
        """Add what was found of one side to a measure of the scenario at work."""
        measure = self.measures.setdefault(name, Measure(name, self.scenario, unit))
        found = measure.sides.setdefault(side, Side())
        found.values.extend(values)
        found.ends.extend(ends)
        found.errors += errors
        if rate is not None:
            found.rates.append(rate)

    def side(self, name: str, side: str) -> Side:
        """One side of a measure, empty when it was not measured."""
        measure = self.measures.get(name)
        return measure.sides.get(side, Side()) if measure else Side()
