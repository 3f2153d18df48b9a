"""``playbook``: write playbooks, try them, list those that a gateway knows, and start them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

from cyclopts import App, Parameter, Token
from rich.table import Column, Table

from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from prefect_phantom.adapters.cli.pairs import check as check_pairs
from prefect_phantom.adapters.cli.pairs import read as read_pairs
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.adapters.cli.terminal.live import follow
from prefect_phantom.adapters.cli.terminal.pictures import fact_grid, print_runs
from prefect_phantom.client import Phantom, Playbook, PlaybookRun, Scope

app = App(name="playbook", help="Write playbooks, try them, list those of a gateway, start them.")
# Imported when they are called: Prefect would double the time of every other command.
app.command(
    "prefect_phantom.adapters.cli.playbooks.trial:new",
    name="new",
    help="Write a good start for a playbook.",
)
app.command(
    "prefect_phantom.adapters.cli.playbooks.trial:try_",
    name="try",
    help="Run a playbook without any server.",
)
app.command(
    "prefect_phantom.adapters.cli.playbooks.playbook_report:report",
    name="report",
    help="Tell the gateway once which playbooks an image holds.",
)

LATEST = 5
"""How many runs of a playbook are shown with it."""
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


def _state(playbook: Playbook) -> Text:
    if playbook.gone:
        return Text("gone", style="yellow")
    if playbook.error:
        return Text("broken", style="red")
    if playbook.disabled:
        return Text("disabled", style="yellow")
    return Text("active" if playbook.active else "inactive")


def _names(fields: Sequence[Any]) -> list[str]:
    """Names of declared inputs or outputs."""
    return [str(field.get("name", "")) for field in fields if isinstance(field, dict)]


@app.command(name="list")
def list_(
    *,
    gone: Annotated[
        bool, Parameter(negative=(), help="Those whose file is gone, instead of the others.")
    ] = False,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """List the playbooks, with their ids."""
    with connection.open() as phantom:
        playbooks = list(phantom.iterate(Playbook, gone=True if gone else None))
        if as_json:
            Console().print_json(
                data=[
                    playbook.model_dump(mode="json", exclude_unset=True) for playbook in playbooks
                ]
            )
            return
        table = Table("id", Column("playbook", no_wrap=True), "state", "labels", "description")
        for playbook in playbooks:
            table.add_row(
                str(playbook.id),
                Text(playbook.full_name),
                _state(playbook),
                Text(", ".join(playbook.labels)),
                Text((playbook.error or playbook.description or "").partition("\n")[0]),
            )
        Console().print(table)


@app.command
def show(playbook: Name, /, *, as_json: AsJson = False, connection: Connection = DEFAULT) -> None:
    """Show a playbook: what it is for, what it takes, and its last runs."""
    with connection.open() as phantom:
        found = phantom.get(Playbook, find(phantom, playbook))
        if as_json:
            Console().print_json(data=found.model_dump(mode="json", exclude_unset=True))
            return
        facts = {
            "id": str(found.id),
            "playbook": found.full_name,
            "description": found.description,
            "type": found.playbook_type,
            "category": found.category,
            "labels": ", ".join(found.labels),
            "tags": ", ".join(found.tags),
            "inputs": ", ".join(_names(found.input_spec)),
            "outputs": ", ".join(_names(found.output_spec)),
            "deployment": found.deployment_id,
            "error": found.error,
        }
        Console().print(fact_grid(facts | {"state": _state(found)}))
        latest = phantom.iterate(PlaybookRun, playbook=found.id, sort="-id", page_size=LATEST)
        print_runs(list(islice(latest, LATEST)))


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
            validator=check_pairs,
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
        inputs = read_pairs(pairs)
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
        given = phantom.set_playbook_id(find(phantom, playbook), new_id)
        if as_json:
            Console().print_json(data={"id": given})
        else:
            Console().print(f"Playbook {playbook} has the id {given}.")


def find(phantom: Phantom, name: str) -> int:
    """Id of the one playbook of this name, or else of one whose file is gone.

    Ends the command when there is none, or several.
    """
    found: list[Playbook] = []
    for gone in (None, True):
        found = found or [
            playbook
            for playbook in phantom.iterate(Playbook, gone=gone)
            if name in (playbook.full_name, playbook.name, str(playbook.id))
        ]
    if not found:
        fail(f'Playbook "{name}" not found')
    if len(found) > 1:
        names = ", ".join(playbook.full_name for playbook in found)
        fail(f'"{name}" could be any of {names}')
    return found[0].id
