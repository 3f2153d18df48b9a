"""``/rest/playbook_run``: start a playbook, ask how it stands, cancel it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.between import spans
from prefect_phantom.adapters.errors import KeyReused, NotFound, NotRequested
from prefect_phantom.adapters.rest.contract.lists import Lists, Row
from prefect_phantom.adapters.rest.contract.runs.cancel import cancel
from prefect_phantom.adapters.rest.contract.runs.run_object import run_object
from prefect_phantom.adapters.rest.contract.runs.run_request import BODY, REQUIRED, read_run_request
from prefect_phantom.adapters.rest.contract.runs.waiting import waiting_reason
from prefect_phantom.adapters.rest.gateway import Gateway, caller
from prefect_phantom.adapters.rest.openapi.operation import Operation, Shape
from prefect_phantom.adapters.rest.openapi.schemas import TEXT, TRUE
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.rest.request.idempotency_key import (
    HEADER,
    SCHEMA,
    read_idempotency_key,
)
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.listing.resources import RESOURCES
from prefect_phantom.adapters.store.runs import playbook_runs
from prefect_phantom.adapters.store.runs.playbook_runs import PlaybookRun
from prefect_phantom.adapters.store.starts import dispatch_status, run_requests

UPDATABLE = ("cancel", "reason")


def _run(request: Request, row: Row) -> dict[str, Any]:
    """The object of a run in a list, where why it waits is not looked up."""
    parameter = Gateway.of(request).settings.message_parameter
    return run_object(PlaybookRun(**row), parameter, waiting=None)


RUNS = Lists(RESOURCES["playbook_run"], _run)


@Operation(
    body=BODY,
    required=REQUIRED,
    sent={"container_id": 42, "playbook_id": "my_playbook", "scope": "new", "run": True},
    headers={HEADER: SCHEMA},
    answer={"playbook_run_id": "1", "received": True},
    refusals=[NotFound, KeyReused],
)
async def start(request: Request) -> Response:
    """Accept a run. The answer is the vendor's page's, with the id as a string."""
    gateway = Gateway.of(request)
    address = address_of(request.scope)
    body = await read_object(request)
    with spans.accepting() as traceparent:
        wanted = read_run_request(
            body,
            gateway.settings,
            user=caller(request),
            ip_address=None if address is None else str(address),
            request_id=request.scope.get("request_id"),
            traceparent=traceparent,
        )
        playbook_run_id = await run_requests.accept(
            gateway.database,
            wanted,
            repositories=gateway.settings.repositories,
            key=read_idempotency_key(request, body),
        )
        spans.accepted(playbook_run_id)
    gateway.dispatch.notify()
    return answer({"playbook_run_id": str(playbook_run_id), "received": True})


@Operation(shape=Shape.THING, resource=RESOURCES["playbook_run"])
async def show(request: Request) -> Response:
    """The run as it stands, without any envelope around it (vendor's page)."""
    gateway = Gateway.of(request)
    run = await playbook_runs.read(gateway.database, path_identifier(request, "Playbook run"))
    waiting = None
    if run.waits:
        # The one status that needs a second read.
        work_pool = gateway.settings.work_pool
        facts = await dispatch_status.read_waiting(gateway.database, run.id, work_pool)
        waiting = waiting_reason(facts)
    shown = run_object(run, gateway.settings.message_parameter, waiting)
    if request.scope["query_string"]:
        shown |= await RUNS.pretty(request)
    return answer(shown)


@Operation(
    body={"cancel": TRUE, "reason": TEXT},
    required=["cancel"],
    sent={"cancel": True},
    answer={"cancelled": True, "message": "Playbook run 2 is being cancelled"},
)
async def change(request: Request) -> Response:
    """Cancel a run that has not ended; answered when the cancel is durable.

    Asking again while it is carried out gets the same answer. `reason` is ours: its text follows
    the user's name in the run's `cancelled`.
    """
    playbook_run_id = path_identifier(request, "Playbook run")
    await cancel(request, playbook_run_id, _read_reason(await read_object(request)))
    message = f"Playbook run {playbook_run_id} is being cancelled"
    return answer({"cancelled": True, "message": message})


def _read_reason(body: dict[str, object]) -> str | None:
    """Check that `body` asks for a cancel and nothing else; returns its reason."""
    fields = Fields(body)
    fields.refuse_others(UPDATABLE, "playbook run")
    reason = fields.text("reason")
    if not fields.asks("cancel"):
        raise NotRequested("cancel", updating=True)
    return reason
