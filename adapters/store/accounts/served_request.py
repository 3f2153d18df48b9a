"""The request that is being served, for the audit: what it changes is noted where it is changed.

Whoever serves a request that may change something puts it into `SERVING`; the first transaction
of `Database.begin` that is committed meanwhile has the audit's row in it. So there is no change
without its row and no row without its change, and nobody who writes a statement has to think of
it. Statements that are run by `Database.fetch` take care of it themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.tables.account_tables import audit

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
    message: str = ""
    """What there is to say about it beside its path."""
    noted: bool = False


SERVING: ContextVar[ServedRequest | None] = ContextVar("SERVING", default=None)


def about(object_id: int) -> None:
    """Say what the request that is being served makes or changes."""
    request = SERVING.get()
    if request is not None:
        request.object_id = object_id


def by(user_id: int | None, message: str) -> None:
    """Say for whom the request that is being served acts, and what there is to say about that."""
    request = SERVING.get()
    if request is not None:
        request.user_id, request.message = user_id, message


@contextmanager
def serving(request: ServedRequest) -> Iterator[None]:
    """Serve `request`: what is changed meanwhile is noted as its doing."""
    before = SERVING.set(request)
    try:
        yield
    finally:
        SERVING.reset(before)


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
    if request is not None and not request.noted:
        await note_each(connection, [request.object_id])


async def note_each(connection: AsyncConnection, object_ids: Sequence[int | None]) -> None:
    """Note the request once for each of several things that it makes in one transaction."""
    request = SERVING.get()
    if request is None:
        return
    request.noted = True
    said = {
        "user_id": request.user_id,
        "ip_address": request.ip_address,
        "method": request.method,
        "path": request.path,
        "status": DONE,
        "message": request.message,
    }
    if object_ids:
        rows = [{**said, "object_id": object_id} for object_id in object_ids]
        await connection.execute(insert(audit), rows)
