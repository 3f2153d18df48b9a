"""Runtime API: a worker holds its name for as long as its connection lasts."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from prefect_phantom.adapters.errors import NameTaken
from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage
from prefect_phantom.adapters.rest.runtime.runtime_credential import key, runtime_route
from prefect_phantom.adapters.rest.runtime.runtime_message import read
from prefect_phantom.adapters.store.database.availability import is_outage
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import worker_names
from prefect_phantom.adapters.store.playbooks.worker_names import Holder

RENEW_SECONDS = 5.0


class _Hold(RuntimeMessage):
    holder: UUID
    hostname: str
    process_id: int
    process: str
    dead: UUID | None = None


class _Held(Response):
    """A line every few seconds. When the other side has gone, its name is free.

    When it is this gateway that ends, the worker goes to another or comes back, and keeps its name.
    """

    def __init__(
        self, database: Database, name: str, connection: UUID, stopping: asyncio.Event
    ) -> None:
        # A gateway that stops does not serve the next one on the same connection.
        super().__init__(headers={"connection": "close"}, media_type="application/x-ndjson")
        del self.headers["content-length"]
        self._database, self._name, self._connection = database, name, connection
        self._stopping = stopping

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send and renew until either side ends, or the name is another connection's."""
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        gone = asyncio.create_task(_gone(receive))
        stopping = asyncio.create_task(self._stopping.wait())
        ends = {gone, stopping}
        try:
            while not stopping.done() and await self._renew():
                await send({"type": "http.response.body", "body": b"{}\n", "more_body": True})
                await asyncio.wait(ends, timeout=RENEW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    await worker_names.give_back(self._database, self._name, self._connection)
                    return
            await send({"type": "http.response.body", "body": b""})
        finally:
            for end in ends:
                end.cancel()

    async def _renew(self) -> bool:
        try:
            return await worker_names.renew(self._database, self._name, self._connection)
        except Exception as error:
            if is_outage(error):  # nobody else can have the name then
                return True
            raise


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _hold(request: Request) -> Response:
    message = await read(request, _Hold)
    database, name = request.app.state.database, request.path_params["name"]
    wanted = Holder(**{field: value for field, value in message if field != "dead"})
    connection = uuid4()
    taken = await worker_names.take(database, name, wanted, connection, dead=message.dead)
    if taken is not None:
        holder, held_until = taken
        raise NameTaken(
            name,
            holder=str(holder.holder),
            hostname=holder.hostname,
            process_id=holder.process_id,
            process=holder.process,
            held_until=held_until.isoformat(),
        )
    return _Held(database, name, connection, request.app.state.stopping)


ROUTES = [runtime_route("workers/{name}/hold", key, _hold)]
