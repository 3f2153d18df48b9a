"""Runs that could not begin: each is tried again, unless no other try will do better."""

from __future__ import annotations

import asyncio
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from prefect_phantom.adapters.worker import states
from prefect_phantom.adapters.worker.known_deployments import CannotRun
from prefect_phantom.adapters.worker.processes.templates import TemplateFailed

BROKEN_SECONDS = 60.0
"""For so long a run is tried again whose playbook does not import here: the file may be half saved
or be moved, an installation be under way, or this machine be too busy."""
AGAIN_SECONDS = 5.0
LONGEST_AGAIN_SECONDS = 300.0
MOST_DOUBLED = 10
MOST_REMEMBERED = 10_000


class FailedTries:
    """The flow runs that a worker could not begin: how often, and since when for their code."""

    def __init__(self) -> None:
        self._tries: dict[UUID, tuple[int, float | None]] = {}

    def forget(self, flow_run_id: UUID) -> None:
        """It has begun, or will not be tried again."""
        self._tries.pop(flow_run_id, None)

    async def add(self, client: PrefectClient, flow_run: FlowRun, error: Exception) -> None:
        """A claimed flow run could not begin: say so in Prefect, for another try or as its end.

        One whose code may be whole in a moment is tried again soon, any other the later the oftener
        it was.
        """
        now = asyncio.get_running_loop().time()
        times, broken = self._tries.get(flow_run.id, (0, None))
        of_code = isinstance(error, TemplateFailed)
        if of_code and broken is None:
            broken = now
        lasts = of_code and broken is not None and now - broken >= BROKEN_SECONDS
        if lasts or isinstance(error, CannotRun):
            self.forget(flow_run.id)
            await states.crash(client, flow_run, str(error))
            return
        self._tries[flow_run.id] = (times + 1, broken)
        if len(self._tries) > MOST_REMEMBERED:  # others have begun the oldest
            self.forget(next(iter(self._tries)))
        reason = str(error) if of_code else f"{type(error).__name__}: {error}"
        doubled = AGAIN_SECONDS * 2 ** min(times, MOST_DOUBLED)
        seconds = AGAIN_SECONDS if of_code else min(doubled, LONGEST_AGAIN_SECONDS)
        message = f"It did not begin: {reason}"
        await states.put_back(client, flow_run, message, seconds=seconds)
