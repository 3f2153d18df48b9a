"""What runs change through the runtime API: artifacts, containers, their notes, custom lists.

Each message shows the token of a live attempt, and has a key by which it is known when it comes
again. What is to be made is described as callers of the contract describe it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import FieldMissing, Invalid, NothingToChange
from prefect_phantom.adapters.rest.contract.case import container_entry
from prefect_phantom.adapters.rest.contract.case.artifact import artifact_fields, new_artifact
from prefect_phantom.adapters.rest.contract.case.automation import announcements
from prefect_phantom.adapters.rest.contract.case.container_entry import EntryHandlers
from prefect_phantom.adapters.rest.contract.case.decided_list import check_name
from prefect_phantom.adapters.rest.contract.runs.run_request import queue_delay
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.rest.runtime.messages.changes import (
    ArtifactChange,
    ContainerChange,
    NewArtifact,
    NewEntry,
    NewRow,
)
from prefect_phantom.adapters.rest.runtime.runtime_credential import bearer, runtime_route, token
from prefect_phantom.adapters.rest.runtime.runtime_message import read
from prefect_phantom.adapters.store.accounts.served_request import ServedRequest, serving
from prefect_phantom.adapters.store.case.case_changes import Change
from prefect_phantom.adapters.store.case.containers import given
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields


async def _add_artifact(request: Request) -> Response:
    message = await read(request, NewArtifact)
    new = new_artifact(dict(message.artifact))
    if isinstance(new, Invalid):
        raise new
    state = request.app.state
    change = _change(request, message.key, message.container_id)
    with serving(_served(request)):
        made = await change.add_artifact(new, queue_delay("automation", state.settings))
    if change.brought is not None and change.container_id is not None:
        if change.brought.run_ids:
            state.dispatch.notify()
        for announcement in announcements(change.container_id, [new], change.brought):
            state.announce(announcement)
    return answer({"id": made})


async def _change_artifact(request: Request) -> Response:
    message = await read(request, ArtifactChange)
    changes = artifact_fields(dict(message.artifact))
    Fields({}).cleared(changes, (), "an artifact")
    with serving(_served(request)):
        changed = await _change(request, message.key).change_artifact(
            request.path_params["artifact_id"], changes, overwrite=message.overwrite
        )
    return answer({"id": changed})


async def _change_container(request: Request) -> Response:
    message = await read(request, ContainerChange)
    changes = ContainerFields(status=message.status, severity=message.severity)
    if message.status is None and message.severity is None:
        raise NothingToChange("a container", ["status", "severity"])
    with serving(_served(request)):
        changed = await _change(request, message.key, message.container_id).change_container(
            changes
        )
    return answer({"id": changed})


def _write(kind: EntryHandlers) -> Callable[[Request], Awaitable[Response]]:
    async def write(request: Request) -> Response:
        message = await read(request, NewEntry)
        fields = Fields(dict(message.entry))
        if fields.body.get(kind.required) is None:
            raise FieldMissing(kind.required)
        bound = {name: fields.identifier(name) for name in kind.bound}
        values = given({**kind.read(fields), **bound})
        with serving(_served(request)):
            made = await _change(request, message.key, message.container_id).write(
                kind.entries, kind.author, values
            )
        return answer({"id": made})

    return write


async def _append_row(request: Request) -> Response:
    message = await read(request, NewRow)
    if message.create:
        check_name(message.name)
    with serving(_served(request)):
        changed = await _change(request, message.key).append_row(
            message.name, message.row, create=message.create
        )
    return answer({"id": changed})


def _change(request: Request, key: UUID, container_id: int | None = None) -> Change:
    return Change(request.app.state.database, bearer(request), key, container_id)


def _served(request: Request) -> ServedRequest:
    address = address_of(request.scope)
    return ServedRequest(
        request.method, request.url.path, None if address is None else str(address)
    )


ROUTES = [
    runtime_route("artifacts", token, _add_artifact),
    runtime_route("artifacts/{artifact_id:int}", token, _change_artifact),
    runtime_route("containers", token, _change_container),
    runtime_route("notes", token, _write(container_entry.NOTES)),
    runtime_route("comments", token, _write(container_entry.COMMENTS)),
    runtime_route("pins", token, _write(container_entry.PINS)),
    runtime_route("list_rows", token, _append_row),
]
