"""One log line per request. Credentials, bodies and query texts never reach the log."""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("prefect_phantom.access")


class Access:
    """Logs method, path, status, milliseconds and user of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and log it, also when nothing could be answered (status 0)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        path = quote(scope["path"])  # quoted, since a path may hold line breaks to forge lines
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            milliseconds = (time.perf_counter() - start) * 1000
            user = scope["user"].username if "user" in scope else "-"
            logger.info(
                "%s %s %d %.1fms %s", scope["method"], path, status, milliseconds, quote(user)
            )
