"""The loop that removes what is older, or more, than the settings say is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import Table

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs import retention
from prefect_phantom.adapters.store.runs.retention import Busy, Limit, Step
from prefect_phantom.adapters.store.tables.account_tables import audit
from prefect_phantom.adapters.store.tables.tables import playbook_runs, run_log

ROUND_SECONDS = 600.0
SHARE = 0.2
"""Of its time it may keep a connection busy: callers are to notice nothing, however much is old."""
logger = logging.getLogger("prefect_phantom.retention")


class Retention:
    """Goes through runs, logs and audit every ten minutes, in short steps with pauses between."""

    def __init__(self, *, database: Database, settings: Settings) -> None:
        self.database = database
        self._kept: list[tuple[Table, float | None, int | None, _Remove]] = [
            (playbook_runs, settings.keep_run_days, settings.keep_runs, retention.remove_runs),
            (run_log, settings.keep_log_days, settings.keep_log_lines, retention.remove_lines),
            (
                audit,
                settings.keep_audit_days,
                settings.keep_audit_entries,
                retention.remove_entries,
            ),
        ]

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        while True:
            await self.sweep()
            await asyncio.sleep(ROUND_SECONDS)

    async def sweep(self) -> None:
        """Go through all of it once."""
        for table, days, count, remove in self._kept:
            if days is None and count is None:
                continue
            age = None if days is None else timedelta(days=days)
            limit = await retention.limit(self.database, table, age=age, count=count)
            try:
                removed = await self._walk(remove, limit)
            except Busy:
                logger.info("Others are at %s; the next round goes on", table.name)
            else:
                if removed:
                    logger.info("Removed %s old rows of %s", removed, table.name)

    async def _walk(self, remove: _Remove, limit: Limit) -> int:
        clock = asyncio.get_running_loop().time
        removed, after = 0, 0
        while True:
            began = clock()
            step = await remove(self.database, limit, after)
            removed += step.removed
            if step.after is None:
                return removed
            after = step.after
            await asyncio.sleep((clock() - began) * (1 - SHARE) / SHARE)


_Remove = Callable[[Database, Limit, int], Awaitable[Step]]
