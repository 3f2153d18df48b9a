"""The loop that ends what has waited for too long.

A loop of its own: whatever the queue holds, runs whose lease is over do not wait for it.
"""

from __future__ import annotations

import asyncio
import logging

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.starts import idempotency_keys, overdue_runs, work_queues

LOOK_SECONDS = 5.0
logger = logging.getLogger("prefect_phantom.overdue")


class Overdue:
    """Ends runs that no worker took in time, and forgets the keys of starts of long ago."""

    def __init__(self, *, database: Database, settings: Settings, reconcile: Signal) -> None:
        self.database = database
        self.settings = settings
        self.reconcile = reconcile

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        while True:
            hours = self.settings.waiting_hours
            if ended := await overdue_runs.end_overdue(self.database, hours=hours):
                logger.warning("No worker took playbook runs %s within %g hours", ended, hours)
                self.reconcile.notify()
            await work_queues.forget_old(self.database)
            await idempotency_keys.delete_old(self.database)
            await asyncio.sleep(LOOK_SECONDS)
