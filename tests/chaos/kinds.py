"""The kinds of runs that callers ask for, when they cancel them, and what must come of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Moment = Literal["never", "at once", "any", "witnessed", "ended"]
Outcome = Literal["success", "failed", "either"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of run."""

    playbook: str
    weight: float = 0
    """How often it is asked for among the light ones; 0 is only asked for by its name."""
    cancel: Moment = "never"
    """At once; at any moment of its first seconds; when the witness tells of ``first``; later."""
    outcome: Outcome = "success"
    """How it ends when nobody cancels it and nothing is broken."""
    actions: tuple[str, ...] = ()
    """What its witness must tell of when it ended in success."""
    inputs: dict[str, Any] = field(default_factory=dict)


KINDS = {
    "plain": Kind("plain", 24),
    "one action": Kind("one", 12, actions=("first",)),
    "two actions": Kind("two", 12, actions=("first", "second")),
    "slow": Kind("two", 10, actions=("first", "second"), inputs={"seconds": 2}),
    "blocks a while": Kind("grips", 1, actions=("first",)),
    "cancel at once": Kind("two", 24, "at once", actions=("first", "second")),
    "cancel at any step": Kind(
        "two", 10, "any", actions=("first", "second"), inputs={"seconds": 1}
    ),
    "cancel after the end": Kind("plain", 2, "ended"),
    "cancel in an action": Kind("acting", 3, "witnessed"),
    "cancel in a C call": Kind("blocking", 1, "witnessed"),
    "cancel with grandchildren": Kind("family", 1, "witnessed"),
    "cancel while paused": Kind("paused", 1, "witnessed"),
    "cancel while suspended": Kind("suspended", 1, "witnessed"),
    "sys.exit": Kind("exits", 1, outcome="failed"),
    "os._exit": Kind("dies", 1, outcome="failed"),
    "import error": Kind("broken", 12, outcome="failed"),
    "recursion": Kind("recurses", 0.5, outcome="failed"),
    "stack overflow": Kind("overflows", 0, outcome="either"),
    "forks": Kind("forks", 0.5, outcome="either"),
    "goes on in a fork": Kind("returns_from_fork", 0, outcome="either"),
    "not UTF-8": Kind("garbage", 0.5, outcome="either"),
    "closes its output": Kind("closes", 0.5, outcome="either"),
    "100 MB": Kind("huge", 0, outcome="either"),
    "limited": Kind("limited", 0, actions=("first",), inputs={"seconds": 3}),
}
LIGHT = {name: kind.weight for name, kind in KINDS.items() if kind.weight}
POISON = {name: 1.0 for name, kind in KINDS.items() if kind.outcome != "success"} | {
    "plain": 2.0,
    "blocks a while": 1.0,
    "100 MB": 0.05,  # a few at once leave nothing of a small machine for anything else
}
CANCELS = {name: 1.0 for name, kind in KINDS.items() if kind.cancel != "never"}
