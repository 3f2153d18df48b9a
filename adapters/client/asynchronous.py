"""The client for ``async`` programs. What each method does is written at `Phantom`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

import httpx
from tenacity import AsyncRetrying

from prefect_phantom.client import call, requests
from prefect_phantom.client.call import AnswerT, Call, Json
from prefect_phantom.client.errors import PhantomConnectionError, PhantomRequestError
from prefect_phantom.client.events import Event
from prefect_phantom.client.health import Health
from prefect_phantom.client.models import ItemT, LogLine, PlaybookRun, Scope
from prefect_phantom.client.options import options
from prefect_phantom.client.pages import PAGE_SIZE, Pages
from prefect_phantom.client.patience import OUTAGE_SECONDS, Patience
from prefect_phantom.client.progress import Progress


class AsyncPhantom:
    """A gateway, as seen by one user; the arguments are those of `Phantom`."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        verify: bool | str | ssl.SSLContext = True,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            **options(url, token, username, password, verify, timeout), transport=transport
        )

    async def run(
        self,
        playbook: int | str,
        container_id: int,
        *,
        scope: Scope = "all",
        inputs: Json | None = None,
    ) -> int:
        """As `Phantom.run`."""
        start = requests.start_run(playbook, container_id, scope, inputs)
        try:
            return await self.send(start)
        except (PhantomConnectionError, PhantomRequestError) as error:
            if not (call.is_unknown(error) and await self._may_start_again()):
                raise
        return await self.send(start.repeated(OUTAGE_SECONDS))

    async def wait(
        self,
        playbook_run_id: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as in `Phantom`
        poll: float = 0.5,
    ) -> PlaybookRun:
        """As `Phantom.wait`."""
        patience = Patience(poll, timeout)
        while True:
            run = await self.send(requests.get_run(playbook_run_id, patience))
            if not run.running:
                return run
            await asyncio.sleep(patience.next_pause())

    async def watch(
        self,
        playbook_run_id: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as in `Phantom`
        poll: float = 0.5,
    ) -> AsyncIterator[Event]:
        """As `Phantom.watch`."""
        patience = Patience(poll, timeout)
        progress = Progress(playbook_run_id)
        while True:
            run = await self.send(requests.get_run(playbook_run_id, patience))
            action_runs = await self.send(progress.actions())
            lines = [line async for line in self._read(progress.lines())]
            news = progress.news(run, action_runs, lines)
            for event in news:
                yield event
            if not run.running:
                return
            if news:
                patience.renew()
            await asyncio.sleep(patience.next_pause())

    async def cancel(self, playbook_run_id: int, *, reason: str | None = None) -> str:
        """As `Phantom.cancel`."""
        return await self.send(requests.cancel_run(playbook_run_id, reason))

    async def get(self, kind: type[ItemT], identifier: int) -> ItemT:
        """As `Phantom.get`."""
        return await self.send(requests.get(kind, identifier))

    def iterate(
        self,
        kind: type[ItemT],
        *,
        sort: str = "id",
        exclude: Json | None = None,
        expensive: bool = False,
        page_size: int = PAGE_SIZE,
        **conditions: object,
    ) -> AsyncIterator[ItemT]:
        """As `Phantom.iterate`."""
        pages = Pages(
            kind,
            conditions,
            sort=sort,
            exclude=exclude,
            expensive=expensive,
            page_size=page_size,
        )
        return self._read(pages)

    def log(self, playbook_run_id: int) -> AsyncIterator[LogLine]:
        """As `Phantom.log`."""
        return self._read(requests.log_pages(playbook_run_id))

    async def create_container(
        self,
        name: str,
        label: str = "events",
        *,
        artifacts: Sequence[Json] = (),
        **fields: object,
    ) -> int:
        """As `Phantom.create_container`."""
        return await self.send(requests.create_container(name, label, artifacts, fields))

    async def create_artifact(
        self, container_id: int, name: str, cef: Json | None = None, **fields: object
    ) -> int:
        """As `Phantom.create_artifact`."""
        return await self.send(requests.create_artifact(container_id, name, cef or {}, fields))

    async def health(self) -> Health:
        """As `Phantom.health`."""
        return await self.send(requests.get_health())

    async def set_playbook_id(self, playbook_id: int, new_id: int) -> int:
        """As `Phantom.set_playbook_id`."""
        return await self.send(requests.set_playbook_id(playbook_id, new_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _may_start_again(self) -> bool:
        try:
            return await self.send(requests.is_gateway(OUTAGE_SECONDS))
        except PhantomRequestError:
            return False  # a page for people, or a proxy's refusal

    async def _read(self, pages: Pages[ItemT]) -> AsyncIterator[ItemT]:
        while pages.more:
            for item in pages.read(await self.send(pages.call())):
                yield item

    async def send(self, request: Call[AnswerT]) -> AnswerT:
        """As `Phantom.send`."""
        again = AsyncRetrying(
            retry=call.REPEATED,
            wait=call.PAUSES,
            stop=request.repetition(),
            retry_error_callback=call.last_answer,
        )
        with call.connection_errors(self._client.base_url):
            response: httpx.Response = await again(
                self._client.request,
                request.method,
                request.path,
                json=request.body,
                headers=request.headers,
            )
        return request.read(response)
