"""Refuses what a browser sends from another site.

Any content type is read as JSON, so a form on a foreign page could start playbooks with the
credentials that the browser remembers. A browser says where such a request comes from; programs
send neither header and are not concerned. Our decision.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.errors import ForeignOrigin

SENT = frozenset({b"origin", b"sec-fetch-site"})
"""What browsers send, and programs do not."""
DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin:
    """Raises `ForeignOrigin` for a foreign ``Origin`` or a cross-site or same-site fetch."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request if it comes from a program or from our own pages."""
        if scope["type"] == "http" and any(name in SENT for name, _ in scope["headers"]):
            connection = HTTPConnection(scope)
            # A trusted proxy says which host the browser asked for; see `Proxies`.
            host = scope.get("forwarded_host") or connection.headers.get("host", "")
            for origin in connection.headers.getlist("origin"):
                if not _is_own(origin, host):
                    raise ForeignOrigin(origin)
            site = connection.headers.get("sec-fetch-site", "none")
            # A same-site page is another service on a sister domain: not ours either.
            if site.strip().lower() not in {"none", "same-origin"}:
                raise ForeignOrigin(f"Sec-Fetch-Site: {site}")
        await self.app(scope, receive, send)


def _is_own(origin: str, host: str) -> bool:
    """Whether the origin's host and port are those the request was sent to.

    The scheme only decides about the default port: behind a proxy that ends TLS ours is another.
    """
    try:
        parts = urlsplit(origin)
        own = urlsplit(f"//{host}")
        default = DEFAULT_PORTS[parts.scheme]
        theirs, ours = parts.port or default, own.port or default
    except (ValueError, KeyError):
        return False  # "null", or nothing that a browser calls an origin
    return (parts.hostname, theirs) == (own.hostname, ours)
