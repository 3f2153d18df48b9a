"""What a request may be before anybody looks at it: its head, and how many come from one place."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.errors import HeadTooLarge
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.store.accounts.login_throttle import neighbourhood

MOST_HEADERS = 100
HEAD_BYTES = 32 * 1024
"""Path, query and headers together. Published clients put long filters into the query."""
PATH_BYTES = 8 * 1024
"""The path alone, which has ids and names in it: to decode a longer one costs milliseconds."""


class Limits:
    """Raises `HeadTooLarge`, and `TooMany` for an address that sends too much."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request when it is within the limits."""
        if scope["type"] == "http":
            _check_head(scope)
            gateway: Gateway = scope["gateway"]
            gateway.rates.spend(neighbourhood(address_of(scope)))
        await self.app(scope, receive, send)


def _check_head(scope: Scope) -> None:
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS:
        raise HeadTooLarge(f"{MOST_HEADERS} headers")
    size = len(scope["raw_path"] or b"") + len(scope["query_string"])
    for name, value in headers:
        size += len(name) + len(value)
    if size > HEAD_BYTES:
        raise HeadTooLarge(f"{HEAD_BYTES} bytes")
