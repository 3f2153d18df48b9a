"""Headers of every answer: nothing of it is kept by others, nor taken for what it does not say."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CACHE_CONTROL = b"cache-control"
NOT_STORED = (CACHE_CONTROL, b"no-store")
"""A cache that several people share may give one's answer to another: it need not know our
``ph-auth-token``, as it knows ``Authorization``."""
NOT_SNIFFED = (b"x-content-type-options", b"nosniff")
ALWAYS = (NOT_STORED, NOT_SNIFFED)


class AnswerHeaders:
    """Adds them to whatever stands below, errors too. What says `Cache-Control` itself keeps it.

    `hsts_seconds` is for how long browsers may ask this name by HTTPS alone; 0 says nothing of it.
    """

    def __init__(self, app: ASGIApp, hsts_seconds: int = 0) -> None:
        self.app = app
        self.added = [NOT_SNIFFED]
        if hsts_seconds:
            self.added += [(b"strict-transport-security", b"max-age=%d" % hsts_seconds)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [*message.get("headers", ()), *self.added]
                for name, _ in given:
                    if name == CACHE_CONTROL:
                        break
                else:
                    given.append(NOT_STORED)
                message["headers"] = given
            await send(message)

        await self.app(scope, receive, add)
