"""``playbook``: write playbooks, try them, list those that a gateway knows, and start them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter, Token
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from adapters.cli.run import follow
from adapters.client import Phantom, Scope

app = App(name="playbook", help="Write playbooks, try them, list those of a gateway, start them.")
# Imported when they are called: Prefect would double the time of every other command.
app.command("adapters.cli.trial:new", name="new", help="Write a good start for a playbook.")
app.command("adapters.cli.trial:try_", name="try", help="Run a playbook without any server.")

Name = Annotated[str, Parameter(help="The playbook, as REPO/NAME, its bare name or its id.")]


def _scope(_: object, tokens: Sequence[Token]) -> Scope:
    text = tokens[0].value
    if text in ("all", "new"):
        return "new" if text == "new" else "all"
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f'"{text}" is not all, new, or artifact ids like 1,2,3') from None


def json_object(_: object, tokens: Sequence[Token]) -> dict[str, Any]:
    """The JSON object in an option. Raises ValueError for anything else."""
    try:
        value = json.loads(tokens[0].value)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError('not a JSON object like {"seconds": 5}')  # noqa: TRY004 - for cyclopts
    return value


def _pairs(_: object, pairs: list[str] | None) -> None:
    for pair in pairs or []:
        if not pair.partition("=")[0] or "=" not in pair:
            raise ValueError(f'"{pair}" is not KEY=VALUE')


def _value(text: str) -> object:
    """JSON where the text is JSON, such as ``5`` or ``true``; else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@app.command(name="list")
def list_(*, as_json: AsJson = False, connection: Connection = DEFAULT) -> None:
    """List the playbooks, with their ids."""
    with connection.open() as phantom:
        playbooks = phantom.playbooks()
        if as_json:
            Console().print_json(
                data=[
                    playbook.model_dump(mode="json", exclude_unset=True) for playbook in playbooks
                ]
            )
            return
        table = Table("id", Column("playbook", no_wrap=True), "state", "labels", "description")
        for playbook in playbooks:
            state = Text("active" if playbook.active else "inactive")
            if playbook.disabled:
                state = Text("disabled", style="yellow")
            if playbook.error:
                state = Text("broken", style="red")
            table.add_row(
                str(playbook.id),
                Text(playbook.full_name),
                state,
                Text(", ".join(playbook.labels)),
                Text(playbook.error or playbook.description or ""),
            )
        Console().print(table)


@app.command
def run(
    playbook: Name,
    /,
    *,
    container: Annotated[int, Parameter(help="Id of the container to run it on.")],
    scope: Annotated[
        Scope,
        Parameter(
            converter=_scope,
            negative=(),
            accepts_keys=False,
            n_tokens=1,
            help="Which artifacts it sees: all, new, or their ids like 1,2,3.",
        ),
    ] = "all",
    pairs: Annotated[
        list[str] | None,
        Parameter(
            name="--input",
            validator=_pairs,
            negative=(),
            help="KEY=VALUE, once for each input; a value that is JSON is taken as JSON.",
        ),
    ] = None,
    inputs: Annotated[
        dict[str, Any] | None,
        Parameter(
            converter=json_object,
            accepts_keys=False,
            n_tokens=1,
            negative=(),
            help="All inputs as one JSON object.",
        ),
    ] = None,
    wait: Annotated[
        bool, Parameter(negative=(), help="Follow the run to its end; exit code 1 if it failed.")
    ] = False,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> int:
    """Start a playbook on a container."""
    if pairs and inputs is not None:
        fail("Give either --input or --inputs, not both.", code=2)
    if pairs:
        inputs = {key: _value(text) for key, _, text in (pair.partition("=") for pair in pairs)}
    with connection.open() as phantom:
        playbook_run_id = phantom.run(playbook, container, scope=scope, inputs=inputs)
        if wait:
            return follow(phantom, playbook_run_id, as_json=as_json)
        if as_json:
            Console().print_json(data={"playbook_run_id": playbook_run_id})
        else:
            Console().print(f"Playbook run {playbook_run_id} started.")
        return 0


@app.command
def set_id(
    playbook: Name,
    new_id: Annotated[int, Parameter(help="The id that callers have written down.")],
    /,
    *,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """Give a playbook the id that callers know it by."""
    with connection.open() as phantom:
        given = phantom.set_playbook_id(_find(phantom, playbook), new_id)
        if as_json:
            Console().print_json(data={"id": given})
        else:
            Console().print(f"Playbook {playbook} has the id {given}.")


def _find(phantom: Phantom, name: str) -> int:
    """Id of the one playbook of this name."""
    found = [
        playbook
        for playbook in phantom.playbooks()
        if name in (playbook.full_name, playbook.name, str(playbook.id))
    ]
    if not found:
        fail(f'Playbook "{name}" not found')
    if len(found) > 1:
        names = ", ".join(playbook.full_name for playbook in found)
        fail(f'"{name}" could be any of {names}')
    return found[0].id
