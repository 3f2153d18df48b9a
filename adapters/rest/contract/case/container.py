"""``/rest/container``: make and change containers. Their lists are in `routes.py`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.errors import BadField, RunsRefer, UnknownLabel
from prefect_phantom.adapters.rest.contract.case.artifact import SCHEMAS as ARTIFACT
from prefect_phantom.adapters.rest.contract.case.artifact import new_artifact
from prefect_phantom.adapters.rest.contract.case.automation import announce, automating
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import FILLED, FLAG, INDEXED
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.body_field import (
    body_fields,
    body_schemas,
    clearable,
    read_fields,
)
from prefect_phantom.adapters.rest.request.bulk import failed
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.case import containers, new_containers
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.columns import DEFAULT_SEVERITY

BODY = body_fields(ContainerFields)


@Operation(
    body={
        **body_schemas(BODY),
        "name": FILLED,
        "label": INDEXED,
        "artifacts": {
            "type": ["array", "null"],
            "items": {"properties": {**ARTIFACT, "run_automation": FLAG}},
        },
        "run_automation": FLAG,
    },
    required=["name", "label"],
    sent={"name": "incident", "label": "events", "source_data_identifier": "doc-1"},
    answer={"success": True, "id": 43, "artifacts": [{"id": 5}]},
    optional=["artifacts"],
)
async def create(request: Request, body: dict[str, object]) -> dict[str, object]:
    """Make a container; `name` and `label` are required (vendor's documentation).

    Its `artifacts` are made with it; the answer says of each what became of it. Active playbooks
    with its label start when `run_automation` is true, or an artifact's is not false.
    """
    fields = Fields(body)
    fields.require("name")
    fields.require("label")
    new = _container_fields(request, fields)
    given = [new_artifact(each) for each in _artifacts(fields)]
    gateway = Gateway.of(request)
    with automating(request) as by:
        made, brought = await new_containers.create(
            *(gateway.database, new, given, by),
            run_automation=fields.flag("run_automation") is True,
        )
    label, severity = new.label or "", new.severity or DEFAULT_SEVERITY
    gateway.announce(Announcement(made, label, None, label, severity))
    announce(request, made, given, brought)
    results = [
        {"id": each} if isinstance(each, int) else each.fields or failed(each)
        for each in brought.outcomes
    ]
    return {"success": True, "id": made} | ({"artifacts": results} if results else {})


@Operation(
    body={**body_schemas(BODY), "artifacts": {"description": "Not here", "enum": [[], None]}},
    sent={"status": "closed"},
    answer={"success": True, "id": 43},
)
async def change(request: Request) -> Response:
    """Change what is named; further fields are ignored, as when one is made."""
    container_id = path_identifier(request, "Container")
    body = await read_object(request)
    if body.get("artifacts"):
        # Ignoring these would lose evidence without a word.
        accepted = "left out: artifacts of a container that exists are posted to /rest/artifact"
        raise BadField("artifacts", body["artifacts"], accepted)
    fields = Fields(body)
    changes = _container_fields(request, fields)
    nulls = fields.cleared(changes, clearable(ContainerFields), "a container")
    await containers.change(Gateway.of(request).database, container_id, changes, nulls)
    return answer({"success": True, "id": container_id})


@Operation(answer={"success": True, "id": 43}, refusals=[RunsRefer])
async def remove(request: Request) -> Response:
    """Delete a container on which no run was accepted (our decision)."""
    container_id = path_identifier(request, "Container")
    await containers.remove(Gateway.of(request).database, container_id)
    return answer({"success": True, "id": container_id})


def _container_fields(request: Request, fields: Fields) -> ContainerFields:
    """What is said of a container. Further fields are ignored (our decision)."""
    read = ContainerFields(**read_fields(BODY, fields))
    labels = Gateway.of(request).settings.labels
    if read.label is not None and labels is not None and read.label not in labels:
        raise UnknownLabel(read.label)
    return read


def _artifacts(fields: Fields) -> list[object]:
    given = fields.body.get("artifacts")
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadField("artifacts", given, "a list of objects")
    return given
