"""What is asked of the figures, and how far they are."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.benchmarks.samples import Samples
from tests.benchmarks.sides import (
    DEFAULT_POLL,
    FLOOR,
    OURS,
    REUSED,
    SECOND_POLL,
    SERVE_10,
    WORKER_10,
)

Found = Callable[[Samples], float | None]


@dataclass(frozen=True)
class Goal:
    """One figure of a measure that is asked for: `least` or `most`, and an `aim` beyond it."""

    measure: str
    words: str
    found: Found
    least: float | None = None
    most: float | None = None
    aim: float | None = None

    def mark(self, found: float) -> str:
        """Whether it was met, and whether the aim was."""
        met = found <= self.most if self.most is not None else found >= (self.least or 0)
        if self.aim is None:
            return "ok" if met else "NOT MET"
        reached = found <= self.aim if self.most is not None else found >= self.aim
        if self.least is None and self.most is None:
            return "aim met" if reached else "below the aim"
        return ("ok, aim met" if reached else "ok") if met else "NOT MET"

    @property
    def asked(self) -> str:
        """What is asked for, in words."""
        least = "" if self.least is None else f"at least {self.least:g}"
        most = "" if self.most is None else f"at most {self.most:g}"
        aim = "" if self.aim is None else f"aim {self.aim:g}"
        return ", ".join(filter(None, (least, most, aim)))


def rates(measure: str, others: Iterable[str], *, ours: str = OURS) -> Found:
    """Our rate over that of the fastest of the others."""

    def found(samples: Samples) -> float | None:
        theirs = [rate for side in others if (rate := samples.side(measure, side).rate)]
        own = samples.side(measure, ours).rate
        return own / max(theirs) if own is not None and theirs else None

    return found


def times(measure: str, others: Iterable[str]) -> Found:
    """The middle time of the fastest of the others over ours."""

    def found(samples: Samples) -> float | None:
        theirs = [p50 for side in others if (p50 := samples.side(measure, side).p50)]
        own = samples.side(measure, OURS).p50
        return min(theirs) / own if own and theirs else None

    return found


def middle(measure: str) -> Found:
    """Our middle sample itself."""
    return lambda samples: samples.side(measure, OURS).p50


def largest(measure: str) -> Found:
    """Our largest sample."""
    return lambda samples: max(samples.side(measure, OURS).values, default=None)


def errors(measure: str) -> Found:
    """How many went wrong."""
    measured = operator.methodcaller("side", measure, OURS)
    return lambda samples: measured(samples).errors if measured(samples).values else None


def growth(what: str, *, against_floor: bool = False) -> Found:
    """Middle time with a million stored runs over that with a thousand."""

    def found(samples: Samples) -> float | None:
        many, few = f"{what}, 1 million stored", f"{what}, 1 thousand stored"
        each = [samples.side(name, side).p50 for side in (OURS, FLOOR) for name in (many, few)]
        if not all(each):
            return None
        own, floor = each[0] / each[1], each[2] / each[3]
        return own / floor if against_floor else own

    return found


def _growths() -> Iterable[Goal]:
    asked = {"accept": 1.2, "status, oldest": 1.2, "status, newest": 1.2}
    asked |= dict.fromkeys(("first page, one container", "first page, failed"))
    for what, most in asked.items():
        measure, words = f"{what}, 1 million stored", "times the time with 1 thousand"
        yield Goal(measure, words, growth(what), most=most)
        relative = growth(what, against_floor=True)
        yield Goal(measure, f"{words}, over the same of the floor", relative, most=most)


CREATION, FINISHED = (SERVE_10, WORKER_10), "two-action runs finished"
SLOTS = "all slots taken again after the cancels"
LARGEST = {"asleep": 2000, "in a blocking C call": 7000, "with grandchildren": 2000}
"""Milliseconds. What cannot hear SIGTERM has the grace of 5 s, and 2 s more."""
ACCEPT, STATUS, START = "accept, 32 concurrent", "status, 32 concurrent", "trigger to running, idle"
FORTY, IDLE = "40 light actions in one run", "idle CPU, gateway and worker"
GATEWAY = "memory, gateway, resident"
WARM = "memory, each further warm process, private"
BY_DEFAULT = "times the rate of stock by default"
EACH_SECOND = "times the rate of stock that polls each second"

GOALS = (
    Goal(IDLE, "percent of one core", middle(IDLE), most=2),
    Goal(GATEWAY, "MB", middle(GATEWAY), most=200),
    Goal(WARM, "MB, the largest", largest(WARM), most=60),
    *(
        Goal(name, "later than grace and 2 s", errors(name), most=0)
        for kind in LARGEST
        for name in [f"cancel to dead, {kind}, all its processes"]
    ),
    *(
        Goal(name, "ms, the largest", largest(name), most=most)
        for kind, most in LARGEST.items()
        for name in [f"cancel to dead, {kind}, all its processes"]
    ),
    *(
        Goal(name, "said before it was so", errors(name), most=0)
        for kind in LARGEST
        for name in [f"cancel to said so, {kind}"]
    ),
    Goal(SLOTS, "not taken within 20 s", errors(SLOTS), most=0),
    Goal(ACCEPT, "times the rate of stock's creation", rates(ACCEPT, CREATION), least=10),
    Goal(ACCEPT, "of the floor's rate", rates(ACCEPT, [FLOOR]), aim=0.5),
    Goal(STATUS, "of the floor's rate", rates(STATUS, [FLOOR]), least=0.5, aim=0.8),
    Goal(START, "times sooner than stock by default", times(START, DEFAULT_POLL), least=40),
    Goal(
        START, "times sooner than stock that polls each second", times(START, SECOND_POLL), least=10
    ),
    Goal(FINISHED, BY_DEFAULT, rates(FINISHED, DEFAULT_POLL), least=12),
    Goal(FINISHED, EACH_SECOND, rates(FINISHED, SECOND_POLL), least=8),
    Goal(FINISHED, f"reused: {BY_DEFAULT}", rates(FINISHED, DEFAULT_POLL, ours=REUSED), least=20),
    Goal(FINISHED, f"reused: {EACH_SECOND}", rates(FINISHED, SECOND_POLL, ours=REUSED), least=14),
    Goal(
        FORTY,
        "times as fast as the same tasks in a stock flow",
        times(FORTY, SECOND_POLL),
        least=0.5,
    ),
    *_growths(),
)
