"""``/rest/artifact``: add artifacts to containers, and change them. Lists are in `listed.py`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import ArtifactNotFound, ContainerNotFound, RunsRefer
from adapters.rest.body import read_object
from adapters.rest.fields import LONGEST_INDEXED, Fields
from adapters.rest.gateway import Gateway
from adapters.rest.openapi.operation import Operation
from adapters.rest.openapi.schemas import (
    FILLED,
    IDENTIFIER,
    INDEXED,
    OBJECT,
    OWNER,
    TEXT,
    TEXTS,
    TIME,
    optional,
)
from adapters.rest.path_identifier import path_identifier
from adapters.rest.responses import answer
from adapters.store import artifacts
from adapters.store.artifacts import ArtifactFields

CLEARABLE = ("type", "description", "external_id", "kill_chain", "owner_id", "end_time")


BODY = {
    "container_id": optional(IDENTIFIER),
    "name": optional(FILLED),
    "label": optional(FILLED),
    "type": TEXT,
    "description": TEXT,
    "severity": optional(FILLED),
    "severity_id": {"description": "With a name in it, a synonym of severity"},
    "source_data_identifier": optional(INDEXED),
    "external_id": TEXT,
    "kill_chain": TEXT,
    "owner_id": OWNER,
    "cef": OBJECT,
    "cef_types": OBJECT,
    "data": OBJECT,
    "tags": TEXTS,
    "start_time": TIME,
    "end_time": TIME,
}


@Operation(
    body={**BODY, "container_id": IDENTIFIER},
    required=["container_id"],
    sent={"container_id": 42, "name": "ioc", "cef": {"destinationDnsDomain": "example.org"}},
    answer={"id": 5, "success": True},
    refusals=[ContainerNotFound],
)
async def create(request: Request, body: dict[str, object]) -> dict[str, object]:
    """Add an artifact; only `container_id` is required (our decision)."""
    container_id = Fields(body).required_identifier("container_id")
    new = artifact_fields(body)
    made = await artifacts.create(Gateway.of(request).database, container_id, new)
    return {"id": made, "success": True}


@Operation(body=BODY, sent={"tags": ["seen"]}, answer={"success": True, "id": 5})
async def change(request: Request) -> Response:
    """Change what is named; `cef` is replaced as a whole (recorded). Further fields are ignored."""
    artifact_id = path_identifier(request, ArtifactNotFound)
    body = await read_object(request)
    changes = artifact_fields(body)
    nulls = Fields(body).cleared(changes, CLEARABLE, "an artifact")
    container_id = Fields(body).identifier("container_id")
    database = Gateway.of(request).database
    await artifacts.change(database, artifact_id, changes, nulls, container_id=container_id)
    return answer({"success": True, "id": artifact_id})


@Operation(answer={"success": True, "id": 5}, refusals=[RunsRefer])
async def remove(request: Request) -> Response:
    """Delete an artifact that no run was given (our decision)."""
    artifact_id = path_identifier(request, ArtifactNotFound)
    await artifacts.remove(Gateway.of(request).database, artifact_id)
    return answer({"success": True, "id": artifact_id})


def artifact_fields(body: dict[str, object]) -> ArtifactFields:
    """What `body` says of an artifact. Further fields are ignored (our decision).

    `severity_id` with a name in it is another spelling of `severity` (sent by published clients).
    """
    fields = Fields(body)
    severity = fields.filled_text("severity")
    if severity is None and isinstance(body.get("severity_id"), str):
        severity = fields.filled_text("severity_id")
    return ArtifactFields(
        name=fields.filled_text("name"),
        label=fields.filled_text("label"),
        type=fields.text("type"),
        description=fields.text("description"),
        severity=severity,
        source_data_identifier=fields.filled_text(
            "source_data_identifier", longest=LONGEST_INDEXED
        ),
        external_id=fields.text("external_id"),
        kill_chain=fields.text("kill_chain"),
        owner_id=fields.user("owner_id"),
        cef=fields.mapping("cef"),
        cef_types=fields.mapping("cef_types"),
        data=fields.mapping("data"),
        tags=fields.texts("tags"),
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
    )
