"""``run``: look at playbook runs, follow them, cancel them."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from itertools import islice
from typing import Annotated, Literal

from cyclopts import App, Parameter

from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.adapters.cli.terminal.live import follow as follow_run
from prefect_phantom.adapters.cli.terminal.pictures import log_text, print_runs, run_picture
from prefect_phantom.client import LogLine, LogWritten, PlaybookRun
from prefect_phantom.client.pages import PAGE_SIZE

app = App(name="run", help="Look at playbook runs, follow them, cancel them.")

Id = Annotated[int, Parameter(help="Id of the playbook run.")]


@app.command(name="list")
def list_(
    *,
    status: Annotated[
        Literal["running", "success", "failed"] | None, Parameter(help="Only those in it.")
    ] = None,
    playbook: Annotated[
        str | None, Parameter(help="Only those of this playbook: NAME, REPO/NAME or its id.")
    ] = None,
    container: Annotated[int | None, Parameter(help="Only those on this container.")] = None,
    since: Annotated[
        datetime | None, Parameter(help="Only those accepted then or later, in UTC.")
    ] = None,
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 20,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """List playbook runs, the newest first."""
    by_id = playbook is not None and playbook.isdecimal()
    with connection.open() as phantom:
        found = phantom.iterate(
            PlaybookRun,
            sort="-id",
            page_size=max(1, min(limit, PAGE_SIZE)),
            status=status,
            container=container,
            playbook=playbook if by_id else None,
            playbook__name=None if by_id else playbook,
            start_time__gte=since,
        )
        runs = list(islice(found, limit))
        if as_json:
            dumped = [run.model_dump(mode="json", exclude_unset=True) for run in runs]
            Console().print_json(data=dumped)
        else:
            print_runs(runs)


@app.command
def show(
    playbook_run_id: Id, /, *, as_json: AsJson = False, connection: Connection = DEFAULT
) -> None:
    """Show a run: its status and what its actions did."""
    with connection.open() as phantom:
        run = phantom.get(PlaybookRun, playbook_run_id)
        if as_json:
            Console().print_json(data=run.model_dump(mode="json", exclude_unset=True))
        else:
            Console().print(run_picture(run))


@app.command
def watch(
    playbook_run_id: Id, /, *, as_json: AsJson = False, connection: Connection = DEFAULT
) -> int:
    """Follow a run until it has ended. Exit code 0: success, 1: failed or cancelled.

    With --json the run is printed when it has ended.
    """
    with connection.open() as phantom:
        return follow_run(phantom, playbook_run_id, as_json=as_json)


@app.command
def log(
    playbook_run_id: Id,
    /,
    *,
    follow: Annotated[
        bool, Parameter(negative=(), help="Go on with what comes, until the run has ended.")
    ] = False,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """Print the log of a run. With --json each line is one JSON object."""
    with connection.open() as phantom:
        if not follow:
            for line in phantom.log(playbook_run_id):
                _print_line(line, as_json=as_json)
            return
        for event in phantom.watch(playbook_run_id):
            if isinstance(event, LogWritten):
                _print_line(event.line, as_json=as_json)


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


def _print_line(line: LogLine, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(line.model_dump(mode="json", exclude_unset=True)) + "\n")
    else:
        Console().print(log_text(line), soft_wrap=True)
    sys.stdout.flush()  # whoever reads a log as it grows reads through a pipe, too
