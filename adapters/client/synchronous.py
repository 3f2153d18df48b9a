"""The client for ordinary programs."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import httpx
from tenacity import Retrying

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


class Phantom:
    """A gateway, as seen by one user.

    `url` is its address, such as ``https://soar.example:8443``. The user is named by a `token`,
    or by `username` and `password`. `verify` checks the certificate: against public authorities
    (True), against a PEM file (its path), in a way of your own (an SSL context), or not at all
    (False). `timeout` is in seconds and holds for each request.

    Every method raises `PhantomRequestError` when the gateway refuses and `PhantomConnectionError`
    when no answer comes. Reading and cancelling are repeated for two seconds over a broken
    connection or while the gateway's database is away, starting for thirty; what could take
    effect twice is sent once.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        verify: bool | str | ssl.SSLContext = True,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._client = httpx.Client(
            **options(url, token, username, password, verify, timeout), transport=transport
        )

    def run(
        self,
        playbook: int | str,
        container_id: int,
        *,
        scope: Scope = "all",
        inputs: Json | None = None,
    ) -> int:
        """Start a playbook on a container, and return the id of its run.

        The playbook is named by its id, ``repository/name`` or a bare name. `inputs` are for
        playbooks that take some.

        When no answer comes it is sent again, with the key that makes a gateway take it for the
        same start. To a Splunk Phantom, which knows no such key, it is sent once: after a
        `PhantomConnectionError` the run may exist there or not.
        """
        start = requests.start_run(playbook, container_id, scope, inputs)
        try:
            return self.send(start)
        except (PhantomConnectionError, PhantomRequestError) as error:
            if not (call.is_unknown(error) and self._may_start_again()):
                raise
        return self.send(start.repeated(OUTAGE_SECONDS))

    def wait(
        self, playbook_run_id: int, *, timeout: float | None = None, poll: float = 0.5
    ) -> PlaybookRun:
        """Wait until a run has ended, and return it.

        The first two looks at it are `poll` seconds apart, later ones up to 5 seconds.

        Raises:
            TimeoutError: it did not end within `timeout` seconds. It goes on running.
        """
        patience = Patience(poll, timeout)
        while True:
            run = self.send(requests.get_run(playbook_run_id, patience))
            if not run.running:
                return run
            time.sleep(patience.next_pause())

    def watch(
        self, playbook_run_id: int, *, timeout: float | None = None, poll: float = 0.5
    ) -> Iterator[Event]:
        """Hear of what happens in a run, from its beginning to its end.

        Actions that start and end, lines of the log and changes of the run, as they are found; the
        last is a `RunChanged` with a run that has ended. Looks are as far apart as in `wait`, and
        closer again after something has happened.

        Raises:
            TimeoutError: it did not end within `timeout` seconds. It goes on running.
        """
        patience = Patience(poll, timeout)
        progress = Progress(playbook_run_id)
        while True:
            run = self.send(requests.get_run(playbook_run_id, patience))
            action_runs = self.send(progress.actions())
            news = progress.news(run, action_runs, list(self._read(progress.lines())))
            yield from news
            if not run.running:
                return
            if news:
                patience.renew()
            time.sleep(patience.next_pause())

    def cancel(self, playbook_run_id: int, *, reason: str | None = None) -> str:
        """Cancel a run, and return the gateway's sentence about it. It ends soon, not at once.

        A repeated cancel may find the run already ended by the first one; the
        `PhantomRequestError` then says that it "was already cancelled".
        """
        return self.send(requests.cancel_run(playbook_run_id, reason))

    def get(self, kind: type[ItemT], identifier: int) -> ItemT:
        """Read one thing, such as ``get(Container, 42)``."""
        return self.send(requests.get(kind, identifier))

    def iterate(
        self,
        kind: type[ItemT],
        *,
        sort: str = "id",
        exclude: Json | None = None,
        expensive: bool = False,
        page_size: int = PAGE_SIZE,
        **conditions: object,
    ) -> Iterator[ItemT]:
        """All things of a kind that meet the conditions, read page by page as they are asked for.

        Conditions are the contract's filters, such as ``iterate(PlaybookRun, status="failed",
        start_time__gt=yesterday)``; one that is None is left out. None of `exclude` must hold.
        `sort` is a field, with a minus the other way round; in any order but that of ids something
        may be missed or come twice when things change meanwhile. `expensive` reads what lists
        leave out otherwise, such as the results of runs.
        """
        pages = Pages(
            kind,
            conditions,
            sort=sort,
            exclude=exclude,
            expensive=expensive,
            page_size=page_size,
        )
        return self._read(pages)

    def log(self, playbook_run_id: int) -> Iterator[LogLine]:
        """The lines in a run's log, read page by page."""
        return self._read(requests.log_pages(playbook_run_id))

    def create_container(
        self,
        name: str,
        label: str = "events",
        *,
        artifacts: Sequence[Json] = (),
        **fields: object,
    ) -> int:
        """Make a container with its artifacts, and return its id.

        `fields`, and those of the artifacts, are the contract's. For a `source_data_identifier`
        that exists already, the error's `answer` holds `existing_container_id`. When an artifact is
        refused the container is there without it, and the error's `answer` holds its `id`.
        """
        return self.send(requests.create_container(name, label, artifacts, fields))

    def create_artifact(
        self, container_id: int, name: str, cef: Json | None = None, **fields: object
    ) -> int:
        """Put an artifact into a container, and return its id. `cef` holds its values."""
        return self.send(requests.create_artifact(container_id, name, cef or {}, fields))

    def health(self) -> Health:
        """Read how the gateway and its parts are. For administrators, and not in Splunk."""
        return self.send(requests.get_health())

    def set_playbook_id(self, playbook_id: int, new_id: int) -> int:
        """Give a playbook the id that callers have written down, and return it."""
        return self.send(requests.set_playbook_id(playbook_id, new_id))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _may_start_again(self) -> bool:
        try:
            return self.send(requests.is_gateway(OUTAGE_SECONDS))
        except PhantomRequestError:
            return False  # a page for people, or a proxy's refusal

    def _read(self, pages: Pages[ItemT]) -> Iterator[ItemT]:
        while pages.more:
            yield from pages.read(self.send(pages.call()))

    def send(self, request: Call[AnswerT]) -> AnswerT:
        """Send a request of `prefect_phantom.client.administration`, or one of your own."""
        again = Retrying(
            retry=call.REPEATED,
            wait=call.PAUSES,
            stop=request.repetition(),
            retry_error_callback=call.last_answer,
        )
        with call.connection_errors(self._client.base_url):
            response = again(
                self._client.request,
                request.method,
                request.path,
                json=request.body,
                headers=request.headers,
            )
        return request.read(response)
