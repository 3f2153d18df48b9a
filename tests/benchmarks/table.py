"""The table: what was measured, scenario by scenario, and what is asked of it."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.benchmarks.cpu import CLIENT, PARTS
from tests.benchmarks.goals import GOALS
from tests.benchmarks.samples import Measure, Samples
from tests.benchmarks.sides import OURS, REUSED, STOCK

WIDTH = 150
PROFILE = "CPU of one run, "


def show(samples: Samples, facts: dict[str, Any]) -> None:
    """Print everything."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(_measures(samples, facts))
    if any(name.startswith(PROFILE) for name in samples.measures):
        console.print(_profile(samples))
    for remark in samples.remarks:
        console.print(escape(remark))
    for scenario, reason in samples.failures.items():
        console.print(f"[bold red]{scenario} failed:[/] {escape(reason)}")


def command(scenario: str) -> str:
    """What measures one scenario again."""
    return f"python -m tests.benchmarks --only {scenario}"


def _measures(samples: Samples, facts: dict[str, Any]) -> Table:
    machine = f"{facts['processors']} x {facts['model']}, load {facts['load']}"
    title = f"{facts['version']} on {machine}"
    caption = "of few samples p95 is the largest; x ours: how many times better ours is"
    table = Table(title=title, caption=caption)
    table.add_column("")
    for name in ("p50", "p95", "per second", "errors", "x ours"):
        table.add_column(name, justify="right")
    table.add_column("asked")
    table.add_column("")
    shown = [each for each in samples.measures.values() if not each.name.startswith(PROFILE)]
    for scenario, measures in groupby(shown, key=lambda measure: measure.scenario):
        table.add_section()
        table.add_row(f"[bold]{command(scenario)}")
        for measure in measures:
            _add_measure(table, measure)
            _add_goals(table, measure.name, samples)
    return table


def _add_measure(table: Table, measure: Measure) -> None:
    alone = list(measure.sides) == [OURS]
    if not alone:
        table.add_row(measure.name)
    for name, side in measure.sides.items():
        unit = f" {measure.unit}"
        table.add_row(
            measure.name if alone else f"  {name}",
            _number(side.p50, unit),
            _number(side.p95, unit) if len(side.values) > 1 else "",
            _number(side.rate),
            str(side.errors or ""),
            _number(measure.better(name)),
        )


def _add_goals(table: Table, name: str, samples: Samples) -> None:
    for goal in GOALS:
        if goal.measure == name and (found := goal.found(samples)) is not None:
            mark = goal.mark(found)
            colour = "red" if mark == "NOT MET" else "green" if mark.startswith("ok") else "yellow"
            text = f"    [italic]{_number(found)} {goal.words}"
            table.add_row(text, "", "", "", "", "", goal.asked, f"[{colour}]{mark}")


def _profile(samples: Samples) -> Table:
    """CPU of one run: parts down, sides across."""
    table = Table(title="CPU milliseconds of one two-action run, by part")
    table.add_column("")
    sides = (OURS, REUSED, *STOCK)
    for side in sides:
        table.add_column(side, justify="right")
    for part in (*PARTS, CLIENT):
        row = (samples.side(f"{PROFILE}{part}", side).p50 for side in sides)
        table.add_row(part, *map(_number, row))
    return table


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    return (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}") + unit
