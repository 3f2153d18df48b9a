"""The client for ordinary programs."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import httpx
from tenacity import Retrying

from adapters.client import call, requests
from adapters.client.call import AnswerT, Call, Json
from adapters.client.errors import PhantomConnectionError, PhantomRequestError
from adapters.client.health import Health
from adapters.client.models import Container, Playbook, PlaybookRun, Scope
from adapters.client.options import options
from adapters.client.patience import OUTAGE_SECONDS, Patience


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

    def get(self, playbook_run_id: int) -> PlaybookRun:
        """Read the state of a run."""
        return self.send(requests.get_run(playbook_run_id))

    def watch(
        self, playbook_run_id: int, *, timeout: float | None = None, poll: float = 0.5
    ) -> Iterator[PlaybookRun]:
        """Read the state of a run again and again until it has ended; the last one is its end.

        The first two reads are `poll` seconds apart, later ones up to 5 seconds.

        Raises:
            TimeoutError: it did not end within `timeout` seconds. It goes on running.
        """
        patience = Patience(poll, timeout)
        while (
            state := self.send(requests.get_run(playbook_run_id, patience.outage_seconds))
        ).running:
            yield state
            time.sleep(patience.next_pause())
        yield state

    def wait(
        self, playbook_run_id: int, *, timeout: float | None = None, poll: float = 0.5
    ) -> PlaybookRun:
        """Wait until a run has ended; as `watch`, but only the last state is returned."""
        # The last of them, without keeping the others.
        return deque(self.watch(playbook_run_id, timeout=timeout, poll=poll), maxlen=1).pop()

    def cancel(self, playbook_run_id: int, *, reason: str | None = None) -> str:
        """Cancel a run, and return the gateway's sentence about it. It ends soon, not at once.

        A repeated cancel may find the run already ended by the first one; the
        `PhantomRequestError` then says that it "was already cancelled".
        """
        return self.send(requests.cancel_run(playbook_run_id, reason))

    def create_container(self, name: str, label: str = "events", **fields: object) -> int:
        """Make a container, and return its id; `fields` are further fields of the contract.

        For a `source_data_identifier` that exists already, the error's `answer` holds
        `existing_container_id`.
        """
        return self.send(requests.create_container({"name": name, "label": label, **fields}))

    def create_artifact(
        self, container_id: int, name: str, cef: Json | None = None, **fields: object
    ) -> int:
        """Put an artifact into a container, and return its id. `cef` holds its values."""
        return self.send(
            requests.create_artifact(
                {"container_id": container_id, "name": name, "cef": dict(cef or {}), **fields}
            )
        )

    def get_container(self, container_id: int) -> Container:
        """Read a container."""
        return self.send(requests.get_container(container_id))

    def playbooks(self) -> list[Playbook]:
        """Read every playbook that the gateway knows."""
        return self.send(requests.list_playbooks())

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

    def send(self, request: Call[AnswerT]) -> AnswerT:
        """Send a request of `adapters.client.administration`, or one of your own."""
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
