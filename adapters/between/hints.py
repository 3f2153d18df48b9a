"""Hints to workers: there is work, or a run is to be stopped. A lost one costs only time.

A worker listens to one gateway. What one gateway knows it tells the others, which pass it on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
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
        self._listeners: list[_Listener] = []
        self._turn = 0
        self.drops = 0
        """How often offers were dropped: one that is made of what was known before is too late."""

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
            for listener in self._listeners
            if listener.work_pool is not None
            and listener.work_pool == work_pool
            and listener.worker not in lacking
        ]
        chosen = able[self._turn % len(able)] if able else None
        for listener in self._listeners:
            listener.put({"offer": flow_run} if listener is chosen else {"work": True})
        self._tell(WORK)

    def drop(self) -> None:
        """What was offered may no longer begin without asking Prefect."""
        self.drops += 1
        for listener in self._listeners:
            listener.drop()

    def stop(self, flow_run_id: UUID) -> None:
        """The run of this flow run is to be stopped."""
        self._publish({"stop": str(flow_run_id)})
        self._tell(f"{STOP}{flow_run_id}")

    def _publish(self, hint: dict[str, Any]) -> None:
        for listener in self._listeners:
            listener.put(hint)

    async def listen(
        self,
        worker: str,
        every: float,
        work_pool: str | None = None,
        stopping: asyncio.Event | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Every hint for `worker` until `stopping`; an empty one after `every` seconds of silence.

        The first says that there is work, for what was missed before. Who names a `work_pool`
        takes any run of it that is offered.
        """
        listener = _Listener(worker, work_pool)
        self._listeners.append(listener)
        stopping = stopping or asyncio.Event()
        ending = asyncio.create_task(stopping.wait())
        ending.add_done_callback(lambda _: listener.put({}))  # so that it does not sleep on
        try:
            yield {"work": True}
            while not stopping.is_set():
                yield await listener.next(every)
        finally:
            ending.cancel()
            self._listeners.remove(listener)


class _Listener:
    """A worker that listens, and the hints that wait for it."""

    def __init__(self, worker: str, work_pool: str | None) -> None:
        self.worker = worker
        self.work_pool = work_pool
        self._hints: deque[dict[str, Any]] = deque()
        self._any = asyncio.Event()

    def put(self, hint: dict[str, Any]) -> None:
        # One that is so far behind finds out by its poll.
        if len(self._hints) < BACKLOG:
            self._hints.append(hint)
            self._any.set()

    def drop(self) -> None:
        """In place of the offers and words of work that wait: it is not lost to a full backlog."""
        stops = [hint for hint in self._hints if "stop" in hint]
        self._hints = deque([{"work": True, "drop": True}, *stops])
        self._any.set()

    async def next(self, every: float) -> dict[str, Any]:
        """The next hint; an empty one after `every` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await self._any.wait()
            hint = self._hints.popleft()
            if not self._hints:
                self._any.clear()
            return hint
        return {}
