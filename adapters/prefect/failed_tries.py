"""Runs that could not begin: each is tried again, unless no other try will do better."""

from __future__ import annotations

import asyncio
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from adapters.prefect import states
from adapters.prefect.known_deployments import CannotRun
from adapters.prefect.templates import TemplateFailed

BROKEN_SECONDS = 60.0
"""For so long a run is tried again whose playbook does not import here: the file may be half saved
or be moved, an installation be under way, or this machine be too busy."""
MOST_REMEMBERED = 10_000


class FailedTries:
    """The flow runs that a worker could not begin, and when it first tried."""

    def __init__(self) -> None:
        self._first: dict[UUID, float] = {}

    def forget(self, flow_run_id: UUID) -> None:
        """It has begun, or will not be tried again."""
        self._first.pop(flow_run_id, None)

    async def add(self, client: PrefectClient, flow_run: FlowRun, error: Exception) -> None:
        """A claimed flow run could not begin: say so in Prefect, for another try or as its end."""
        now = asyncio.get_running_loop().time()
        seconds = now - self._first.setdefault(flow_run.id, now)
        broken = isinstance(error, TemplateFailed) and seconds >= BROKEN_SECONDS
        if broken or isinstance(error, CannotRun):
            self.forget(flow_run.id)
            await states.crash(client, flow_run, str(error))
            return
        if len(self._first) > MOST_REMEMBERED:  # others have begun the oldest
            self.forget(next(iter(self._first)))
        known = isinstance(error, TemplateFailed)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        await states.put_back(client, flow_run, f"It did not begin: {reason}")
