"""A run as it goes on, live on a terminal and line by line elsewhere."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.adapters.cli.terminal.pictures import (
    log_text,
    moment,
    run_facts,
    run_picture,
    status_text,
)
from prefect_phantom.client import (
    ActionEnded,
    ActionRun,
    ActionStarted,
    Event,
    LogWritten,
    Phantom,
    PlaybookRun,
    RunChanged,
)

TAIL = 8
"""Lines of the log that are seen of a run that goes on."""
LATEST = 15
"""Actions that are seen of it: all that are under way, and the last of the others."""


def follow(phantom: Phantom, playbook_run_id: int, *, as_json: bool) -> int:
    """Show a run until it has ended.

    Returns:
        The exit code: 0 for success, 1 for a failed or cancelled run.
    """
    console = Console()
    if as_json:
        run = phantom.wait(playbook_run_id)
        console.print_json(data=run.model_dump(mode="json", exclude_unset=True))
        return 0 if run.succeeded else 1
    view = View()
    if console.is_terminal:
        with Live(view, console=console, transient=True):
            for event in phantom.watch(playbook_run_id):
                view.take(event)
    else:
        for event in phantom.watch(playbook_run_id):
            view.take(event)
            if (line := _line(event)) is not None:
                console.print(line, soft_wrap=True)
    console.print(run_picture(view.run))
    return 0 if view.run.succeeded else 1


class View:
    """What is known of a run that goes on."""

    run: PlaybookRun
    """Known from the first look at it on."""

    def __init__(self) -> None:
        self._actions: dict[int, ActionRun] = {}
        self._lines: deque[Text] = deque(maxlen=TAIL)
        self._spinner = Spinner("dots")

    def take(self, event: Event) -> None:
        """Take in what has happened."""
        match event:
            case ActionStarted(action_run) | ActionEnded(action_run):
                self._actions[action_run.id] = action_run
            case LogWritten(line):
                self._lines.append(log_text(line))
            case RunChanged(run):
                self.run = run

    def __rich__(self) -> RenderableType:
        """The picture of this moment."""
        if not hasattr(self, "run"):
            return self._spinner
        parts: list[RenderableType] = [run_facts(self.run)]
        if self._actions:
            parts.append(self._table())
        parts += self._lines
        word = "being cancelled" if self.run.cancelled else "running"
        self._spinner.update(text=Text(word, style="yellow"))
        return Group(*parts, self._spinner)

    def _table(self) -> Table:
        ended = [each for each in self._actions.values() if not each.running]
        under_way = [each for each in self._actions.values() if each.running]
        shown = ended[-max(LATEST - len(under_way), 1) :] + under_way
        table = Table("action", "app", "status", "seconds", "message")
        if hidden := len(self._actions) - len(shown):
            table.title = f"{hidden} earlier actions have ended"
        for action in shown:
            table.add_row(
                Text(action.action),
                Text(action.app_name),
                status_text(action.status),
                _seconds(action),
                Text(action.message),
            )
        return table


def _seconds(action: ActionRun) -> str:
    """How long it took, or has been under way."""
    if action.create_time is None:
        return ""
    end = action.close_time or datetime.now(UTC)
    # The clocks of the gateway and of this machine may differ.
    return f"{max(0.0, (end - action.create_time).total_seconds()):.1f}"


def _line(event: Event) -> Text | None:
    match event:
        case ActionStarted(action):
            return Text(f"{moment(event.time)}  {action.action}: started")
        case ActionEnded(action):
            sentence = f"{moment(event.time)}  {action.action}: {action.status}: {action.message}"
            return Text(sentence)
        case LogWritten(line):
            return log_text(line)
        case RunChanged():
            return None
