"""``/rest/artifact``: add an artifact to a container and read it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import ArtifactNotFound
from adapters.rest.body import read_object
from adapters.rest.container import LONGEST_IDENTIFIER
from adapters.rest.fields import Fields, as_identifier
from adapters.rest.gateway import Gateway
from adapters.rest.responses import answer
from adapters.rest.times import optional_timestamp, timestamp
from adapters.store import artifacts
from adapters.store.artifacts import Artifact, NewArtifact

DEFAULT_NAME = "artifact"
DEFAULT_LABEL = "event"


async def create(request: Request) -> Response:
    """Add an artifact; only `container_id` is required (our decision)."""
    new = _new_artifact(await read_object(request))
    artifact_id = await artifacts.create(Gateway.of(request).database, new)
    return answer({"id": artifact_id, "success": True})


async def show(request: Request) -> Response:
    """One artifact."""
    text: str = request.path_params["id"]
    artifact_id = as_identifier(text)
    if artifact_id is None:
        raise ArtifactNotFound(text)
    return answer(_artifact_object(await artifacts.read(Gateway.of(request).database, artifact_id)))


def _new_artifact(body: dict[str, object]) -> NewArtifact:
    """The artifact that `body` describes. Further fields are ignored (our decision)."""
    fields = Fields(body)
    return NewArtifact(
        container_id=fields.required_identifier("container_id"),
        name=fields.filled_text("name") or DEFAULT_NAME,
        label=fields.filled_text("label") or DEFAULT_LABEL,
        type=fields.text("type"),
        description=fields.text("description"),
        severity=fields.filled_text("severity"),
        source_data_identifier=fields.filled_text(
            "source_data_identifier", longest=LONGEST_IDENTIFIER
        ),
        external_id=fields.text("external_id"),
        kill_chain=fields.text("kill_chain"),
        owner_id=fields.identifier("owner_id"),
        cef=fields.mapping("cef"),
        cef_types=fields.mapping("cef_types"),
        data=fields.mapping("data"),
        tags=fields.texts("tags"),
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
    )


def _artifact_object(artifact: Artifact) -> dict[str, Any]:
    """Fields and order of a recorded artifact, with `data` at the end as containers have it."""
    return {
        "tags": artifact.tags,
        "id": artifact.id,
        "cef": artifact.cef,
        "cef_types": artifact.cef_types,
        "container": artifact.container_id,
        "create_time": timestamp(artifact.create_time),
        "description": artifact.description,
        "end_time": optional_timestamp(artifact.end_time),
        "external_id": artifact.external_id,
        "hash": artifact.hash,
        "ingest_app": None,
        "kill_chain": artifact.kill_chain,
        "label": artifact.label,
        "name": artifact.name,
        "owner": artifact.owner_id,
        "playbook_run": None,
        "severity": artifact.severity,
        "source_data_identifier": artifact.source_data_identifier,
        "start_time": timestamp(artifact.start_time),
        "type": artifact.type,
        "update_time": timestamp(artifact.update_time),
        "version": artifact.version,
        "in_case": False,
        "has_note": False,
        "parent_container": None,
        "parent_artifact": None,
        "data": artifact.data,
    }
