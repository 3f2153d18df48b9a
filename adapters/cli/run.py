"""``run``: look at playbook runs, follow them, cancel them."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from adapters.cli.connection import DEFAULT, AsJson, Connection
from adapters.client import Phantom, PlaybookRun

app = App(name="run", help="Look at playbook runs, follow them, cancel them.")

Id = Annotated[int, Parameter(help="Id of the playbook run.")]
COLORS = {"success": "green", "failed": "red", "running": "yellow"}
FACTS = (
    "scope",
    "scope_artifact_ids",
    "waiting",
    "flow_run_id",
    "worker",
    "hostname",
    "process_id",
)
"""What `misc` may say about a run, in the order in which it is shown."""


@app.command
def show(
    playbook_run_id: Id, /, *, as_json: AsJson = False, connection: Connection = DEFAULT
) -> None:
    """Show a run: its status and what its actions did."""
    with connection.open() as phantom:
        state = phantom.get(playbook_run_id)
        print_run(state, as_json=as_json)


@app.command
def watch(
    playbook_run_id: Id, /, *, as_json: AsJson = False, connection: Connection = DEFAULT
) -> int:
    """Follow a run until it has ended. Exit code 0: success, 1: failed or cancelled."""
    with connection.open() as phantom:
        return follow(phantom, playbook_run_id, as_json=as_json)


@app.command
def cancel(
    playbook_run_id: Id,
    /,
    *,
    reason: Annotated[str | None, Parameter(help="Shown with the run.")] = None,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """Cancel a run. It ends soon after; `run watch` shows when."""
    with connection.open() as phantom:
        sentence = phantom.cancel(playbook_run_id, reason=reason)
        if as_json:
            Console().print_json(data={"cancelled": True, "message": sentence})
        else:
            Console().print(Text(sentence))


def follow(phantom: Phantom, playbook_run_id: int, *, as_json: bool) -> int:
    """Show a run until it has ended.

    Returns:
        The exit code: 0 for success, 1 for a failed or cancelled run.
    """
    if as_json or not Console().is_terminal:
        state = phantom.wait(playbook_run_id)
        print_run(state, as_json=as_json)
    else:
        states = phantom.watch(playbook_run_id)
        state = next(states)
        with Live(_picture(state)) as live:
            for state in states:
                live.update(_picture(state))
    return 0 if state.succeeded else 1


def print_run(state: PlaybookRun, *, as_json: bool) -> None:
    """Print a run as JSON, in the contract's own form, or for people."""
    if as_json:
        Console().print_json(data=state.model_dump(mode="json", exclude_unset=True))
    else:
        Console().print(_picture(state))


def _picture(state: PlaybookRun) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(state):
        facts.add_row(Text(name, style="dim"), value)
    parts: list[RenderableType] = [facts]
    if state.results:
        parts.append(_actions(state))
    if state.running:
        word = "being cancelled" if state.cancelled else "running"
        parts.append(Spinner("dots", Text(word, style="yellow")))
    return Group(*parts)


def _facts(state: PlaybookRun) -> list[tuple[str, Text]]:
    lines = [
        ("playbook run", str(state.id)),
        ("playbook", state.report.playbook or str(state.playbook)),
        ("container", str(state.container)),
        ("started", state.start_time.isoformat(sep=" ") if state.start_time else ""),
        ("updated", state.update_time.isoformat(sep=" ") if state.update_time else ""),
        *((name.replace("_", " "), str(state.misc.get(name) or "")) for name in FACTS),
        ("cancelled", state.cancelled),
        ("message", state.report.message),
    ]
    status = Text(state.status, style=COLORS.get(state.status, ""))
    return [
        ("status", status),
        *((name, Text(value)) for name, value in lines if value),
    ]


def _actions(state: PlaybookRun) -> Table:
    table = Table("action", "status", "parameter", "asset", "message")
    for action in state.results:
        for app_run in action.app_runs:
            status = app_run.per_parameter_status or app_run.status
            table.add_row(
                Text(action.action),
                Text(status, style=COLORS.get(status, "")),
                Text(", ".join(f"{key}={value}" for key, value in app_run.parameter.items())),
                Text(app_run.asset_name),
                Text(app_run.app_message),
            )
        if not action.app_runs:
            status = action.status
            table.add_row(
                Text(action.action),
                Text(status, style=COLORS.get(status, "")),
                "",
                "",
                Text(action.message),
            )
    return table
