"""The runtime API: the only door from runs and workers to stored data. Its own listener.

Three kinds of callers: workers show the key that gateway and workers share; a fresh run, or whoever
answers for its process, the ticket of its flow run; a claimed run the token of its attempt. Ticket
and token are worth nothing for any other run. The table of routes says which, and it is judged
before a handler is called: see `runtime_credential`.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.errors import OtherFlowRun
from prefect_phantom.adapters.rest.gateway import unheard
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.responses import answer, plain
from prefect_phantom.adapters.rest.runtime import (
    runtime_assets,
    runtime_case,
    runtime_leases,
    runtime_names,
    runtime_playbooks,
    runtime_starts,
)
from prefect_phantom.adapters.rest.runtime.messages.begins import ActionStart, Claim
from prefect_phantom.adapters.rest.runtime.messages.ends import ActionEnd, LogLines, RunEnd
from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage
from prefect_phantom.adapters.rest.runtime.messages.workers import FlowRuns, Standing
from prefect_phantom.adapters.rest.runtime.runtime_credential import bearer as _bearer
from prefect_phantom.adapters.rest.runtime.runtime_credential import (
    key,
    lookups,
    new_token,
    require_own,
    runtime_route,
    ticket,
    token,
)
from prefect_phantom.adapters.rest.runtime.runtime_message import read as _read
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import playbook_reports, worker_names, workers
from prefect_phantom.adapters.store.runs import action_runs, attempts, leases, unsettled_runs
from prefect_phantom.adapters.store.runs.run_log import Line

IsCopy = Callable[[attempts.ClaimRequest, UUID], Awaitable[bool]]
"""Whether the flow run that claims was copied in Prefect from one with this dispatch key."""
HINT_SECONDS = 10
logger = logging.getLogger("prefect_phantom.runtime")


class _Exited(RuntimeMessage):
    flow_run_id: UUID
    process_id: int
    code: int
    completed: bool = False


class _Holder(RuntimeMessage):
    holder: UUID


async def never(_claim: attempts.ClaimRequest, _dispatch_key: UUID) -> bool:
    """What is said of copies where nobody can ask Prefect."""
    return False


def create_runtime_application(
    *,
    database: Database,
    settings: Settings,
    dispatch: Signal,
    reconcile: Signal,
    hints: Hints,
    announce: Callable[[Announcement], None] = unheard,
    reported: Signal | None = None,
    lease_address: runtime_leases.Address = MappingProxyType({}),
    names: Collection[str] | None = None,
    turns: LoopTurns | None = None,
    is_copy: IsCopy = never,
    stopping: asyncio.Event | None = None,
) -> Starlette:
    """Make the ASGI application. A claim frees a place in Prefect, so it wakes `dispatch`.

    `reported` is notified of what workers have found of playbooks. `names` are those by which it
    may be asked; None is any. What is streamed without an end has one when `stopping` is set.
    `lease_address` is where leases are renewed by nothing but that. `turns` are those of the
    loop's strangers.
    """
    application = Starlette(
        routes=[
            runtime_route("claim", ticket, _claim),
            runtime_route("action_runs", token, _start_action),
            runtime_route("action_runs/{action_run_id:int}/end", token, _end_action),
            runtime_route("leave", token, _leave),
            runtime_route("log", token, _log),
            runtime_route("end", token, _end),
            runtime_route("refused", ticket, _refused),
            runtime_route("workers/{name}/started", key, _worker_started),
            runtime_route("workers/{name}/stopping", key, _worker_stopping),
            runtime_route("workers/{name}/stopped", key, _worker_stopped),
            runtime_route("workers/{name}/exited", ticket, _run_exited),
            runtime_route("workers/{name}/held", key, _held),
            runtime_route("workers/{name}/hints", key, _hints, method="GET"),
            *runtime_leases.ROUTES,
            *runtime_assets.ROUTES,
            *runtime_case.ROUTES,
            *runtime_playbooks.ROUTES,
            *runtime_names.ROUTES,
            *runtime_starts.ROUTES,
        ],
        middleware=runtime_leases.layers(settings, names, turns),
    )
    application.state.database = database
    application.state.settings = settings
    application.state.dispatch = dispatch
    application.state.reconcile = reconcile
    application.state.hints = hints
    application.state.announce = announce
    application.state.reported = reported or Signal()
    application.state.is_copy = is_copy
    application.state.stopping = stopping or asyncio.Event()
    application.state.lease_address = lease_address
    application.state.looking_up = lookups()
    return application


async def _claim(request: Request) -> Response:
    message = await _read(request, Claim)
    require_own(request, [message.flow_run_id])
    state = request.app.state
    wanted = attempts.ClaimRequest(**dict(message))
    claim = functools.partial(
        attempts.claim,
        state.database,
        token=new_token(request),
        repositories=state.settings.repositories,
    )
    try:
        claimed = await claim(wanted)
    except OtherFlowRun as other:
        # Not the process, but Prefect says what it is: it would be given another run's inputs.
        if not await state.is_copy(wanted, other.dispatch_key):
            raise
        claimed = await claim(replace(wanted, copied=True))
    logger.info(
        "Playbook run %s of request %s is held by process %s of %s, attempt %s",
        *(claimed.playbook_run_id, claimed.request_id, message.process_id, message.worker),
        claimed.attempt,
        extra={
            "playbook_run_id": claimed.playbook_run_id,
            "flow_run_id": message.flow_run_id,
            "request_id": claimed.request_id,
        },
    )
    state.dispatch.notify()
    return answer({**plain(claimed), "base_url": state.settings.reached_at()})


async def _start_action(request: Request) -> Response:
    message = await _read(request, ActionStart)
    action_run_id, app_runs = await action_runs.start(
        request.app.state.database, _bearer(request), action_runs.ActionStart(**dict(message))
    )
    return answer({"action_run_id": action_run_id, "app_runs": app_runs})


async def _leave(request: Request) -> Response:
    """Whether an action that has begun may be tried again."""
    await attempts.check(request.app.state.database, _bearer(request))
    return answer({})


async def _end_action(request: Request) -> Response:
    message = await _read(request, ActionEnd)
    await action_runs.end(
        request.app.state.database,
        _bearer(request),
        request.path_params["action_run_id"],
        status=message.status,
        message=message.message,
        ends=[
            action_runs.AppRunEnd(
                part.id,
                part.status,
                part.message,
                exception_occured=part.exception_occured,
                entries=part.results.entries,
                results=part.results.whole,
            )
            for part in message.app_runs
        ],
    )
    return answer({})


async def _end(request: Request) -> Response:
    message = await _read(request, RunEnd)
    await attempts.end(
        request.app.state.database,
        _bearer(request),
        message.status,
        message.message,
        [Line(**dict(line)) for line in message.log],
        outputs=message.outputs,
    )
    return answer({})


async def _log(request: Request) -> Response:
    message = await _read(request, LogLines)
    lines = [Line(**dict(line)) for line in message.lines]
    await attempts.log(request.app.state.database, _bearer(request), lines)
    return answer({})


async def _of_holder(request: Request) -> tuple[str, str]:
    """The name of the worker that asks, which has to have it, and the machine that it is on."""
    message = await _read(request, _Holder)
    name = request.path_params["name"]
    return name, await worker_names.machine_of(request.app.state.database, name, message.holder)


async def _worker_started(request: Request) -> Response:
    """A worker begins; what its name held before on its machine is dead: it ended the leftovers."""
    database: Database = request.app.state.database
    name, machine = await _of_holder(request)
    await workers.forget_old(database)
    await worker_names.forget_old(database)
    await playbook_reports.expect(database, name)
    ended = await leases.end_held_by(
        database, name, machine, reason=leases.WORKER_GONE, final=False
    )
    request.app.state.reconcile.notify()
    return answer({"ended": ended})


async def _worker_stopping(request: Request) -> Response:
    await unsettled_runs.note_worker_stopping(
        request.app.state.database, *await _of_holder(request)
    )
    return answer({})


async def _worker_stopped(request: Request) -> Response:
    """A worker has ended the processes of all its runs."""
    ended = await leases.end_held_by(
        request.app.state.database,
        *await _of_holder(request),
        reason=unsettled_runs.STOPPED,
        final=True,
    )
    request.app.state.reconcile.notify()
    return answer({"ended": ended})


async def _run_exited(request: Request) -> Response:
    message = await _read(request, _Exited)
    require_own(request, [message.flow_run_id])
    if await unsettled_runs.end_exited(
        request.app.state.database,
        message.flow_run_id,
        process_id=message.process_id,
        code=message.code,
        completed=message.completed,
    ):
        request.app.state.reconcile.notify()
    return answer({})


async def _held(request: Request) -> Response:
    """A worker says at each of its polls how it stands, and is told what it must stop."""
    message = await _read(request, Standing)
    database: Database = request.app.state.database
    presence = workers.Presence(
        name=request.path_params["name"],
        **{name: value for name, value in message if name != "flow_run_ids"},
    )
    await workers.see(database, presence)
    stop = await unsettled_runs.refused(database, message.flow_run_ids)
    return answer({"stop": stop})


async def _refused(request: Request) -> Response:
    """Which runs may not go on, for whoever keeps a single one."""
    message = await _read(request, FlowRuns)
    require_own(request, message.flow_run_ids)
    stop = await unsettled_runs.refused(request.app.state.database, message.flow_run_ids)
    return answer({"stop": stop})


async def _hints(request: Request) -> Response:
    """A line of JSON for each hint; an empty object every few seconds shows that it lives."""
    state = request.app.state
    hints: Hints = state.hints

    async def lines() -> AsyncIterator[str]:
        work_pool = request.query_params.get("work_pool")
        async for hint in hints.listen(
            request.path_params["name"], HINT_SECONDS, work_pool, state.stopping
        ):
            yield json.dumps(hint) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")
