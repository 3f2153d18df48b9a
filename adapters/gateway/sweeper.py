"""The loop that ends runs by the clock: their lease is over, or they took too long."""

from __future__ import annotations

import asyncio
import logging

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs import leases
from prefect_phantom.adapters.store.runs.leases import LEASE_SECONDS

SWEEP_SECONDS = 5.0
INTERRUPTION_SECONDS = 15.0
"""A look at the database that comes later than this after the last one is a first look."""
logger = logging.getLogger("prefect_phantom.sweeper")


class Sweeper:
    """Ends what nobody answers for, once it has seen the database for a whole lease.

    After an outage of the database, or when this process or the machine was asleep, every lease
    may look old although nobody could renew it. How long that was the database's own clock tells.
    """

    def __init__(self, *, database: Database, reconcile: Signal) -> None:
        self.database = database
        self.reconcile = reconcile
        self._seen = self._since = 0.0

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        while True:
            await self.sweep(await leases.time(self.database))
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, now: float) -> None:
        """Look once, at the time `now` of the database."""
        if not 0 <= now - self._seen <= INTERRUPTION_SECONDS:
            self._since = now
        self._seen = now
        if now - self._since >= LEASE_SECONDS and (
            ended := await leases.end_expired(self.database)
        ):
            logger.warning("The lease of playbook runs %s was over", ended)
            self.reconcile.notify()
        if timed_out := await leases.end_timed_out(self.database):
            logger.warning("Playbook runs %s took longer than they may", timed_out)
            self.reconcile.notify()
