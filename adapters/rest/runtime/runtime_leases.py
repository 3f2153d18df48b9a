"""What guardians say of the runs that they answer for: who lives, and whose processes are gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.rest.layers.answer_headers import AnswerHeaders
from prefect_phantom.adapters.rest.layers.failures import Failures
from prefect_phantom.adapters.rest.layers.hosts import Hosts
from prefect_phantom.adapters.rest.layers.paths import Paths
from prefect_phantom.adapters.rest.layers.strangers import Strangers
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.rest.runtime.messages.workers import FlowRuns, GoneProcesses
from prefect_phantom.adapters.rest.runtime.runtime_credential import (
    require_own,
    runtime_route,
    ticket,
)
from prefect_phantom.adapters.rest.runtime.runtime_message import read
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs import leases, unsettled_runs

Address = Mapping[str, str | int]
"""Where leases are renewed: `url`, or `port` on the host of the runtime API; empty for here."""


async def _lease(request: Request) -> Response:
    """A guardian answers for the processes of these runs, and asks which may not go on."""
    message = await read(request, FlowRuns)
    require_own(request, message.flow_run_ids)
    state = request.app.state
    await leases.renew(state.database, request.path_params["name"], message.flow_run_ids)
    stop = await unsettled_runs.refused(state.database, message.flow_run_ids)
    return answer({"stop": [str(each) for each in stop], "lease": dict(state.lease_address)})


async def _gone(request: Request) -> Response:
    """The processes of these runs have ended without their worker."""
    message = await read(request, GoneProcesses)
    require_own(request, (each.flow_run_id for each in message.runs))
    gone = [leases.GoneProcess(**dict(each)) for each in message.runs]
    ended = await leases.end_gone(request.app.state.database, request.path_params["name"], gone)
    request.app.state.reconcile.notify()
    return answer({"ended": ended})


ROUTES = [
    runtime_route("workers/{name}/lease", ticket, _lease),
    runtime_route("workers/{name}/gone", ticket, _gone),
]


def layers(
    settings: Settings, names: Collection[str] | None, turns: LoopTurns | None
) -> list[Middleware]:
    """What stands above the routes of the runtime API, wherever they are served."""
    found = [
        Middleware(AnswerHeaders, settings.hsts_seconds),
        Middleware(Strangers, turns or LoopTurns()),
        Middleware(Failures),
        Middleware(Paths),
    ]
    if names is not None:
        found.append(Middleware(Hosts, names))
    return found


def create_lease_application(
    *,
    database: Database,
    settings: Settings,
    address: Address,
    names: Collection[str] | None,
    turns: LoopTurns,
) -> Starlette:
    """The ASGI application of a process that serves nothing else.

    `names` are those by which it may be asked; None is any. `turns` are those of the loop's
    strangers.
    """
    application = Starlette(routes=ROUTES, middleware=layers(settings, names, turns))
    application.state.database = database
    application.state.settings = settings
    application.state.lease_address = address
    # Nobody waits for it here; the gateway's reconciler looks at what has ended each second.
    application.state.reconcile = Signal()
    return application
