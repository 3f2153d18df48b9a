"""Labels of containers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert

from adapters.store.case_tables import labels
from adapters.store.database import Database


async def save(database: Database, names: Sequence[str]) -> None:
    """Let labels be known, in this order, although no container may have them yet."""
    async with database.begin() as connection:
        for name in names:
            await connection.execute(insert(labels).values(name=name).on_conflict_do_nothing())
