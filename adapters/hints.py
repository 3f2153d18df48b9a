"""Hints to workers: there is work, or a run is to be stopped. A lost one costs only time.

A worker listens to one gateway. What one gateway knows it tells the others, which pass it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any
from uuid import UUID

BACKLOG = 1000
"""Hints that may wait for one worker."""


WORK = "work"
STOP = "stop "


class Hints:
    """Passes each hint to every worker that listens at the moment.

    `tell` takes a word for the other gateways, whose `hear` is called with it.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._listeners: dict[asyncio.Queue[dict[str, Any]], tuple[str, str | None]] = {}
        self._turn = 0

    def work(self) -> None:
        """There is something to take."""
        self._publish({"work": True})
        self._tell(WORK)

    def hear(self, notice: str) -> None:
        """Pass on what another gateway has told."""
        if notice == WORK:
            self._publish({"work": True})
        elif notice.startswith(STOP):
            self._publish({"stop": notice.removeprefix(STOP)})

    def offer(
        self, flow_run: dict[str, Any], work_pool: str | None, lacking: Collection[str] = ()
    ) -> None:
        """A flow run to take, as ``{id, deployment_id, name, parameters, tags}``.

        One worker of its pool after the other is offered one, and need not ask Prefect for it; the
        others are told that there is work, in case that one has no slot free. None is offered to
        workers that are `lacking` its code.
        """
        self._turn += 1
        able = [
            listener
            for listener, (worker, pool) in self._listeners.items()
            if pool is not None and pool == work_pool and worker not in lacking
        ]
        chosen = able[self._turn % len(able)] if able else None
        for listener in self._listeners:
            self._put(listener, {"offer": flow_run} if listener is chosen else {"work": True})
        self._tell(WORK)

    def drop(self) -> None:
        """What was offered may no longer begin without asking Prefect."""
        self._publish({"work": True, "drop": True})

    def stop(self, flow_run_id: UUID) -> None:
        """The run of this flow run is to be stopped."""
        self._publish({"stop": str(flow_run_id)})
        self._tell(f"{STOP}{flow_run_id}")

    def _publish(self, hint: dict[str, Any]) -> None:
        for listener in self._listeners:
            self._put(listener, hint)

    @staticmethod
    def _put(listener: asyncio.Queue[dict[str, Any]], hint: dict[str, Any]) -> None:
        # One that is so far behind finds out by its poll.
        if not listener.full():
            listener.put_nowait(hint)

    async def listen(
        self, worker: str, every: float, work_pool: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Every hint for `worker` from now on; an empty one after `every` seconds of silence.

        The first says that there is work, for what was missed before. Who names a `work_pool`
        takes any run of it that is offered.
        """
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(BACKLOG)
        self._listeners[queue] = worker, work_pool
        try:
            yield {"work": True}
            while True:
                try:
                    async with asyncio.timeout(every):
                        hint = await queue.get()
                except TimeoutError:
                    hint = {}
                yield hint
        finally:
            del self._listeners[queue]
