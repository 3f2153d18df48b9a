"""Turns in the event loop for senders who are not known, one address after the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import TypeAlias

from prefect_phantom.adapters.store.accounts.login_throttle import neighbourhood, network
from prefect_phantom.adapters.store.accounts.users import Address

AHEAD_SECONDS = 0.01
"""For how long one who is known goes ahead: after that it is something else that he waits for."""
LEAST_SECONDS = 0.005
"""Between one turn and the next while somebody goes ahead all the time."""

Callback: TypeAlias = Callable[[], bool]


class LoopTurns:
    """One turn in each pass of the event loop, and hardly any while somebody else is served.

    A loop serves all that has arrived before it looks for more, so a caller would wait behind each
    of a thousand strangers, at each step. Here those wait, and their addresses take turns: first
    the networks, then the addresses of each. While nobody goes ahead of them they have all of the
    loop's time.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, dict[Hashable, deque[Callback]]] = {}
        self._ahead: dict[object, float] = {}
        self._is_taken = False
        """Whether somebody had the turn of this pass."""
        self._next_one: asyncio.Handle | None = None

    def call(self, address: Address | None, callback: Callback) -> None:
        """Call `callback`, which `address` asks for, when it has its turn: at once if it is free.

        It says whether it was still wanted; if not, the turn is the next one's.
        """
        if self._is_taken or self._waiting or self._is_anybody_ahead():
            near = self._waiting.setdefault(network(address), {})
            near.setdefault(neighbourhood(address), deque()).append(callback)
            self._schedule()
        else:
            self._take(callback)

    async def wait(self, address: Address | None) -> None:
        """Return when `address` has its turn."""
        turn = asyncio.get_running_loop().create_future()

        def begin() -> bool:
            if turn.done():
                return False
            turn.set_result(None)
            return True

        self.call(address, begin)
        await turn

    def go_ahead(self) -> object:
        """Have others wait while somebody who is known is served, but not for long.

        It ends by `stay_behind` with what is returned. No context manager, which takes ten times
        as long: every request comes by here.
        """
        who = object()
        self._ahead[who] = time.monotonic() + AHEAD_SECONDS
        return who

    def stay_behind(self, who: object) -> None:
        """He was served."""
        self._ahead.pop(who, None)
        if self._waiting and not self._ahead and self._next_one is not None:
            self._next_one.cancel()
            self._next_one = None
            self._schedule()

    def _is_anybody_ahead(self) -> bool:
        now = time.monotonic()
        while self._ahead and next(iter(self._ahead.values())) <= now:
            del self._ahead[next(iter(self._ahead))]
        return bool(self._ahead)

    def _schedule(self) -> None:
        """Have the next turn come after what has arrived by now, and what is set going."""
        if self._next_one is None:
            loop = asyncio.get_running_loop()
            if self._is_anybody_ahead():
                self._next_one = loop.call_later(LEAST_SECONDS, self._next)
            else:
                self._next_one = loop.call_soon(self._next)

    def _take(self, callback: Callback) -> None:
        self._schedule()
        self._is_taken = callback()

    def _next(self) -> None:
        self._next_one, self._is_taken = None, False
        while self._waiting and not self._is_taken:
            among = next(iter(self._waiting))
            near = self._waiting.pop(among)
            by = next(iter(near))
            callbacks = near.pop(by)
            callback = callbacks.popleft()
            # Behind all others.
            if callbacks:
                near[by] = callbacks
            if near:
                self._waiting[among] = near
            self._take(callback)
