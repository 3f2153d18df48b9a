"""Custom lists ("decided lists"): named tables of simple values, for playbooks to look things up.

Rows are counted from 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, delete, false, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.errors import (
    BadField,
    DecidedListExists,
    DecidedListTooLarge,
    NotFound,
)
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.case_tables import decided_lists

Cell = str | int | float | bool | None
Rows = list[list[Cell]]
LARGEST_CONTENT = 4 * 2**20
"""Characters of a list as JSON text: it is read, changed and written as a whole."""


@dataclass(frozen=True, slots=True)
class ListChange:
    """What is to become of a list. The numbers of rows are those that it has before."""

    name: str | None = None
    content: Rows | None = None
    update_rows: Mapping[int, list[Cell]] = field(default_factory=dict)
    delete_rows: Sequence[int] = ()
    append_rows: Rows = field(default_factory=list)


async def create(database: Database, name: str, content: Rows) -> int:
    """Make a list; returns its id. Raises `DecidedListExists` and `DecidedListTooLarge`."""
    _check_size(content)
    try:
        async with database.begin() as connection:
            query = insert(decided_lists).values(name=name, content=content)
            row = await connection.execute(query.returning(decided_lists.c.id))
            made: int = row.scalar_one()
            about(made)
    except IntegrityError as error:
        raise DecidedListExists(name) from error
    return made


async def find(database: Database, named: str) -> int:
    """The id of the list with this id, or this name. Raises `NotFound`."""
    async with database.read() as connection:
        found: int | None = await connection.scalar(select(decided_lists.c.id).where(_is(named)))
    if found is None:
        raise NotFound("Custom list", named)
    return found


async def read_content(database: Database, list_id: int) -> Rows:
    """The rows of a list. Raises `NotFound`."""
    async with database.read() as connection:
        return await _content(connection, list_id)


async def change(database: Database, list_id: int, wanted: ListChange) -> None:
    """Change a list, one at a time, so that of two changes at once neither is lost.

    Raises:
        NotFound: there is no such list.
        BadField: it has no row with such a number. Nothing is changed then.
        DecidedListExists: another list has the name.
        DecidedListTooLarge: it would be too large.
    """
    try:
        async with database.begin() as connection:
            content = await _content(connection, list_id, lock=True)
            changed = _changed(content, wanted) if wanted.content is None else wanted.content
            _check_size(changed)
            await connection.execute(
                update(decided_lists)
                .where(decided_lists.c.id == list_id)
                .values(
                    content=changed,
                    version=decided_lists.c.version + 1,
                    update_time=func.now(),
                    **({} if wanted.name is None else {"name": wanted.name}),
                )
            )
            about(list_id)
    except IntegrityError as error:
        raise DecidedListExists(wanted.name or "") from error


async def append(
    connection: AsyncConnection, named: str, row: list[Cell], *, create: bool = False
) -> int:
    """Add a row to the list with this id or name, within a transaction; returns the list's id.

    Raises `NotFound`, unless it is to be made then, and `DecidedListTooLarge`.
    """
    found = select(decided_lists.c.id).where(_is(named))
    list_id: int | None = await connection.scalar(found)
    if list_id is None and create and not named.isdecimal():
        # Of two that make it at the same moment, the second adds to what the first has made.
        new = postgresql.insert(decided_lists).values(name=named, content=[])
        await connection.execute(new.on_conflict_do_nothing(index_elements=["name"]))
        list_id = await connection.scalar(found)
    if list_id is None:
        raise NotFound("Custom list", named)
    content = [*await _content(connection, list_id, lock=True), row]
    _check_size(content)
    await connection.execute(
        update(decided_lists)
        .where(decided_lists.c.id == list_id)
        .values(content=content, version=decided_lists.c.version + 1, update_time=func.now())
    )
    about(list_id)
    return list_id


async def remove(database: Database, list_id: int) -> None:
    """Delete a list. Raises `NotFound`."""
    async with database.begin() as connection:
        query = delete(decided_lists).where(decided_lists.c.id == list_id)
        if not (await connection.execute(query)).rowcount:
            raise NotFound("Custom list", list_id)
        about(list_id)


async def _content(connection: AsyncConnection, list_id: int, *, lock: bool = False) -> Rows:
    query = select(decided_lists.c.content).where(decided_lists.c.id == list_id)
    query = query.with_for_update(key_share=True) if lock else query
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("Custom list", list_id)
    content: Rows = row.content
    return content


def _is(named: str) -> ColumnElement[bool]:
    """The list with this id, or this name."""
    if not (named.isascii() and named.isdecimal()):
        return decided_lists.c.name == named
    if len(named) > len(str(LARGEST_ID)) or int(named) > LARGEST_ID:
        return false()
    return decided_lists.c.id == int(named)


def _changed(content: Rows, wanted: ListChange) -> Rows:
    count = len(content)
    for name, numbers in (("update_rows", wanted.update_rows), ("delete_rows", wanted.delete_rows)):
        for number in numbers:
            if not 0 <= number < count:
                raise BadField(name, number, f"numbers of rows, of which the list has {count}")
    deleted = set(wanted.delete_rows)
    kept = [
        wanted.update_rows.get(number, row)
        for number, row in enumerate(content)
        if number not in deleted
    ]
    return [*kept, *wanted.append_rows]


def _check_size(content: Rows) -> None:
    if len(json.dumps(content, ensure_ascii=False)) > LARGEST_CONTENT:
        raise DecidedListTooLarge(LARGEST_CONTENT)
