"""A path of the contract and what may be done there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from adapters.errors import MethodNotAllowed

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Resource:
    """Hands a request to the handler of its method. HEAD is answered like GET.

    Starlette's own routes answer a wrong method with the methods of one route only; here a path
    has one `Resource`, so that `Allow` is complete.
    """

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self.handlers = dict(handlers)
        if "GET" in handlers:
            self.handlers["HEAD"] = handlers["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises `MethodNotAllowed`."""
        request = Request(scope, receive, send)
        handler = self.handlers.get(request.method)
        if handler is None:
            raise MethodNotAllowed(request.method, request.url.path, sorted(self.handlers))
        response = await handler(request)
        await response(scope, receive, send)


class FieldRoute(Route):
    """The path of single fields, ``{field}``. Other names are no paths at all."""

    def __init__(self, path: str, fields: Container[str], handler: Handler) -> None:
        super().__init__(path, Resource({"GET": handler}))
        self.fields = fields

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for a field that there is."""
        match, found = super().matches(scope)
        if match is not Match.NONE and found["path_params"]["field"] not in self.fields:
            return Match.NONE, {}
        return match, found


def resource(
    path: str,
    *,
    get: Handler | None = None,
    post: Handler | None = None,
) -> Route:
    """The route of a resource with these handlers."""
    handlers = {"GET": get, "POST": post}
    return Route(path, Resource({name: h for name, h in handlers.items() if h is not None}))
