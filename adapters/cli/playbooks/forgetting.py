"""``playbook forget``: delete a playbook whose file is gone, and what goes with it."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from prefect_phantom.adapters.cli.playbooks.playbook import Name, find
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.client import administration
from prefect_phantom.client.administration import Forgotten
from prefect_phantom.flows.inside.display.visible_text import visible


def forget(
    playbook: Name,
    /,
    *,
    yes: Annotated[bool, Parameter(negative=(), help="Do not ask.")] = False,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> int:
    """Forget a playbook whose file is gone, with its schedules and the runs that wait for it."""
    with connection.open() as phantom:
        playbook_id = find(phantom, playbook)
        going = phantom.send(administration.forget_playbook(playbook_id, preview=True))
        console = Console(soft_wrap=True, highlight=False)
        if not as_json:
            for line in _lines(playbook, going):
                console.print(Text(visible(line)))
        if not yes:
            if not sys.stdin.isatty():
                fail("Nothing was forgotten: say --yes where nobody can be asked")
            if input(f"Forget {playbook}? [y/N] ").strip().lower() not in {"y", "yes"}:
                console.print("Nothing was forgotten.")
                return 1
        gone = phantom.send(administration.forget_playbook(playbook_id, preview=False))
        if as_json:
            console.print_json(data=gone.model_dump(mode="json"))
        else:
            console.print(Text(f"Playbook {playbook} is forgotten."))
        return 0


def _lines(name: str, going: Forgotten) -> list[str]:
    schedules = [f"  schedule {words}" for words in going.schedules]
    runs = [f"  run {run_id}, which waits and ends failed" for run_id in going.playbook_runs]
    kept = ["Its earlier runs stay."] if going.kept else []
    if not schedules + runs:
        return [f"With {name} go its deployment in Prefect, no schedule and no run.", *kept]
    return [f"With {name} go its deployment in Prefect, and", *schedules, *runs, *kept]
