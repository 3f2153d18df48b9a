"""The request that is being served, for the audit: what it changes is noted where it is changed.

Whoever serves a request that may change something puts it into `SERVING`; the first transaction
of `Database.begin` that is committed meanwhile has the audit's row in it. So there is no change
without its row and no row without its change, and nobody who writes a statement has to think of
it. Statements that are run by `Database.fetch` take care of it themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.store.account_tables import audit

DONE = 200
"""The status that a request has in the audit when its change is committed."""


@dataclass(slots=True)
class ServedRequest:
    """Who asks for what. `object_id` is the id of what is made or changed, where it is known."""

    method: str
    path: str
    ip_address: str | None = None
    user_id: int | None = None
    object_id: int | None = None
    noted: bool = False


SERVING: ContextVar[ServedRequest | None] = ContextVar("SERVING", default=None)


def about(object_id: int) -> None:
    """Say what the request that is being served makes or changes."""
    request = SERVING.get()
    if request is not None:
        request.object_id = object_id


@contextmanager
def part() -> Iterator[None]:
    """One of several changes that a request makes, each in a transaction and a row of its own."""
    request = SERVING.get()
    if request is None:
        yield
        return
    mine = replace(request, object_id=None, noted=False)
    before = SERVING.set(mine)
    try:
        yield
    finally:
        SERVING.reset(before)
        request.noted = request.noted or mine.noted


def was_noted() -> None:
    """Say that a statement of `Database.fetch` has noted the request that is being served."""
    request = SERVING.get()
    if request is not None:
        request.noted = True


async def note(connection: AsyncConnection) -> None:
    """Note the request that is being served, once, in the transaction that carries it out."""
    request = SERVING.get()
    if request is None or request.noted:
        return
    request.noted = True
    await connection.execute(
        insert(audit).values(
            user_id=request.user_id,
            ip_address=request.ip_address,
            method=request.method,
            path=request.path,
            object_id=request.object_id,
            status=DONE,
        )
    )
