"""Paths with a trailing slash are the same paths (sent by published clients)."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Paths:
    """Takes trailing slashes off, instead of a redirect, which would lose bodies of POST."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request under its plain path."""
        if scope["type"] == "http":
            scope["path"] = scope["path"].rstrip("/") or "/"
        await self.app(scope, receive, send)
