"""Lists, single things and single fields of what the store declares as a resource."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from prefect_phantom.adapters.rest.contract.route import Handler
from prefect_phantom.adapters.rest.contract.times import pretty_time, timestamp
from prefect_phantom.adapters.rest.gateway import Gateway, caller
from prefect_phantom.adapters.rest.openapi.operation import Operation, Shape
from prefect_phantom.adapters.rest.query.list_query import read_list_query
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer, compact
from prefect_phantom.adapters.store.listing.page import Listing, Page
from prefect_phantom.adapters.store.listing.request import Condition, ListRequest
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.listing.resources import RESOURCES

Row = Mapping[str, Any]
Render = Callable[[Request, Row], dict[str, Any]]
Locate = Callable[[Request], Awaitable[int]]


def render(_: Request, row: Row) -> dict[str, Any]:
    """A row of the store as an object: its fields in their order, times in the contract's form."""
    return {
        name: timestamp(value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


class Lists:
    """The handlers of one resource. `locate` finds the id that a path means, by default its own."""

    def __init__(
        self, resource: Resource, render: Render = render, locate: Locate | None = None
    ) -> None:
        self.resource = resource
        self._render = render
        self.locate = locate or self._by_id

    @Operation(shape=Shape.LIST)
    async def index(self, request: Request) -> Response:
        """``/rest/<type>``: a page of the list envelope ``count``, ``num_pages``, ``data``."""
        return await self.index_of(request, [])

    async def index_of(self, request: Request, further: Sequence[Condition]) -> Response:
        """`index` of those things only for which the `further` conditions hold."""
        wanted = read_list_query(request)
        return await self._answer(
            request, replace(wanted, conditions=[*wanted.conditions, *further])
        )

    @Operation(shape=Shape.THING)
    async def show(self, request: Request) -> Response:
        """``/rest/<type>/<id>``: one thing, without an envelope."""
        return answer(await self._one(request))

    @Operation(shape=Shape.FIELD)
    async def field(self, request: Request) -> Response:
        """``/rest/<type>/<id>/<field>``: an object with this field alone."""
        name: str = request.path_params["field"]
        thing = await self._one(request)
        return answer({name: thing[name]})

    def within(self, parent: Lists) -> Handler:
        """Handler of ``/rest/<parent>/<id>/<things>``: those that belong to that one."""
        return partial(self.index_within, parent)

    @Operation(shape=Shape.LIST)
    async def index_within(self, parent: Lists, request: Request) -> Response:
        """`index` of those things only that belong to one of `parent`."""
        identifier = await parent.locate(request)
        await self._listing(request, parent.resource).require(identifier)
        wanted = read_list_query(request).where(parent.resource.name, identifier)
        return await self._answer(request, wanted)

    async def pretty(self, request: Request) -> dict[str, Any]:
        """What `show` adds to one thing when the request asks for ``pretty``."""
        if not read_list_query(request).pretty:
            return {}
        thing = await self._one(request)
        return {name: value for name, value in thing.items() if name.startswith("_pretty_")}

    async def _answer(self, request: Request, wanted: ListRequest) -> Response:
        page = await self._listing(request, self.resource).read(wanted)
        lines = self._lines(request, page, pretty=wanted.pretty)
        if page.large:
            first = await anext(lines)  # what cannot be read is refused before the answer begins
            return StreamingResponse(_chain(first, lines), media_type="application/json")
        text = "".join([line async for line in lines])
        return Response(text, media_type="application/json")

    async def _lines(self, request: Request, page: Page, *, pretty: bool) -> AsyncIterator[str]:
        """The envelope as JSON text, a batch of rows at a time."""
        text = f'{{"count":{page.count},"num_pages":{page.pages},"data":['
        async for batch in page.batches:
            if batch:
                objects = (self._object(request, row, pretty=pretty) for row in batch)
                yield text + ",".join(compact(each) for each in objects)
                text = ","
        yield "]}" if text == "," else f"{text}]}}"

    def _object(self, request: Request, row: Row, *, pretty: bool) -> dict[str, Any]:
        own = {name: value for name, value in row.items() if not name.startswith("_")}
        content = self._render(request, own)
        if pretty:
            content |= {
                f"_pretty_{name}": pretty_time(value)
                for name, value in own.items()
                if isinstance(value, datetime) and name in content
            }
            content |= {name: row[name] for name in row if name.startswith("_pretty_")}
        return content

    async def _one(self, request: Request) -> dict[str, Any]:
        identifier = await self.locate(request)
        pretty = read_list_query(request).pretty
        row = await self._listing(request, self.resource).read_one(identifier, pretty=pretty)
        return self._object(request, row, pretty=pretty)

    async def _by_id(self, request: Request) -> int:
        return path_identifier(request, self.resource.thing)

    @staticmethod
    def _listing(request: Request, resource: Resource) -> Listing:
        return Listing(Gateway.of(request).database, resource, RESOURCES, turn=caller(request).id)


async def _chain(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for each in rest:
        yield each
