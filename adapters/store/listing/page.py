"""Reading lists: a page in one statement where it can be, and never more than a little at once."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    any_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.errors import BadField, BadPattern, NoSuchPage, NotFound, TooCostly
from prefect_phantom.adapters.store.database.availability import causes
from prefect_phantom.adapters.store.database.database import LIST_SECONDS, PATTERN_SECONDS, Database
from prefect_phantom.adapters.store.listing.conditions import Conditions
from prefect_phantom.adapters.store.listing.request import ListRequest
from prefect_phantom.adapters.store.listing.resource import Resource

LARGEST_BATCH = 100
"""Rows that are read by one statement. Larger pages are read in batches of so many."""
LARGEST_EXPENSIVE_BATCH = 10
"""The same of rows with what is expensive, which may have megabytes each."""
LARGEST_OFFSET = 2**63 - 1

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: how many things there are in all, on how many pages, and its rows.

    `large` says that they come in several batches, which are read as they are asked for.
    """

    count: int
    pages: int
    large: bool
    batches: AsyncIterator[Sequence[Row]]


class Listing:
    """Reads the things of one resource; `resources` are all that it may be related to.

    Lists with the same `turn`, such as those of a user, wait for each other.
    """

    def __init__(
        self,
        database: Database,
        resource: Resource,
        resources: Mapping[str, Resource],
        turn: Hashable = None,
    ) -> None:
        self._database = database
        self._resource = resource
        self._resources = resources
        self._turn = turn
        self._row = resource.row

    async def read(self, request: ListRequest) -> Page:
        """The page that is asked for; the first one is always there, if need be empty.

        Raises:
            NoSuchPage: past the end.
            UnknownField, UnknownLookup, BadFilter, BadField, BadPattern: a filter or the order
                makes no sense.
            TooCostly: the answer would take longer than a list may.
            TooMany: too many lists are waited for.
        """
        conditions = Conditions(self._resources)
        where = [conditions.compile(self._resource, self._row, each) for each in request.conditions]
        order = self._order(request)
        offset, patterns = request.page * request.page_size, request.has_patterns
        if offset > LARGEST_OFFSET or (request.page and not request.page_size):
            raise NoSuchPage(request.page)
        large = not 0 < request.page_size <= _batch(request)
        if not large:
            query = self._select(request).where(*where).order_by(*order)
            query = query.limit(request.page_size).offset(offset)
            rows = await self._fetch(query, patterns=patterns)
            found, batches = len(rows), _one(rows)
        else:
            ids = await self._ids(where, order, request, offset)
            found, batches = len(ids), self._batches(request, ids)
        if request.page and not found:
            raise NoSuchPage(request.page)
        count = offset + found
        if request.page_size and found == request.page_size:
            count = max(count, await self._count(where, patterns=patterns))
        size = request.page_size or max(count, 1)
        return Page(count, math.ceil(count / size), large, batches)

    async def read_one(self, identifier: int, *, pretty: bool) -> Row:
        """Everything of one thing. Raises `NotFound`."""
        return await self._one(self._select(ListRequest(pretty=pretty, expensive=True)), identifier)

    async def require(self, identifier: int) -> None:
        """Check that one is there. Raises `NotFound`."""
        await self._one(select(self._row.c.id), identifier)

    async def _one(self, query: Select[Any], identifier: int) -> Row:
        if 0 < identifier <= LARGEST_ID:
            # Not by the connections of lists: looking one thing up waits for no list.
            async with self._database.read() as connection:
                found = await connection.execute(query.where(self._row.c.id == identifier))
                row: Any = found.mappings().one_or_none()
            if row is not None:
                one: Row = row
                return one
        raise NotFound(self._resource.thing, identifier)

    def _select(self, request: ListRequest) -> Select[Any]:
        resource = self._resource
        if resource.columns is not None:
            columns = list(resource.columns(self._row, request.expensive))
        else:
            columns = [
                field.value(self._row).label(name)
                for name, field in resource.fields.items()
                if request.expensive or not field.expensive
            ]
        if request.pretty:
            columns += self._pretty()
        return select(*columns).select_from(self._row)

    def _pretty(self) -> Iterator[ColumnElement[Any]]:
        for name, field in self._resource.fields.items():
            if field.to is not None:
                target = self._resources[field.to.resource]
                theirs = target.related_row()
                title = select(target.title(theirs)).where(field.to.link(self._row, theirs))
                yield title.scalar_subquery().label(f"_pretty_{name}")
        for name, value in self._resource.pretty.items():
            yield value(self._row).label(f"_pretty_{name}")

    def _order(self, request: ListRequest) -> list[ColumnElement[Any]]:
        """By the field that is asked for, and things that are alike in it by their ids."""
        columns: list[ColumnElement[Any]] = [self._row.c.id]
        if request.sort not in {None, "id", "pk"}:
            field = self._resource.find(request.sort or "")
            if field is None or request.sort not in self._resource.sortable:
                raise BadField("sort", request.sort, f"one of {', '.join(self._resource.sortable)}")
            columns.insert(0, field.value(self._row))
        return [column.desc() if request.descending else column.asc() for column in columns]

    async def _ids(
        self,
        where: Sequence[ColumnElement[bool]],
        order: Sequence[ColumnElement[Any]],
        request: ListRequest,
        offset: int,
    ) -> list[int]:
        query = select(self._row.c.id).where(*where).order_by(*order).offset(offset)
        ids = (query.limit(request.page_size) if request.page_size else query).subquery()
        # An array comes in the order of the rows it is made of.
        rows = await self._fetch(
            select(func.array(select(ids.c.id).scalar_subquery()).label("ids")),
            patterns=request.has_patterns,
        )
        found: list[int] = rows[0]["ids"]
        return found

    async def _batches(
        self, request: ListRequest, ids: Sequence[int]
    ) -> AsyncIterator[Sequence[Row]]:
        """The rows with these ids in their order. No connection is held between two batches.

        A thing that has gone since the ids were read is left out.
        """
        for start in range(0, len(ids), _batch(request)):
            batch = ids[start : start + _batch(request)]
            places = {identifier: place for place, identifier in enumerate(batch)}
            query = (
                self._select(request)
                .add_columns(self._row.c.id.label("_id"))
                .where(self._row.c.id == any_(literal(batch, ARRAY(BigInteger))))
            )
            yield sorted(await self._fetch(query), key=lambda row: places[row["_id"]])

    async def _count(self, where: Sequence[ColumnElement[bool]], *, patterns: bool) -> int:
        query = select(func.count().label("count")).select_from(self._row).where(*where)
        count: int = (await self._fetch(query, patterns=patterns))[0]["count"]
        return count

    async def _fetch(self, query: Select[Any], *, patterns: bool = False) -> Sequence[Row]:
        with refusals(PATTERN_SECONDS if patterns else LIST_SECONDS):
            async with self._database.list(self._turn, patterns=patterns) as connection:
                rows: list[Any] = list((await connection.execute(query)).mappings())
                return rows


def _batch(request: ListRequest) -> int:
    return LARGEST_EXPENSIVE_BATCH if request.expensive else LARGEST_BATCH


async def _one(rows: Sequence[Row]) -> AsyncIterator[Sequence[Row]]:
    yield rows


@contextmanager
def refusals(seconds: int = LIST_SECONDS) -> Iterator[None]:
    """What PostgreSQL refuses for what the caller has sent, as our own errors."""
    try:
        yield
    except DBAPIError as error:
        for cause in causes(error):
            if isinstance(cause, asyncpg.InvalidRegularExpressionError):
                raise BadPattern(str(cause)) from error
            if isinstance(cause, asyncpg.QueryCanceledError):
                raise TooCostly(seconds) from error
        raise
