"""What the run in hand may change: artifacts, containers, what is written there, custom lists.

The gateway refuses it once the run is cancelled or is no longer this process's. Each change has a
key that is made here, so that one whose answer was lost is asked for again and made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from prefect_phantom.flows.failure import ActionFailure
from prefect_phantom.flows.inside.runtime.client import RuntimeRefused
from prefect_phantom.flows.run import current

Cell = str | int | float | bool | None


def add_artifact(artifact: dict[str, Any], container_id: int | None = None) -> int:
    """Add an artifact, described as for ``POST /rest/artifact``; returns its id.

    It starts active playbooks unless its ``run_automation`` is false. Without `container_id` it
    goes to the run's own container.

    Raises:
        ActionFailure: the gateway refused it, for instance because it is there already.

    """
    return _change("artifacts", {"container_id": container_id, "artifact": artifact})


def update_artifact(artifact_id: int, artifact: dict[str, Any], *, overwrite: bool = False) -> None:
    """Change what is named of an artifact.

    Unless `overwrite`, CEF fields, their types and tags are added to those that it has.

    Raises:
        ActionFailure: the gateway refused it, for instance because there is no such artifact.

    """
    _change(f"artifacts/{artifact_id}", {"artifact": artifact, "overwrite": overwrite})


def update_container(
    *, status: str | None = None, severity: str | None = None, container_id: int | None = None
) -> None:
    """Change status and severity of a container, by default the run's own.

    Raises:
        ActionFailure: the gateway refused it.

    """
    body = {"container_id": container_id, "status": status, "severity": severity}
    _change("containers", body)


def add_note(note: dict[str, Any], container_id: int | None = None) -> int:
    """Write a note, described as for ``POST /rest/note``; returns its id.

    Raises:
        ActionFailure: the gateway refused it.

    """
    return _change("notes", {"container_id": container_id, "entry": note})


def add_comment(comment: str, container_id: int | None = None) -> int:
    """Write a comment; returns its id.

    Raises:
        ActionFailure: the gateway refused it.

    """
    return _change("comments", {"container_id": container_id, "entry": {"comment": comment}})


def add_pin(pin: dict[str, Any], container_id: int | None = None) -> int:
    """Pin something, described as for ``POST /rest/container_pin``; returns the pin's id.

    Raises:
        ActionFailure: the gateway refused it.

    """
    return _change("pins", {"container_id": container_id, "entry": pin})


def append_row(name: str, row: Sequence[Cell], *, create: bool = False) -> int:
    """Add a row to the custom list with this name or id, made first with `create`; returns its id.

    Raises:
        ActionFailure: the gateway refused it, for instance because there is no such list.

    """
    return _change("list_rows", {"name": name, "row": list(row), "create": create})


def _change(path: str, body: dict[str, Any]) -> int:
    said = {name: value for name, value in body.items() if value is not None}
    try:
        answer = current().recorder.post(f"/runtime/{path}", {"key": str(uuid4()), **said})
    except RuntimeRefused as refused:
        raise ActionFailure(str(refused)) from refused
    return int(answer["id"])
