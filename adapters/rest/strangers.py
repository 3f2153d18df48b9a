"""Answers to senders who are not known: each waits for its turn."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.rest.address import address_of
from adapters.rest.loop_turns import LoopTurns
from adapters.store.login_throttle import neighbourhood


class Strangers:
    """Has an answer wait for a turn of the address that asked, unless it is known who did.

    A connection brings its next request after the answer to the one before, so this is how fast a
    stranger can go on; with new connections it waits for the same turns (`Listener`).
    """

    def __init__(self, app: ASGIApp, turns: LoopTurns) -> None:
        self.app = app
        self.turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def wait(message: Message) -> None:
            if message["type"] == "http.response.start" and "user" not in scope:
                await self.turns.wait(neighbourhood(address_of(scope)))
            await send(message)

        await self.app(scope, receive, wait)
