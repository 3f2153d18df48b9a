"""Starting a playbook on many containers at once, for the flow ``for_each_container``."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.rest.contract.runs.run_request import queue_delay
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage
from prefect_phantom.adapters.rest.runtime.runtime_credential import (
    require_own,
    runtime_route,
    ticket,
)
from prefect_phantom.adapters.rest.runtime.runtime_message import read
from prefect_phantom.adapters.store.accounts.served_request import ServedRequest, serving
from prefect_phantom.adapters.store.starts import scheduled_starts
from prefect_phantom.adapters.store.starts.automation import PATH
from prefect_phantom.adapters.store.starts.scheduled_starts import ScheduledStart


class _Start(RuntimeMessage):
    flow_run_id: UUID
    label: str = Field(min_length=1)
    playbook: str = Field(min_length=1)
    statuses: list[str] = Field(min_length=1, max_length=100)
    scope: Literal["all", "new"]


async def _start(request: Request) -> Response:
    message = await read(request, _Start)
    require_own(request, [message.flow_run_id])
    state = request.app.state
    address = address_of(request.scope)
    wanted = ScheduledStart(**dict(message), queue_delay=queue_delay("automation", state.settings))
    started_by = ServedRequest("POST", PATH, None if address is None else str(address))
    started_by.message = f"Started by flow run {message.flow_run_id} in Prefect"
    with serving(started_by):
        run_ids = await scheduled_starts.start(
            state.database, wanted, repositories=state.settings.repositories
        )
    state.dispatch.notify()
    return answer({"playbook_run_ids": run_ids})


ROUTES = [runtime_route("scheduled_starts", ticket, _start)]
