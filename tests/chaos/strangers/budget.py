"""A share of one processor, which a process keeps to by itself."""

from __future__ import annotations

import asyncio
import time

WAIT_SECONDS = 0.005
MOST_SAVED_SECONDS = 0.2
"""Time of the processor that may be used at once after it was not."""


class Budget:
    """So much of a processor's time as `share` says, by the kernel's account of this process."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = 0.0
        self._asking = asyncio.Lock()
        self._seen, self._used = time.monotonic(), time.process_time()

    async def turn(self) -> None:
        """Return as soon as there is time left, in the order of those who ask."""
        async with self._asking:
            while not self._has_time():
                await asyncio.sleep(WAIT_SECONDS)

    def _has_time(self) -> bool:
        now, used = time.monotonic(), time.process_time()
        self._saved += self._share * (now - self._seen) - (used - self._used)
        self._saved = min(self._saved, MOST_SAVED_SECONDS)
        self._seen, self._used = now, used
        return self._saved > 0
