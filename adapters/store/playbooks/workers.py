"""Workers: what each says of itself every few seconds, and which of them are there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.worker_tables import workers

OFFLINE_SECONDS = 30
"""A worker that has said nothing for this long is offline: it has missed several of its polls."""
FORGOTTEN = text("now() - interval '1 day'")
"""A worker that was last seen before then is no longer spoken of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What a worker says of itself; `taken` of its `slots` are in use."""

    name: str
    work_pool: str
    type: str
    hostname: str
    version: str
    slots: int
    taken: int
    start_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWorker(Presence):
    """A worker and when it was last heard of."""

    seen_time: datetime
    online: bool


async def see(database: Database, presence: Presence) -> None:
    """Note what a worker says of itself, in place of what it said before."""
    said = asdict(presence) | {"seen_time": func.now()}
    row = insert(workers).values(said)
    async with database.begin() as connection:
        await connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=said))


async def forget_old(database: Database) -> None:
    """Forget the workers that were not seen for a day, so that passing names do not pile up."""
    async with database.begin() as connection:
        await connection.execute(delete(workers).where(workers.c.seen_time < FORGOTTEN))


async def read_all(connection: AsyncConnection) -> list[KnownWorker]:
    """The workers that were seen within a day, by name."""
    online = workers.c.seen_time >= text(f"now() - interval '{OFFLINE_SECONDS} seconds'")
    query = select(workers, online.label("online")).where(workers.c.seen_time >= FORGOTTEN)
    rows = await connection.execute(query.order_by(workers.c.name))
    return [KnownWorker(**row) for row in rows.mappings()]
