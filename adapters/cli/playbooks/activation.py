"""``playbook activate`` and ``playbook deactivate``: whether a playbook is active."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection
from prefect_phantom.adapters.cli.playbooks.playbook import Name, find
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.client import administration


def activate(
    playbook: Name, /, *, as_json: AsJson = False, connection: Connection = DEFAULT
) -> None:
    """Make a playbook active."""
    _set(playbook, active=True, cancel_runs=False, as_json=as_json, connection=connection)


def deactivate(
    playbook: Name,
    /,
    *,
    cancel_runs: Annotated[
        bool, Parameter(negative=(), help="Cancel its runs that are under way or wait, too.")
    ] = False,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """Make a playbook inactive. Callers may still start it."""
    _set(playbook, active=False, cancel_runs=cancel_runs, as_json=as_json, connection=connection)


def _set(
    name: str, *, active: bool, cancel_runs: bool, as_json: bool, connection: Connection
) -> None:
    with connection.open() as phantom:
        playbook_id = find(phantom, name)
        phantom.send(
            administration.change_playbook(playbook_id, active=active, cancel_runs=cancel_runs)
        )
        if as_json:
            Console().print_json(data={"id": playbook_id, "active": active})
        else:
            Console().print(Text(f"Playbook {name} is {'active' if active else 'inactive'}."))
