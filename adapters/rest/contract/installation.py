"""``/rest/version`` and ``/rest/system_info``: what clients ask to see that they are let in."""

from __future__ import annotations

from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.responses import answer

VERSION = version("prefect-phantom")
"""The program's own. It is not the version of any SOAR (our decision)."""


@Operation(answer={"version": VERSION})
async def show_version(_: Request) -> Response:
    """The version of this program."""
    return answer({"version": VERSION})


@Operation(
    answer={
        "base_url": "https://127.0.0.1:8443",
        "time_zone": "UTC",
        "machine_id": None,
        "version": VERSION,
    }
)
async def show_system(request: Request) -> Response:
    """The address as the caller has it, and that times are UTC. There is no `machine_id`."""
    base_url = f"{request.url.scheme}://{request.url.netloc}"
    return answer(
        {"base_url": base_url, "time_zone": "UTC", "machine_id": None, "version": VERSION}
    )
