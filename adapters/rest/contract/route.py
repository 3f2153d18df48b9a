"""A path of the contract, what may be done there, and the permission that it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from prefect_phantom.adapters.between.permissions import Permission
from prefect_phantom.adapters.errors import MethodNotAllowed
from prefect_phantom.adapters.rest.gateway import require

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Permitted: TypeAlias = tuple[Permission | None, Handler]
"""A handler and the permission that its caller must have."""
EVERYONE: Final = None
"""Stands where no permission is needed, outside of ``/rest`` only: nobody is known there."""


class Resource:
    """Hands a request to the handler of its method. HEAD is answered like GET.

    Starlette's own routes answer a wrong method with the methods of one route only; here a path
    has one `Resource`, so that `Allow` is complete.
    """

    def __init__(self, handlers: dict[str, Permitted]) -> None:
        self.handlers = dict(handlers)
        if "GET" in handlers:
            self.handlers["HEAD"] = handlers["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises `MethodNotAllowed` and `PermissionMissing`."""
        request = Request(scope, receive, send)
        permitted = self.handlers.get(request.method)
        if permitted is None:
            raise MethodNotAllowed(request.method, request.url.path, sorted(self.handlers))
        permission, handler = permitted
        if permission is not EVERYONE:
            require(request, permission)
        scope["permitted"] = True
        response = await handler(request)
        await response(scope, receive, send)


class FieldRoute(Route):
    """The path of single fields, ``{field}``. Other names are no paths at all."""

    def __init__(self, path: str, fields: Collection[str], get: Permitted) -> None:
        super().__init__(path, Resource({"GET": get}))
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
    get: Permitted | None = None,
    post: Permitted | None = None,
    delete: Permitted | None = None,
) -> Route:
    """The route of a resource with these handlers.

    Tokens are refused on DELETE before any route is looked for.
    """
    handlers = {"GET": get, "POST": post, "DELETE": delete}
    return Route(path, Resource({name: h for name, h in handlers.items() if h is not None}))
