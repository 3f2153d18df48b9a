"""The loop that notes what stands between runs and their start: Prefect, workers, slots."""

from __future__ import annotations

import asyncio

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import WorkerFilter, WorkerFilterStatus
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from adapters.prefect.outage import PrefectAway
from adapters.settings import Settings
from adapters.store import dispatch_status
from adapters.store.database import Database

ANSWER_SECONDS = 10.0
"""A Prefect server that takes longer counts as not answering."""
ONLINE = WorkerFilter(status=WorkerFilterStatus(any_=["ONLINE"]))


class WorkPoolWatch:
    """Asks Prefect for the playbooks' work pool and its workers, whatever their type."""

    def __init__(self, *, database: Database, client: PrefectClient, settings: Settings) -> None:
        self.database = database
        self.client = client
        self.settings = settings

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        # The client's own repeats would go on for a minute before anybody is told.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            while True:
                await self.look()
                await asyncio.sleep(self.settings.reconcile_seconds)

    async def look(self) -> None:
        """Ask once. What Prefect does not answer is noted, and raised."""
        name = self.settings.work_pool
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                pool = await self.client.read_work_pool(name)
                workers = await self.client.read_workers_for_work_pool(name, ONLINE)
        except TimeoutError as error:
            await dispatch_status.note_unreachable(self.database, name)
            raise PrefectAway(f"no answer within {ANSWER_SECONDS:g} s") from error
        except ObjectNotFound:
            return  # the first deployment makes it
        except httpx.HTTPError:
            await dispatch_status.note_unreachable(self.database, name)
            raise
        await dispatch_status.note_reached(
            self.database,
            name,
            workers=len(workers),
            slots=pool.concurrency_limit,
            paused=pool.is_paused,
        )
