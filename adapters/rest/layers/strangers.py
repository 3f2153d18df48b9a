"""Requests of senders who are not known: each waits for its turn, once."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.request.address import address_of


class Strangers:
    """Serves those first whose connection has brought right credentials, and the others in turn.

    Others wait before they are served. What comes over a connection of somebody who is known with
    other credentials, or none, waits before it is answered. A connection brings its next request
    after that, so this is how fast a stranger can go on; with new connections it waits for the same
    turns (`Accepted`).
    """

    def __init__(self, app: ASGIApp, turns: LoopTurns) -> None:
        self.app = app
        self.turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not scope.get("state", {}).get("is_known"):
            await self.turns.wait(address_of(scope))
            await self.app(scope, receive, send)
            return

        async def wait(message: Message) -> None:
            if message["type"] == "http.response.start" and "user" not in scope:
                await self.turns.wait(address_of(scope))
            await send(message)

        who = self.turns.go_ahead()
        try:
            await self.app(scope, receive, wait)
        finally:
            self.turns.stay_behind(who)
