"""Labels of containers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.case_tables import labels


async def save(database: Database, names: Sequence[str]) -> None:
    """Let labels be known, in this order, although no container may have them yet."""
    async with database.begin() as connection:
        for name in names:
            await connection.execute(insert(labels).values(name=name).on_conflict_do_nothing())
