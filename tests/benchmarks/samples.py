"""What was measured: raw samples by measure and side, and what a table shows of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median, quantiles

OURS, SLOW, FAST, FLOOR = "ours", "stock, 10 s poll", "stock, 1 s poll", "bare floor"
SIDES = (OURS, SLOW, FAST, FLOOR)


@dataclass(slots=True)
class Measure:
    """One row of the table; `rate` says that more is better."""

    name: str
    unit: str
    rate: bool = False
    samples: dict[str, list[float]] = field(default_factory=dict)

    def median(self, side: str) -> float | None:
        """The middle sample of one side."""
        return median(found) if (found := self.samples.get(side)) else None

    def p95(self, side: str) -> float | None:
        """The 95th percentile of one side; of few samples, the largest."""
        found = sorted(self.samples.get(side, []))
        if not found:
            return None
        return quantiles(found, n=20)[-1] if len(found) > 20 else found[-1]

    def ratio(self, side: str) -> float | None:
        """How many times better ours is than `side`."""
        ours, other = self.median(OURS), self.median(side)
        if not ours or not other:
            return None
        return ours / other if self.rate else other / ours


class Samples:
    """All measures, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.measures: dict[str, Measure] = {}

    def add(
        self, name: str, side: str, values: Iterable[float], *, unit: str = "s", rate: bool = False
    ) -> None:
        """Add samples of one side to a measure."""
        measure = self.measures.setdefault(name, Measure(name, unit, rate))
        measure.samples.setdefault(side, []).extend(values)
