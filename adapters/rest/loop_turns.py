"""LoopTurns in the event loop for senders who are not known, one address after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable


class LoopTurns:
    """One turn in each pass of the event loop, whoever asks.

    A loop serves all that has arrived before it looks for more, so a caller would wait behind each
    of a thousand strangers, at each step. Here those wait, and their addresses take turns. While
    nobody else is served they have all of the loop's time.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[Callable[[], bool]]] = {}
        self._is_taken = False

    def call(self, key: Hashable, callback: Callable[[], bool]) -> None:
        """Call `callback`, which `key` asks for, when it has its turn: at once if nobody waits.

        It says whether it was still wanted; if not, the turn is the next one's.
        """
        self._waiting.setdefault(key, deque()).append(callback)
        if not self._is_taken:
            self._next()

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

    def _next(self) -> None:
        self._is_taken = False
        while self._waiting and not self._is_taken:
            key = next(iter(self._waiting))
            callbacks = self._waiting.pop(key)
            callback = callbacks.popleft()
            if callbacks:
                self._waiting[key] = callbacks  # behind all others
            self._is_taken = callback()
        if self._is_taken:
            # After what has arrived by now, and what was set going.
            asyncio.get_running_loop().call_soon(self._next)
