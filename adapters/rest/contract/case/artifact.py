"""``/rest/artifact``: add artifacts to containers, and change them. Lists are in `routes.py`."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import Invalid, NotFound, PhantomError, RunsRefer
from prefect_phantom.adapters.rest.contract.case.automation import announce, automating
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import FLAG, IDENTIFIER, optional
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.body_field import (
    body_fields,
    body_schemas,
    clearable,
    read_fields,
)
from prefect_phantom.adapters.rest.request.bulk import Group, as_object
from prefect_phantom.adapters.rest.request.fields import Fields, as_identifier
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.case import artifacts, new_artifacts
from prefect_phantom.adapters.store.case.new_artifacts import NewArtifact
from prefect_phantom.adapters.store.tables.case_fields import ArtifactFields

BODY = body_fields(ArtifactFields)
SCHEMAS = {
    "container_id": optional(IDENTIFIER),
    **body_schemas(BODY),
    "severity_id": {"description": "With a name in it, a synonym of severity"},
}


@Operation(
    body={**SCHEMAS, "container_id": IDENTIFIER, "run_automation": FLAG},
    required=["container_id"],
    sent={"container_id": 42, "name": "ioc", "cef": {"destinationDnsDomain": "example.org"}},
    answer={"id": 5, "success": True},
    refusals=[NotFound],
)
async def create(request: Request, body: dict[str, object]) -> dict[str, object]:
    """Add an artifact; only `container_id` is required (our decision).

    Unless `run_automation` is false, active playbooks with the container's label start.
    """
    (result,) = await _create_all(request, [body])
    if isinstance(result, PhantomError):
        raise result
    return result


async def _create_all(
    request: Request, bodies: Sequence[object]
) -> list[dict[str, object] | PhantomError]:
    """Add artifacts to the one container that all of them name."""
    container_id = Fields(as_object(bodies[0])).required_identifier("container_id")
    given = [new_artifact(body) for body in bodies]
    wrong = [each for each in given if isinstance(each, Invalid)]
    if len(wrong) == len(given):
        return [*wrong]
    with automating(request) as by:
        brought = await new_artifacts.create(Gateway.of(request).database, container_id, given, by)
    announce(request, container_id, given, brought)
    return [
        each if isinstance(each, PhantomError) else {"id": each, "success": True}
        for each in brought.outcomes
    ]


def _container_of(item: object) -> int | None:
    """The container that an item of an array names, if it does."""
    return as_identifier(item.get("container_id")) if isinstance(item, dict) else None


IN_ONE_CONTAINER = Group(_container_of, _create_all)
"""An array's artifacts of a container are one transaction (our decision): its playbooks start once
for all of them, and for none that was refused."""


@Operation(body=SCHEMAS, sent={"tags": ["seen"]}, answer={"success": True, "id": 5})
async def change(request: Request) -> Response:
    """Change what is named; `cef` is replaced as a whole (recorded). Further fields are ignored."""
    artifact_id = path_identifier(request, "Artifact")
    body = await read_object(request)
    changes = artifact_fields(body)
    nulls = Fields(body).cleared(changes, clearable(ArtifactFields), "an artifact")
    container_id = Fields(body).identifier("container_id")
    database = Gateway.of(request).database
    await artifacts.change(database, artifact_id, changes, nulls, container_id=container_id)
    return answer({"success": True, "id": artifact_id})


@Operation(answer={"success": True, "id": 5}, refusals=[RunsRefer])
async def remove(request: Request) -> Response:
    """Delete an artifact that no run was given (our decision)."""
    artifact_id = path_identifier(request, "Artifact")
    await artifacts.remove(Gateway.of(request).database, artifact_id)
    return answer({"success": True, "id": artifact_id})


def new_artifact(given: object) -> NewArtifact | Invalid:
    """An artifact as somebody brings it, or what is wrong with it."""
    try:
        body = as_object(given)
        starts = Fields(body).flag("run_automation")
        return NewArtifact(artifact_fields(body), run_automation=starts is not False)
    except Invalid as error:
        return error


def artifact_fields(body: dict[str, object]) -> ArtifactFields:
    """What `body` says of an artifact. Further fields are ignored (our decision).

    `severity_id` with a name in it is another spelling of `severity` (sent by published clients).
    """
    fields = Fields(body)
    read = read_fields(BODY, fields)
    if read["severity"] is None and isinstance(body.get("severity_id"), str):
        read["severity"] = fields.filled_text("severity_id")
    return ArtifactFields(**read)
