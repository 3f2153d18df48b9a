"""What runs ask about assets, and what they say of the slots that they hold."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.rest.runtime.messages.workers import HeldSlots
from prefect_phantom.adapters.rest.runtime.runtime_credential import bearer, runtime_route, token
from prefect_phantom.adapters.rest.runtime.runtime_message import read
from prefect_phantom.adapters.store.playbooks import assets
from prefect_phantom.adapters.store.runs import attempts, held_slots


async def _assets(request: Request) -> Response:
    """The assets that a run may use, by name and app alone."""
    database = request.app.state.database
    await attempts.check(database, bearer(request))
    known = [{"name": name, "app": app} for name, app in await assets.names(database)]
    return answer({"assets": known})


async def _slots(request: Request) -> Response:
    """A run says which slots it holds in limits of Prefect, whenever they change."""
    message = await read(request, HeldSlots)
    await held_slots.note(request.app.state.database, bearer(request), message.leases)
    return answer({})


ROUTES = [
    runtime_route("assets", token, _assets),
    runtime_route("slots", token, _slots),
]
