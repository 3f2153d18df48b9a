"""Turns in the event loop for senders who are not known, one address after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable

AT_ONCE = 4
"""Turns in one pass of the loop: a millisecond's work."""


class LoopTurns:
    """Few turns in each pass of the event loop, whoever asks.

    A loop serves all that has arrived before it looks for more, so a caller would wait behind each
    of a thousand strangers, at each step. Here those wait, and their addresses take turns. While
    nobody else is served they have all of the loop's time.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[Callable[[], bool]]] = {}
        self._left = AT_ONCE
        self._is_due = False

    def call(self, key: Hashable, callback: Callable[[], bool]) -> None:
        """Call `callback`, which `key` asks for, when it has its turn: at once if nobody waits.

        It says whether it was still wanted; if not, the turn is the next one's.
        """
        if self._left and not self._waiting:
            self._take(callback)
        else:
            self._waiting.setdefault(key, deque()).append(callback)

    async def wait(self, key: Hashable) -> None:
        """Return when `key` has its turn."""
        turn = asyncio.get_running_loop().create_future()

        def begin() -> bool:
            if turn.done():
                return False
            turn.set_result(None)
            return True

        self.call(key, begin)
        await turn

    def _take(self, callback: Callable[[], bool]) -> None:
        if not self._is_due:
            self._is_due = True
            # After what has arrived by now, and what is set going.
            asyncio.get_running_loop().call_soon(self._next)
        self._left -= callback()

    def _next(self) -> None:
        self._is_due, self._left = False, AT_ONCE
        while self._waiting and self._left:
            key = next(iter(self._waiting))
            callbacks = self._waiting.pop(key)
            callback = callbacks.popleft()
            if callbacks:
                self._waiting[key] = callbacks  # behind all others
            self._take(callback)
