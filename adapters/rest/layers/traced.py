"""A span for each request under ``/rest``, in the trace that its caller names."""

from __future__ import annotations

from collections.abc import Awaitable

from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_phantom.adapters.between.spans import context_of, tracer
from prefect_phantom.adapters.rest.contract.metrics import METHODS, OTHER_METHOD

CONTEXT = frozenset({b"traceparent", b"tracestate"})
LONGEST = 500
"""Characters of a path."""
BROKEN = 500
"""From this status on a request failed by our fault."""


class Traced:
    """Stands above the layer that gives requests their ids; there only where spans are sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request. Probes have no span, and no span has a query, a body or a user."""
        if scope["type"] != "http" or not scope["path"].startswith("/rest"):
            await self.app(scope, receive, send)
            return
        carrier = {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in CONTEXT
        }
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        attributes = {"http.request.method": method, "url.path": scope["path"][:LONGEST]}
        with tracer.start_as_current_span(
            method, context_of(carrier), SpanKind.SERVER, attributes
        ) as span:

            def watch(message: Message) -> Awaitable[None]:
                if message["type"] == "http.response.start":
                    _describe(span, method, scope, message["status"])
                return send(message)

            await self.app(scope, receive, watch)


def _describe(span: Span, method: str, scope: Scope, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    span.set_attribute("prefect_phantom.request_id", scope["request_id"])
    if (route := scope.get("route")) is not None:
        span.set_attribute("http.route", route.path)
        span.update_name(f"{method} {route.path}")
    if status >= BROKEN:
        span.set_status(StatusCode.ERROR)
