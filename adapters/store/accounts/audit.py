"""The audit: who asked for what, and what came of it. It can only be added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select

from prefect_phantom.adapters.store.accounts.served_request import ServedRequest
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.tables.account_tables import audit, users


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `audit`. `username` is what the user is called today; null for strangers."""

    id: int
    time: datetime
    user_id: int | None
    username: str | None
    ip_address: str | None
    method: str
    path: str
    object_id: int | None
    status: int
    message: str


_WRITTEN = ("user_id", "ip_address", "method", "path", "object_id", "status", "message")
# Not by `Database.begin`, which would note the request a second time.
_ADD = Prepared(
    insert(audit).values({name: bindparam(name, type_=audit.c[name].type) for name in _WRITTEN})
)


async def add(database: Database, request: ServedRequest, status: int, message: str) -> None:
    """Note a request that changed nothing, such as one that was refused."""
    request.noted = True
    await database.fetch(
        _ADD,
        user_id=request.user_id,
        ip_address=request.ip_address,
        method=request.method,
        path=request.path,
        object_id=request.object_id,
        status=status,
        message=message,
    )


async def read(
    database: Database,
    *,
    start: datetime,
    end: datetime | None,
    user_id: int | None,
    page: int,
    page_size: int,
) -> list[Entry]:
    """The entries from `start` on and before `end`, the newest first; pages count from 0."""
    columns = [
        users.c.username if name == "username" else audit.c[name]
        for name in Entry.__dataclass_fields__
    ]
    query = (
        select(*columns)
        .join(users, users.c.id == audit.c.user_id, isouter=True)
        .where(audit.c.time >= start)
        .order_by(audit.c.id.desc())
        .limit(page_size)
        .offset(page * page_size)
    )
    if end is not None:
        query = query.where(audit.c.time < end)
    if user_id is not None:
        query = query.where(audit.c.user_id == user_id)
    async with database.read() as connection:
        return [Entry(*row) for row in await connection.execute(query)]
