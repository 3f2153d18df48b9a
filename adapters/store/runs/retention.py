"""Removing what is old: runs with all that belongs to them, lines of logs, and the audit.

Each function is one step: a transaction of a few hundred rows, which makes nobody wait. Rows are
walked in the order of their ids, which is that of their age, so no index is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from prometheus_client import Counter
from sqlalchemy import Table, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.starts.idempotency_keys import KEPT_FOR

RETENTION_LOCK = 0x50485254  # "PHRT": held by the gateway whose step it is
RUNS, LINES, ENTRIES = 200, 2000, 10_000
"""Most rows that one step looks at. The audit gets an entry for each step that removes some of it,
so its steps are large; its rows are small, and nothing refers to them."""
LOCK_MILLISECONDS = 200
"""Less than the second after which PostgreSQL would end one of two who wait for each other."""

REMOVED = Counter(
    "prefect_phantom_retention_removed",
    "Rows that this process removed because they were old.",
    ["kind"],
    registry=None,
)
for _kind in ("playbook_run", "run_log", "audit"):
    REMOVED.labels(_kind)


class Busy(Exception):
    """Another gateway or somebody who changes these rows goes first; the next round tries again."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be removed: what is older than `before`, or has an id of at most `up_to`."""

    before: datetime | None
    up_to: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did. `after` is where the next one begins; None when there is nothing more."""

    removed: int
    after: int | None


async def limit(
    database: Database, table: Table, *, age: timedelta | None, count: int | None
) -> Limit:
    """The limit for keeping a `table`'s rows for `age`, and the newest `count` of them.

    Either may be None, for no such limit. Ages are by the database's clock.
    """
    newest = select(table.c.id).order_by(table.c.id.desc()).limit(1)
    async with database.read() as connection:
        now = (await connection.execute(text("SELECT now()"))).scalar_one()
        up_to = None if count is None else await connection.scalar(newest.offset(count))
    return Limit(None if age is None else now - age, up_to or 0)


async def remove_runs(database: Database, limit: Limit, after: int) -> Step:
    """Remove runs that have ended, among the next ones with an id above `after`.

    A run stays that Prefect has not been seen to have ended, whose child run is there, or whose
    idempotency key still counts. Where it decides what is new to its playbook on its container,
    that mark is kept in ``scope_marks``.

    Raises `Busy`.
    """
    async with _alone(database) as connection:
        values = {"after": after, "most": RUNS, "kept_for": KEPT_FOR, **_bounds(limit)}
        page = (await connection.execute(_RUNS, values)).all()
        removable = {"ids": [row.id for row in page if row.removable]}
        old = list((await connection.execute(_LOCKED, removable)).scalars())
        # A log may be long: its run goes when the log has gone.
        lines = await connection.execute(_LINES_OF_RUNS, {"ids": old, "most": LINES})
        REMOVED.labels("run_log").inc(lines.rowcount)
        if lines.rowcount == LINES:
            return Step(0, after)
        await connection.execute(_KEEP_MARKS, {"ids": old})
        await connection.execute(_REMOVE_RUNS, {"ids": old})
    REMOVED.labels("playbook_run").inc(len(old))
    return Step(len(old), page[-1].id if page and page[-1].within else None)


async def remove_lines(database: Database, limit: Limit, after: int) -> Step:
    """Remove lines of the logs of runs that have ended, among the next with an id above `after`.

    Raises `Busy`.
    """
    async with _alone(database) as connection:
        page = (
            await connection.execute(_LINES, {"after": after, "most": LINES, **_bounds(limit)})
        ).all()
        old = [row.id for row in page if row.removable]
        await connection.execute(_REMOVE_LINES, {"ids": old})
    REMOVED.labels("run_log").inc(len(old))
    # A line has the time of its worker's clock: one may be a little younger than those after it.
    more = any(row.within for row in page)
    return Step(len(old), page[-1].id if more else None)


async def remove_entries(database: Database, limit: Limit, after: int = 0) -> Step:
    """Remove the oldest entries of the audit; the database notes that there, and who did it.

    Raises `Busy`.
    """
    async with _alone(database) as connection:
        await connection.execute(_UNLOCK_AUDIT)
        values = {"most": ENTRIES, **_bounds(limit)}
        removed = (await connection.execute(_REMOVE_ENTRIES, values)).rowcount
    REMOVED.labels("audit").inc(removed)
    return Step(removed, after if removed == ENTRIES else None)


def _bounds(limit: Limit) -> dict[str, object]:
    return {"before": limit.before, "up_to": limit.up_to}


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction of one gateway at a time, which gives way to everybody else."""
    try:
        async with database.begin() as connection:
            if not (await connection.execute(_ALONE)).scalar_one():
                raise Busy
            await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}"))
            yield connection
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") == asyncpg.LockNotAvailableError.sqlstate:
            raise Busy from error
        raise


_ALONE = text(f"SELECT pg_try_advisory_xact_lock({RETENTION_LOCK})")
# A key has the time of its run: they are made in one transaction.
_RUNS = text(
    """
    SELECT id,
      start_time < CAST(:before AS timestamptz) OR id <= :up_to AS within,
      end_time IS NOT NULL AND settled
        AND (end_time < CAST(:before AS timestamptz) OR id <= :up_to)
        AND start_time < now() - CAST(:kept_for AS interval)
        AND NOT EXISTS (SELECT FROM playbook_runs AS child WHERE child.parent_run_id = run.id)
        AS removable
    FROM playbook_runs AS run
    WHERE id > :after
    ORDER BY id LIMIT :most
    """
)
_LOCKED = text(
    """
    SELECT id FROM playbook_runs WHERE id = ANY (CAST(:ids AS bigint[])) AND settled
    ORDER BY id FOR UPDATE SKIP LOCKED
    """
)
_LINES_OF_RUNS = text(
    """
    DELETE FROM run_log WHERE id = ANY (ARRAY(
      SELECT id FROM run_log WHERE playbook_run_id = ANY (CAST(:ids AS bigint[])) LIMIT :most
    ))
    """
)
_KEEP_MARKS = text(
    """
    INSERT INTO scope_marks AS mark (container_id, playbook_id, last_artifact)
    SELECT container_id, playbook_id, max(last_artifact) FROM playbook_runs
    WHERE id = ANY (CAST(:ids AS bigint[])) AND scope IN ('all', 'new') AND last_artifact > 0
    GROUP BY container_id, playbook_id
    ON CONFLICT (container_id, playbook_id) DO UPDATE
    SET last_artifact = greatest(mark.last_artifact, excluded.last_artifact)
    """
)
_REMOVE_RUNS = text("DELETE FROM playbook_runs WHERE id = ANY (CAST(:ids AS bigint[]))")
_LINES = text(
    """
    SELECT line.id,
      line.time < CAST(:before AS timestamptz) OR line.id <= :up_to AS within,
      run.end_time IS NOT NULL
        AND (line.time < CAST(:before AS timestamptz) OR line.id <= :up_to) AS removable
    FROM (SELECT * FROM run_log WHERE id > :after ORDER BY id LIMIT :most) AS line
    JOIN playbook_runs AS run ON run.id = line.playbook_run_id
    ORDER BY line.id
    """
)
_REMOVE_LINES = text("DELETE FROM run_log WHERE id = ANY (CAST(:ids AS bigint[]))")
_UNLOCK_AUDIT = text("SELECT set_config('prefect_phantom.removes_audit', 'retention', true)")
# Without a gap: of two entries the later one may have the time of the earlier transaction.
_REMOVE_ENTRIES = text(
    """
    DELETE FROM audit WHERE id = ANY (ARRAY(
      SELECT id FROM (
        SELECT id, bool_and(coalesce(time < CAST(:before AS timestamptz), false) OR id <= :up_to)
          OVER (ORDER BY id) AS removable
        FROM (SELECT id, time FROM audit ORDER BY id LIMIT :most) AS oldest
      ) AS judged
      WHERE removable
    ))
    """
)
