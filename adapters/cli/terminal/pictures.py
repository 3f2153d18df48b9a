"""Runs and what belongs to them, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Column, Table

from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.client import ActionRun, LogLine, PlaybookRun

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


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=COLORS.get(status, ""))


def moment(time: datetime | None) -> str:
    """A time to the second, in UTC as it came."""
    return "" if time is None else time.strftime("%Y-%m-%d %H:%M:%S")


def fact_grid(facts: Mapping[str, str | Text | None]) -> Table:
    """Names and values in two columns, without those that have none."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            grid.add_row(Text(name, style="dim"), Text(value) if isinstance(value, str) else value)
    return grid


def run_picture(run: PlaybookRun) -> RenderableType:
    """A run: its state, and what its actions did."""
    return Group(run_facts(run), action_results(run.results)) if run.results else run_facts(run)


def run_facts(run: PlaybookRun) -> Table:
    """What is known of a run itself."""
    return fact_grid(
        {
            "status": status_text(run.status),
            "playbook run": str(run.id),
            "playbook": run.report.playbook or str(run.playbook),
            "container": str(run.container),
            "started": run.start_time.isoformat(sep=" ") if run.start_time else "",
            "updated": run.update_time.isoformat(sep=" ") if run.update_time else "",
            **{name.replace("_", " "): str(run.misc.get(name) or "") for name in FACTS},
            "cancelled": run.cancelled,
            "message": run.report.message,
        }
    )


def action_results(results: Sequence[ActionRun]) -> Table:
    """What each action did with each set of parameters on each asset."""
    table = Table("action", "status", "parameter", "asset", "message")
    for action in results:
        for app_run in action.app_runs:
            table.add_row(
                Text(action.action),
                status_text(app_run.per_parameter_status or app_run.status),
                Text(", ".join(f"{key}={value}" for key, value in app_run.parameter.items())),
                Text(app_run.asset_name),
                Text(app_run.app_message),
            )
        if not action.app_runs:
            table.add_row(
                Text(action.action), status_text(action.status), "", "", Text(action.message)
            )
    return table


def print_runs(runs: Sequence[PlaybookRun]) -> None:
    """Print a table of runs."""
    table = Table(
        "id", Column("playbook", no_wrap=True), "container", "status", "started", "message"
    )
    for run in runs:
        table.add_row(
            str(run.id),
            Text(run.report.playbook or str(run.playbook)),
            str(run.container),
            status_text(run.status),
            moment(run.start_time),
            Text(run.cancelled or run.report.message),
        )
    Console().print(table)


def log_text(line: LogLine) -> Text:
    """A line of a log."""
    return Text(f"{moment(line.time)}  {line.message}", style="red" if line.is_error else "")
