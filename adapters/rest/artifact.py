"""``/rest/artifact``: add an artifact to a container. Its lists are in `lists.py`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.rest.body import read_object
from adapters.rest.container import LONGEST_IDENTIFIER
from adapters.rest.fields import Fields
from adapters.rest.gateway import Gateway
from adapters.rest.responses import answer
from adapters.store import artifacts
from adapters.store.artifacts import NewArtifact

DEFAULT_NAME = "artifact"
DEFAULT_LABEL = "event"


async def create(request: Request) -> Response:
    """Add an artifact; only `container_id` is required (our decision)."""
    new = _new_artifact(await read_object(request))
    artifact_id = await artifacts.create(Gateway.of(request).database, new)
    return answer({"id": artifact_id, "success": True})


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
