"""One log line per request. Credentials, bodies and query texts never reach the log."""

from __future__ import annotations

import functools
import logging
import time
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_phantom.adapters.rest.request.request_id import HEADER, request_id
from prefect_phantom.flows.inside.log.log_format import ABOUT

LONGEST = 300
"""Characters of a path or name in a line."""
REMEMBERED = 1024
"""How many of them are quoted once only: callers ask for the same again."""
logger = logging.getLogger("prefect_phantom.access")


class Access:
    """Logs method, path, status, milliseconds, user and id of each request; answers with its id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and log it, also when nothing could be answered (status 0)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        path = _shown(scope["path"])
        status = 0
        name = scope["request_id"] = request_id(scope)
        header = (HEADER, name.encode())
        before = ABOUT.set({"request_id": name})

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            milliseconds = (time.perf_counter() - start) * 1000
            user = _shown(scope["user"].username if "user" in scope else "-")
            method = scope["method"]
            logger.info(
                "%s %s %d %.1fms %s %s",
                *(method, path, status, milliseconds, user, name),
                extra={
                    "method": method,
                    "path": path,
                    "status": status,
                    "milliseconds": round(milliseconds, 1),
                    "user": user,
                },
            )
            ABOUT.reset(before)


def _shown(text: str) -> str:
    """`text` cut, and quoted, since it may hold line breaks to forge lines."""
    return _quoted(text[: LONGEST + 1])  # what is remembered is no longer than that


@functools.lru_cache(maxsize=REMEMBERED)
def _quoted(text: str) -> str:
    quoted = quote(text)
    return quoted if len(quoted) <= LONGEST else f"{quoted[:LONGEST]}..."
