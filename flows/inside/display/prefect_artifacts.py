"""What a run shows in Prefect's UI: a table for each action run, and a summary, as artifacts.

Prefect's artifacts are not Phantom's: those are the evidence in a container. Prefect has two UIs,
which read Markdown differently: the older one also in the cells of tables.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.context import FlowRunContext

from prefect_phantom.flows.inside.display.visible_text import one_line
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.result import ActionRun, ParameterResult, Status
from prefect_phantom.flows.run import PlaybookRun

MOST_ROWS = 200
LONGEST_CELL = 300
PROGRESS_SECONDS = 2.0
"""How often a loop that goes on says how far it is."""
_PLAIN = re.compile(
    r"(?!\d+[.)])(?!.*(?:://|www\.))[^\W_](?:[^\W_]|[ ,;.:/()%='\"?+-])*", re.IGNORECASE
)
"""Words and numbers that no reader of Markdown takes for anything else."""
Send = Callable[[dict[str, Any]], None]
Item = TypeVar("Item")


def _send_at_once(artifact: dict[str, Any]) -> None:
    try:
        with get_client(sync_client=True) as client:
            client.create_artifact(ArtifactCreate(**artifact))
    except httpx.HTTPError as error:
        # The gateway has the results; a picture of them is no reason to fail the run.
        get_run_logger().warning("Prefect did not take an artifact of this run: %r", error)


class Sender:
    """How the artifacts of this process reach Prefect."""

    send: Send

    def __init__(self) -> None:
        self.send = _send_at_once


SENDER = Sender()


def show_action_run(action_run: ActionRun, base_url: str) -> None:
    """A table of an action run: a row for each parameter set on each asset.

    It is shortened, and has a link to all of it at the gateway.
    """
    rows = [_row(result) for result in action_run.results[:MOST_ROWS]]
    first = f", the first {MOST_ROWS} here" if len(rows) < len(action_run.results) else ""
    _show(
        "table",
        json.dumps(rows),
        f"{escaped(action_run.name)}: {escaped(action_run.message)}{first}. "
        f"[All of it]({base_url}/rest/action_run/{action_run.id}/app_runs"
        "?include_expensive&page_size=0)",
    )


def show_summary(run: PlaybookRun[Any], status: Status, message: str) -> None:
    """What the run was asked to do, how it ended, and what each of its action runs did."""
    reason = f": {escaped(message)}" if message else ""
    container = f"{run.base_url}/rest/container/{run.container.id}?pretty"
    itself = f"{run.base_url}/rest/playbook_run/{run.id}?pretty"
    count = len(run.artifacts)
    lines = [
        f"## {escaped(run.playbook)} on {escaped(run.container.name)}",
        "",
        f"Playbook run {run.id} ended in **{status}**{reason}",
        "",
        f"[Container {run.container.id}]({container}), {count} artifacts in scope, [run]({itself})",
    ]
    if run.action_runs:
        lines += [""]
        lines += [
            f"- {escaped(each.name)}: **{each.status}**: {escaped(_told(each))}"
            for each in run.action_runs[:MOST_ROWS]
        ]
    if len(run.action_runs) > MOST_ROWS:
        lines += ["", f"{len(run.action_runs) - MOST_ROWS} further action runs are not shown."]
    _show("markdown", "\n".join(lines), f"Playbook run {run.id}: {status}")


def track(items: Sequence[Item], description: str) -> Iterator[Item]:
    """Go through `items`, and show in Prefect how far a loop over them has come.

    Nothing is shown of a loop that ends within `PROGRESS_SECONDS`.
    """
    artifact_id: Any = None
    shown_at = time.monotonic()
    for index, item in enumerate(items):
        now = time.monotonic()
        if FlowRunContext.get() is not None and now - shown_at >= PROGRESS_SECONDS:
            shown_at = now
            percent = 100 * index / len(items)
            if artifact_id is None:
                artifact_id = create_progress_artifact(percent, description=escaped(description))
            else:
                update_progress_artifact(artifact_id, percent)
        yield item
    if artifact_id is not None:
        update_progress_artifact(artifact_id, 100.0)


def escaped(text: str) -> str:
    """`text` as it is, in Markdown: it may come from anyone, and must not become a link.

    As code, where it is not only words: behind backslashes an address is still made a link by
    Prefect's newer UI. A backtick, which would end the code, is shown as an apostrophe.
    """
    line = _shortened(one_line(text)).replace("`", "'")
    return line if not line or _PLAIN.fullmatch(line) else f"`{line}`"


def _show(kind: str, data: str, description: str) -> None:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return  # tried without a server
    flow_run_id: UUID = context.flow_run.id
    # Without a key: what has one is listed apart, and each run would add to that list.
    SENDER.send(
        {
            "type": kind,
            "data": data,
            "description": description,
            "flow_run_id": str(flow_run_id),
        }
    )


def _row(result: ParameterResult) -> dict[str, str]:
    cells: Mapping[str, object] = {
        "asset": result.asset,
        "parameter": {k: v for k, v in result.parameter.items() if k != "context"},
        "status": result.status,
        "message": result.message,
        **{f"summary {name}": value for name, value in result.summary.items()},
    }
    return {one_line(name): escaped(_cell(value)) for name, value in cells.items()}


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_cell(each)}" for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(plain(value))


def _told(action_run: ActionRun) -> str:
    failed = action_run.failures
    return f"{action_run.message}; {failed[0].message}" if failed else action_run.message


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}..."
