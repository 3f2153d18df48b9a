"""Telling a waiting loop that there is work, without a poll."""

from __future__ import annotations

import asyncio


class Signal:
    """Set by whoever has made work, awaited by the loop that does it. Many sets count as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake the loop. Safe to call from any coroutine of the same event loop."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Return at the next `notify` (True), or after `seconds` (False), whichever is first."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
