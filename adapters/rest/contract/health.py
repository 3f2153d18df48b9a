"""Open to everyone: whether the gateway lives, and whether it can serve."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import Unavailable
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.database import availability


@Operation(answer={"name": "prefect-phantom"})
async def front(_: Request) -> Response:
    """``/``: published clients read it first, for a cookie they then do not need."""
    return answer({"name": "prefect-phantom"})


@Operation(answer={"status": "alive"})
async def alive(_: Request) -> Response:
    """``/healthz``: the process answers. Restarting it would not bring back a lost database."""
    return answer({"status": "alive"})


@Operation(answer={"status": "ready"}, refusals=[Unavailable])
async def ready(request: Request) -> Response:
    """``/readyz``: a POST would be served, since the database has just answered."""
    await availability.check(Gateway.of(request).database)
    return answer({"status": "ready"})
