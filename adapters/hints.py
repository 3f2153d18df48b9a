"""Hints to workers: there is work, or a run is to be stopped. A lost one costs only time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

BACKLOG = 1000
"""Hints that wait for one worker; one that falls further behind finds out by its poll."""


class Hints:
    """Passes each hint to every worker that listens at the moment."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()

    def work(self) -> None:
        """There is something to take."""
        self._publish({"work": True})

    def stop(self, flow_run_id: UUID) -> None:
        """The run of this flow run is to be stopped."""
        self._publish({"stop": str(flow_run_id)})

    def _publish(self, hint: dict[str, Any]) -> None:
        for listener in self._listeners:
            if not listener.full():
                listener.put_nowait(hint)

    async def listen(self, every: float) -> AsyncIterator[dict[str, Any]]:
        """Every hint from now on; an empty one after `every` seconds of silence."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(BACKLOG)
        self._listeners.add(queue)
        try:
            while True:
                try:
                    async with asyncio.timeout(every):
                        hint = await queue.get()
                except TimeoutError:
                    hint = {}
                yield hint
        finally:
            self._listeners.discard(queue)
