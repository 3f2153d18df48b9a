"""App Phantom: what a playbook does to its own case.

It needs no asset. Parameters have the names that Phantom's app, or where that has no such action
its playbook API, gives them. The author of what is written is the user on whose behalf the run
goes.
"""

from __future__ import annotations

import ast
import json
import time
from contextlib import suppress
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import Field

from prefect_phantom import ActionFailure, ActionResult, action
from prefect_phantom.flows import case

ContainerId = Annotated[
    int | None, Field(gt=0, description="The container; by default the run's own")
]
JsonText = str | dict[str, Any] | None
"""An object, or a JSON text of one, which Phantom's app takes."""
LONGEST_ROW = 100_000
"""In characters: a longer text is one value."""
LONGEST_SLEEP = 24 * 60 * 60
"""In seconds."""


@action("add artifact", app="Phantom", type="generic")
def add_artifact(
    name: Annotated[str, Field(description="Name of the artifact")] = "User created artifact",
    container_id: ContainerId = None,
    label: Annotated[str, Field(description="Label of the artifact")] = "event",
    source_data_identifier: Annotated[
        str | None, Field(description="What it is called at its source; by default something new")
    ] = None,
    cef_name: Annotated[str | None, Field(description="Name of a CEF field")] = None,
    cef_value: Annotated[str | None, Field(description="Value of that CEF field")] = None,
    cef_dictionary: Annotated[
        JsonText, Field(description="CEF fields and their values, an object or its JSON text")
    ] = None,
    contains: Annotated[
        JsonText, Field(description="Types of the CEF fields by name, or those of cef_name")
    ] = None,
    severity: Annotated[str | None, Field(description="Severity of the artifact")] = None,
    run_automation: Annotated[
        bool, Field(description="Start active playbooks; as in Phantom's app, not by default")
    ] = False,
) -> ActionResult:
    """Add an artifact to a container."""
    cef = _object("cef_dictionary", cef_dictionary)
    types: dict[str, Any] = {}
    if cef_name and cef_value:
        cef[cef_name] = cef_value
        if isinstance(contains, str) and not contains.lstrip().startswith("{"):
            types = {cef_name: [part.strip() for part in contains.split(",") if part.strip()]}
            contains = None
    types |= _object("contains", contains)
    artifact = {
        "name": name,
        "label": label,
        "source_data_identifier": source_data_identifier or str(uuid4()),
        "cef": cef,
        "cef_types": types,
        "severity": severity,
        "run_automation": run_automation,
    }
    made = case.add_artifact(artifact, container_id)
    return ActionResult(
        message=f"Artifact {made} was added",
        data=[{"id": made, "success": True}],
        summary={"artifact_id": made},
    )


@action("update artifact", app="Phantom", type="generic")
def update_artifact(
    artifact_id: Annotated[int, Field(gt=0, description="The artifact")],
    name: Annotated[str | None, Field(description="Its new name")] = None,
    label: Annotated[str | None, Field(description="Its new label")] = None,
    severity: Annotated[str | None, Field(description="Its new severity")] = None,
    cef_json: Annotated[
        JsonText, Field(description="CEF fields and their values, an object or its JSON text")
    ] = None,
    cef_types_json: Annotated[JsonText, Field(description="Types of CEF fields by name")] = None,
    tags: Annotated[
        str | list[str] | None, Field(description="Tags, a list or separated by commas")
    ] = None,
    overwrite: Annotated[
        bool, Field(description="Replace its CEF fields and tags instead of adding to them")
    ] = False,
    artifact_json: Annotated[
        JsonText, Field(description="Any fields of an artifact, which count before the others")
    ] = None,
) -> ActionResult:
    """Change an artifact: what is not named stays."""
    given: dict[str, Any] = {"name": name, "label": label, "severity": severity}
    if cef_json is not None:
        given["cef"] = _object("cef_json", cef_json)
    if cef_types_json is not None:
        given["cef_types"] = _object("cef_types_json", cef_types_json)
    if tags is not None:
        given["tags"] = _tags(tags)
    given |= _object("artifact_json", artifact_json)
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise ActionFailure("Nothing is named that should be changed")
    case.update_artifact(artifact_id, changes, overwrite=overwrite)
    return ActionResult(
        message="Artifact updated successfully.",
        data=[{"id": artifact_id, "success": True, "requested_artifact": changes}],
        summary={"artifact_id": artifact_id},
    )


@action("no op", app="Phantom", type="investigate")
def no_op(
    sleep_seconds: Annotated[
        float, Field(ge=0, le=LONGEST_SLEEP, description="How long to wait, in seconds")
    ],
) -> ActionResult:
    """Wait, and do nothing else."""
    time.sleep(sleep_seconds)
    return ActionResult(message=f"Slept for {sleep_seconds:g} seconds")


@action("add listitem", app="Phantom", type="generic")
def add_listitem(
    list: Annotated[  # noqa: A002 - the parameter's name in Phantom
        str, Field(min_length=1, description="Name or id of the custom list")
    ],
    new_row: Annotated[
        str | int | float | bool | list[case.Cell],
        Field(description="A value, or a list of values, also as its text"),
    ],
    create: Annotated[bool, Field(description="Make the list if there is none")] = False,
) -> ActionResult:
    """Add a row to a custom list."""
    made = case.append_row(list, _row(new_row), create=create)
    return ActionResult(
        message=f"A row was added to the list {list}",
        data=[{"id": made, "status": "success"}],
        summary={"list_id": made},
    )


@action("set status", app="Phantom", type="generic")
def set_status(
    status: Annotated[str, Field(min_length=1, description="Such as new, open or closed")],
    container_id: ContainerId = None,
) -> ActionResult:
    """Give a container another status; `closed` closes it."""
    case.update_container(status=status, container_id=container_id)
    return ActionResult(message=f"Status is {status}", summary={"status": status})


@action("set severity", app="Phantom", type="generic")
def set_severity(
    severity: Annotated[str, Field(min_length=1, description="Such as low, medium or high")],
    container_id: ContainerId = None,
) -> ActionResult:
    """Give a container another severity."""
    case.update_container(severity=severity, container_id=container_id)
    return ActionResult(message=f"Severity is {severity}", summary={"severity": severity})


@action("add note", app="Phantom", type="generic")
def add_note(
    title: Annotated[str, Field(description="Title of the note")],
    content: Annotated[str, Field(min_length=1, description="What it says")],
    container_id: ContainerId = None,
    note_type: Annotated[str, Field(min_length=1, description="Such as general")] = "general",
    note_format: Annotated[
        Literal["markdown", "html"], Field(description="How its text is meant")
    ] = "markdown",
    artifact_id: Annotated[
        int | None, Field(gt=0, description="An artifact of the container that it is about")
    ] = None,
) -> ActionResult:
    """Write a note on a container."""
    note: dict[str, Any] = {
        "title": title,
        "content": content,
        "note_type": note_type,
        "note_format": note_format,
    }
    if artifact_id is not None:
        note["artifact_id"] = artifact_id
    made = case.add_note(note, container_id)
    return ActionResult(message="Note created", data=[{"id": made}], summary={"note_id": made})


@action("add comment", app="Phantom", type="generic")
def add_comment(
    comment: Annotated[str, Field(min_length=1, description="What it says")],
    container_id: ContainerId = None,
) -> ActionResult:
    """Write a comment on a container."""
    made = case.add_comment(comment, container_id)
    return ActionResult(
        message="Comment created", data=[{"id": made}], summary={"comment_id": made}
    )


@action("pin", app="Phantom", type="generic")
def pin(
    message: Annotated[str, Field(min_length=1, description="What stands on the pin")],
    data: Annotated[str | None, Field(description="What stands below it")] = None,
    container_id: ContainerId = None,
    pin_type: Annotated[str | None, Field(description="Such as card or data")] = None,
    pin_style: Annotated[str | None, Field(description="Its colour: grey, blue, red ...")] = None,
) -> ActionResult:
    """Pin something to a container, for everybody who looks at it."""
    wanted = {"message": message, "data": data, "pin_type": pin_type, "pin_style": pin_style}
    said = {name: value for name, value in wanted.items() if value is not None}
    made = case.add_pin(said, container_id)
    return ActionResult(message="Pin created", data=[{"id": made}], summary={"pin_id": made})


def _object(name: str, given: JsonText) -> dict[str, Any]:
    """The object that a parameter is, or is a JSON text of."""
    value: object = given
    if isinstance(given, str):
        try:
            value = json.loads(given) if given.strip() else {}
        except ValueError as error:
            raise ActionFailure(f"{name} is not JSON: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ActionFailure(f"{name} must be an object or a JSON text of one, not {value!r}")
    return dict(value)


def _tags(given: str | list[str]) -> list[str]:
    """Tags as a list; a text has them separated by commas, and may have brackets and quotes."""
    parts = given.strip().strip("[]").split(",") if isinstance(given, str) else given
    return [tag for tag in (part.strip().strip("'\"") for part in parts) if tag]


def _row(given: object) -> list[case.Cell]:
    """A row: a list of values, or its text as Phantom's app takes it, or one value alone."""
    value = given
    if isinstance(given, str) and len(given) <= LONGEST_ROW:
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            value = ast.literal_eval(given)
    cells = value if isinstance(value, list | tuple) else [value]
    if all(cell is None or isinstance(cell, str | int | float) for cell in cells):
        return [*cells]
    if isinstance(given, str):
        return [given]
    raise ActionFailure(f"A row has texts, numbers, booleans and nulls, not {given!r}")
