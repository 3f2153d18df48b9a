"""Showing people how the parts start: a live list in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.adapters.supervisor.parts.part import State

_STYLES = {
    State.READY: "green",
    State.ENDED: "red",
    State.STOPPING: "yellow",
    State.STOPPED: "dim",
}

_LASTING = (State.STARTING, State.STOPPING)


@dataclass
class _Row:
    state: State
    since: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    """How long the state before `state` lasted; None while it goes on."""


class Progress:
    """Written to standard error, so that standard output holds the one line that scripts read."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._rows: dict[str, _Row] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._table, console=self._console, refresh_per_second=8
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """End the live list; what comes after is written as plain lines."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def report(self, part: str, state: State, words: str) -> None:
        """Show the state of a part; words about it get a line of their own."""
        row = self._rows.get(part)
        if row is None or row.state != state:
            now = time.monotonic()
            seconds = now - row.since if row and row.state in _LASTING else None
            self._rows[part] = _Row(state, now, seconds)
            if self._live is None and not words:
                took = f" ({seconds:.1f} s)" if seconds is not None else ""
                self.note(f"{part}: {state}{took}")
        if words:
            self.note(words if state == State.READY else f"{part}: {words}")

    def note(self, line: str) -> None:
        """Write one line."""
        self._console.print(line, markup=False)

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for part, row in self._rows.items():
            table.add_row(
                self._mark(row), part, Text(row.state, _STYLES.get(row.state, "")), _seconds(row)
            )
        return Group(table)

    @staticmethod
    def _mark(row: _Row) -> RenderableType:
        if row.state == State.STARTING:
            return Spinner("dots")
        return Text("✓" if row.state == State.READY else "·", _STYLES.get(row.state, ""))


def _seconds(row: _Row) -> str:
    if row.state == State.STARTING:
        return f"{time.monotonic() - row.since:.1f} s"
    return "" if row.seconds is None else f"{row.seconds:.1f} s"
