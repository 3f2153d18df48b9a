"""``/openapi.json``, and ``/docs``: Swagger UI, where the calls can be tried.

Readable without credentials, like a manual: they tell what any installation of this version
answers, and nothing of this one. What is tried there needs credentials as ever. The viewer's files
come from the package `fastapi-offline`, of which nothing is imported: an installation may have no
internet.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from prefect_phantom.adapters.errors import EndpointNotFound
from prefect_phantom.adapters.rest.contract.route import EVERYONE, Resource
from prefect_phantom.adapters.rest.openapi.document import document
from prefect_phantom.adapters.rest.responses import compact

PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>prefect-phantom</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="viewer"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START: Final = """\
SwaggerUIBundle({url: "openapi.json", dom_id: "#viewer", deepLinking: true, docExpansion: "none",
                 defaultModelsExpandDepth: 0, validatorUrl: null});
"""
VIEWER: Final = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
"""Nothing from elsewhere, and no script but the files named here."""
STATIC: Final = {**HEADERS, "Cache-Control": "no-cache"}
"""Of files that are the same for everybody: kept, and asked for again."""


class Pages:
    """The pages of an application that serves `routes`."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    @property
    def routes(self) -> list[Route]:
        """Their own routes, which they do not describe."""
        handlers = {"/openapi.json": self.show, "/docs": self.front, "/docs/{file}": self.file}
        return [
            Route(path, Resource({"GET": (EVERYONE, handler)}), include_in_schema=False)
            for path, handler in handlers.items()
        ]

    @cached_property
    def text(self) -> str:
        """The document as JSON."""
        return compact(document(self._routes))

    async def show(self, _: Request) -> Response:
        """``/openapi.json``."""
        return Response(self.text, media_type="application/json", headers=HEADERS)

    async def front(self, _: Request) -> Response:
        """``/docs``."""
        return Response(PAGE, media_type="text/html", headers=HEADERS)

    async def file(self, request: Request) -> Response:
        """What the page is made of."""
        name = request.path_params["file"]
        if name == "start.js":
            return Response(START, media_type="text/javascript", headers=STATIC)
        if name not in VIEWER:
            raise EndpointNotFound(request.url.path)
        return FileResponse(_folder() / name, media_type=VIEWER[name], headers=STATIC)


def _folder() -> Path:
    """Where the viewer's files are."""
    found = importlib.util.find_spec("fastapi_offline")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("fastapi_offline")
    return Path(found.origin).parent / "static"
