"""``container``: make containers, and look at them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.table import Table

from prefect_phantom.adapters.cli import pairs
from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.adapters.cli.terminal.pictures import fact_grid, moment, print_runs
from prefect_phantom.client import Artifact, Container, Note, PlaybookRun
from prefect_phantom.client.pages import PAGE_SIZE

app = App(name="container", help="Make containers, and look at them.")

LATEST = 5
"""How many runs on a container are shown with it."""


@app.command
def create(
    name: Annotated[str | None, Parameter(help="What it is called.")] = None,
    /,
    *,
    label: Annotated[str | None, Parameter(help="Its label, by default events.")] = None,
    severity: Annotated[str | None, Parameter(help="Such as low, medium or high.")] = None,
    description: Annotated[str | None, Parameter(help="What happened.")] = None,
    tag: Annotated[list[str] | None, Parameter(negative=(), help="A tag; may be repeated.")] = None,
    cef: Annotated[
        list[str] | None,
        Parameter(
            validator=pairs.check,
            negative=(),
            help="KEY=VALUE of its artifact, such as sourceAddress=192.0.2.1; may be repeated.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        Parameter(help="JSON file with the fields of the container and its list artifacts."),
    ] = None,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """Make a container with artifacts. Options count more than what the file says."""
    fields = {} if file is None else _read(file)
    given = {
        "name": name,
        "label": label,
        "severity": severity,
        "description": description,
        "tags": tag,
    }
    fields |= {key: value for key, value in given.items() if value is not None}
    if cef:
        further = {"name": "artifact", "cef": pairs.read(cef)}
        fields["artifacts"] = [*fields.get("artifacts", []), further]
    if "name" not in fields:
        fail("Give the container a NAME, or a --file that does.", code=2)
    with connection.open() as phantom:
        container_id = phantom.create_container(**fields)
        if as_json:
            Console().print_json(data={"id": container_id})
        else:
            Console().print(f"Container {container_id} made.")


@app.command
def show(
    container_id: Annotated[int, Parameter(help="Id of the container.")],
    /,
    *,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """Show a container with its artifacts and notes, and the last runs on it."""
    with connection.open() as phantom:
        container = phantom.get(Container, container_id)
        artifacts = list(phantom.iterate(Artifact, container=container_id))
        notes = list(phantom.iterate(Note, container=container_id))
        if as_json:
            whole = container.model_dump(mode="json", exclude_unset=True)
            whole["artifacts"] = [
                artifact.model_dump(mode="json", exclude_unset=True) for artifact in artifacts
            ]
            whole["notes"] = [note.model_dump(mode="json", exclude_unset=True) for note in notes]
            Console().print_json(data=whole)
            return
        latest = phantom.iterate(PlaybookRun, container=container_id, sort="-id", page_size=LATEST)
        runs = list(islice(latest, LATEST))
        Console().print(_facts(container))
        if artifacts:
            Console().print(_artifact_table(artifacts))
        if notes:
            Console().print(_note_table(notes))
        if runs:
            print_runs(runs)


@app.command(name="list")
def list_(
    *,
    label: Annotated[str | None, Parameter(help="Only those with it.")] = None,
    status: Annotated[str | None, Parameter(help="Only those in it, such as open.")] = None,
    name: Annotated[str | None, Parameter(help="Only those with this in their names.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 20,
    as_json: AsJson = False,
    connection: Connection = DEFAULT,
) -> None:
    """List containers, the newest first."""
    with connection.open() as phantom:
        found = phantom.iterate(
            Container,
            sort="-id",
            page_size=max(1, min(limit, PAGE_SIZE)),
            label=label,
            status=status,
            name__icontains=name,
        )
        containers = list(islice(found, limit))
        if as_json:
            dumped = [each.model_dump(mode="json", exclude_unset=True) for each in containers]
            Console().print_json(data=dumped)
            return
        table = Table("id", "name", "label", "status", "severity", "artifacts", "made")
        for each in containers:
            table.add_row(
                str(each.id),
                Text(each.name),
                Text(each.label),
                Text(each.status),
                Text(each.severity),
                str(each.artifact_count),
                moment(each.create_time),
            )
        Console().print(table)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        fail(f"{file} cannot be read: {error}")
    if not isinstance(content, dict) or not isinstance(content.get("artifacts", []), list):
        fail(f'{file} is not a JSON object such as {{"name": "...", "artifacts": [...]}}')
    return content


def _facts(container: Container) -> Table:
    return fact_grid(
        {
            "id": str(container.id),
            "name": container.name,
            "label": container.label,
            "status": container.status,
            "severity": container.severity,
            "sensitivity": container.sensitivity,
            "description": container.description,
            "tags": ", ".join(container.tags),
            "source data": container.source_data_identifier,
            "made": moment(container.create_time),
        }
    )


def _artifact_table(artifacts: Sequence[Artifact]) -> Table:
    table = Table("id", "artifact", "label", "severity", "cef")
    for artifact in artifacts:
        values = ", ".join(f"{key}={value}" for key, value in artifact.cef.items())
        table.add_row(
            str(artifact.id),
            Text(artifact.name),
            Text(artifact.label),
            Text(artifact.severity),
            Text(values),
        )
    return table


def _note_table(notes: Sequence[Note]) -> Table:
    table = Table("id", "note", "by", "written", "content")
    for note in notes:
        table.add_row(
            str(note.id),
            Text(note.title),
            Text(note.author_name or ""),
            moment(note.create_time),
            Text(note.content),
        )
    return table
