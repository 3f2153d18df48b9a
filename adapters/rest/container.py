"""``/rest/container``: make a container and read it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import BadField, ContainerNotFound, UnknownLabel
from adapters.rest.body import read_object
from adapters.rest.fields import Fields, as_identifier
from adapters.rest.gateway import Gateway
from adapters.rest.responses import answer
from adapters.rest.times import optional_timestamp, timestamp
from adapters.store import containers
from adapters.store.containers import Container, NewContainer

LONGEST_IDENTIFIER = 512
"""Characters of a ``source_data_identifier``; PostgreSQL can index no more than 2.7 kB."""


async def create(request: Request) -> Response:
    """Make a container; `name` and `label` are required (vendor's documentation)."""
    gateway = Gateway.of(request)
    new = _new_container(await read_object(request))
    labels = gateway.settings.labels
    if labels is not None and new.label not in labels:
        raise UnknownLabel(new.label)
    container_id = await containers.create(gateway.database, new)
    return answer({"success": True, "id": container_id})


async def show(request: Request) -> Response:
    """One container."""
    text: str = request.path_params["id"]
    container_id = as_identifier(text)
    if container_id is None:
        raise ContainerNotFound(text)
    return answer(
        _container_object(await containers.read(Gateway.of(request).database, container_id))
    )


def _new_container(body: dict[str, object]) -> NewContainer:
    """The container that `body` describes. Further fields are ignored (our decision)."""
    fields = Fields(body)
    fields.require("name")
    fields.require("label")
    if body.get("artifacts"):
        # Ignoring these would lose evidence without a word.
        accepted = "left out: artifacts are posted to /rest/artifact one by one"
        raise BadField("artifacts", body["artifacts"], accepted)
    return NewContainer(
        name=fields.filled_text("name") or "",
        label=fields.filled_text("label") or "",
        description=fields.text("description"),
        status=fields.filled_text("status"),
        severity=fields.filled_text("severity"),
        sensitivity=fields.filled_text("sensitivity"),
        container_type=fields.filled_text("container_type"),
        source_data_identifier=fields.filled_text(
            "source_data_identifier", longest=LONGEST_IDENTIFIER
        ),
        external_id=fields.text("external_id"),
        kill_chain=fields.text("kill_chain"),
        owner_id=fields.identifier("owner_id"),
        tags=fields.texts("tags"),
        custom_fields=fields.mapping("custom_fields"),
        data=fields.mapping("data"),
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
        due_time=fields.time("due_time"),
        open_time=fields.time("open_time"),
        close_time=fields.time("close_time"),
    )


def _container_object(container: Container) -> dict[str, Any]:
    """Fields and order of a recorded container, with `data` of an older recording at the end."""
    return {
        "tags": container.tags,
        "id": container.id,
        "artifact_count": container.artifact_count,
        "artifact_update_time": timestamp(container.artifact_update_time),
        "asset": None,
        "close_time": optional_timestamp(container.close_time),
        "closing_owner": None,
        "closing_rule_run": None,
        "container_update_time": timestamp(container.container_update_time),
        "create_time": timestamp(container.create_time),
        "description": container.description,
        "due_time": optional_timestamp(container.due_time),
        "end_time": optional_timestamp(container.end_time),
        "hash": container.hash,
        "external_id": container.external_id,
        "ingest_app": None,
        "kill_chain": container.kill_chain,
        "label": container.label,
        "name": container.name,
        "open_time": optional_timestamp(container.open_time),
        "owner": container.owner_id,
        "role": None,
        "owner_name": container.owner_name,
        "sensitivity": container.sensitivity,
        "severity": container.severity,
        "source_data_identifier": container.source_data_identifier,
        "start_time": timestamp(container.start_time),
        "status": container.status,
        "version": container.version,
        "workflow_name": "",
        "custom_fields": container.custom_fields,
        "container_type": container.container_type,
        "in_case": False,
        "current_phase": None,
        "tenant": 0,
        "parent_container": None,
        "node_guid": None,
        "data": container.data,
    }
