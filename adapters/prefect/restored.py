"""What is put right in Prefect's database after a restore, before any server of Prefect runs.

Its tables are not a public interface; `tests/integration/test_backup.py` fails when these change.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

FINAL = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]


async def free_slots(connection: asyncpg.Connection) -> None:
    """Take every slot back: the processes that held them are not there."""
    await connection.execute("UPDATE concurrency_limit_v2 SET active_slots = 0")
    await connection.execute("UPDATE concurrency_limit SET active_slots = '[]'")


async def delete_overdue(connection: asyncpg.Connection) -> None:
    """Delete the flow runs that were due by now and had not begun: they may have run since."""
    await connection.execute(
        """
        DELETE FROM flow_run WHERE state_type IN ('SCHEDULED', 'PENDING')
          AND coalesce(next_scheduled_start_time, expected_start_time, now()) <= now()
        """
    )


async def unfinished(connection: asyncpg.Connection) -> list[UUID]:
    """The flow runs that Prefect takes for not ended."""
    query = "SELECT id FROM flow_run WHERE state_type::text <> ALL ($1::text[])"
    return [UUID(str(row["id"])) for row in await connection.fetch(query, FINAL)]


async def present(connection: asyncpg.Connection, flow_run_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these flow runs there are."""
    query = "SELECT id FROM flow_run WHERE id = ANY ($1::uuid[])"
    return {UUID(str(row["id"])) for row in await connection.fetch(query, list(flow_run_ids))}
