"""Client of the gateway's runtime API: the only door from a run to stored data.

Every call may be repeated safely: each carries an id made here, so that an answer lost on the way
is asked for again and nothing is done twice.
"""

from __future__ import annotations

import functools
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Self
from uuid import UUID, uuid4

import httpx
import psutil
from pydantic import BaseModel
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from prefect_phantom.flows.asset import AssetName
from prefect_phantom.flows.container import Artifact, Container
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.inside.log.run_log import Line
from prefect_phantom.flows.inside.record import recordable
from prefect_phantom.flows.inside.recorder import StartedAction
from prefect_phantom.flows.inside.runtime.ticket import held
from prefect_phantom.flows.process.machine import machine

PATIENCE_SECONDS = 300
"""How long a run waits for a gateway that does not answer before it gives up."""
LATER = frozenset({408, 429})
"""Refusals that ask to come again: of what was too slow, or too much. Any other one stays one."""


class RuntimeUnavailable(Exception):
    """The gateway does not answer, or says that it cannot at the moment."""


class RuntimeRefused(Exception):
    """The gateway understood and said no; retrying would not change that."""


class Superseded(Exception):
    """This process may not go on: its run is over, cancelled or held by another process."""

    def __init__(
        self, message: str, *, held_elsewhere: bool, begins_elsewhere: bool = False
    ) -> None:
        super().__init__(message)
        self.held_elsewhere = held_elsewhere
        """Whether another process holds the run; if so its Prefect state is not ours to set."""
        self.begins_elsewhere = begins_elsewhere
        """Whether it is to begin on another worker, which has its code."""


class Claim(BaseModel):
    """The gateway's answer to a claim: the run, and this attempt's right to work on it."""

    playbook_run_id: int
    playbook: str
    attempt: int
    token: str
    container: Container
    artifacts: list[Artifact]
    inputs: dict[str, Any]
    request_id: str | None = None
    base_url: str = ""
    """Where people reach the gateway."""


@dataclass
class _Leave:
    """One question to the gateway, and its answer for all who wait for it."""

    answered: bool = False
    error: Exception | None = None


class Attempt:
    """A claimed run. Made by `claim`; everything it sends is refused once it is superseded."""

    def __init__(self, client: httpx.Client, claim: Claim) -> None:
        self._client = client
        self._process_id = os.getpid()
        self._joining, self._asking = threading.Lock(), threading.Lock()
        self._next_leave = _Leave()
        self.claim = claim

    @classmethod
    def begin(
        cls,
        *,
        flow_run_id: UUID,
        deployment_id: UUID | None,
        playbook: str,
        container_id: int,
        scope: str | list[int],
        inputs: dict[str, Any] | None,
        playbook_run_id: int | None,
        former_id: int | None = None,
    ) -> Self:
        """Claim the run for this process before anything else happens.

        Without `playbook_run_id` the run began in Prefect, and its row is made now, unless it had
        one before: then `former_id` is what its tags say.

        Raises:
            Superseded: the run is over, cancelled, or held by another process.
            RuntimeRefused: the run cannot be made, for instance its container does not exist.
            RuntimeUnavailable: no answer within `PATIENCE_SECONDS`.

        """
        client, ticket = connect(flow_run_id)
        process = psutil.Process()
        answer = call(
            client,
            "/runtime/claim",
            ticket,
            {
                "claim_id": str(uuid4()),
                "flow_run_id": str(flow_run_id),
                "deployment_id": str(deployment_id) if deployment_id else None,
                "playbook": playbook,
                "playbook_run_id": playbook_run_id,
                "container_id": container_id,
                "scope": scope,
                "inputs": inputs,
                "worker": worker_name(),
                "hostname": socket.gethostname(),
                "process_id": process.pid,
                "process_start": process.create_time(),
                "machine": machine(),
                **({} if former_id is None else {"former_id": former_id}),
            },
        )
        return cls(client, Claim.model_validate(answer))

    def start_action(
        self,
        *,
        action: str,
        app: str,
        type: str,  # noqa: A002 - the contract's own name
        name: str,
        parameters: list[dict[str, Any]],
        assets: list[str] | None,
        needs_asset: bool,
    ) -> StartedAction:
        """Record the start of an action; it may begin only after this returned.

        Raises:
            Superseded: the run was cancelled or is no longer this process's.
            RuntimeRefused: no such asset, or none of this app.

        """
        answer = self._call(
            "/runtime/action_runs",
            {
                "start_key": str(uuid4()),
                "action": action,
                "app": app,
                "type": type,
                "name": name,
                "parameters": parameters,
                "assets": assets,
                "needs_asset": needs_asset,
            },
        )
        return StartedAction.model_validate(answer)

    def ask_leave(self) -> None:
        """Ask whether more of an action that has begun may begin. Who asks meanwhile shares a call.

        Raises:
            Superseded: the run was cancelled or is no longer this process's.

        """
        with self._joining:
            leave = self._next_leave
        with self._asking:
            if not leave.answered:
                with self._joining:
                    self._next_leave = _Leave()  # who comes from now on was not asked for
                try:
                    self._call("/runtime/leave", {})
                except (Superseded, RuntimeRefused, RuntimeUnavailable) as error:
                    leave.error = error
                leave.answered = True
        if leave.error is not None:
            raise leave.error

    def end_action(
        self,
        action_run_id: int,
        *,
        status: Literal["success", "failed"],
        message: str,
        app_runs: list[dict[str, Any]],
    ) -> None:
        """Report an action's end: per app run ``{id, status, message, results}``.

        Raises:
            Superseded: the run was cancelled or is no longer this process's.

        """
        app_runs = recordable(app_runs)
        body = {"status": status, "message": message, "app_runs": app_runs}
        self._call(f"/runtime/action_runs/{action_run_id}/end", body)

    def assets(self) -> list[AssetName]:
        """The assets of the installation that are not disabled, in the order of their ids.

        Raises:
            Superseded: the run was cancelled or is no longer this process's.

        """
        answer = self._call("/runtime/assets", {})
        return [AssetName.model_validate(each) for each in answer["assets"]]

    def hold_slots(self, leases: Sequence[UUID]) -> None:
        """Say which slots this process holds in limits of Prefect; those of a dead run come back.

        They are told of once: without the gateway they come back a little later.
        """
        body = {"leases": [str(lease) for lease in leases]}
        with suppress(RuntimeUnavailable, Superseded, RuntimeRefused):
            post(self._client, "/runtime/slots", self.claim.token, body)

    def log(self, lines: list[Line]) -> bool:
        """Hand over lines of the run's log. Returns whether they are done with.

        They are asked for once only: while the gateway does not answer they are kept. A run that
        is over, or no longer this process's, learns it from its next other call.
        """
        try:
            post(self._client, "/runtime/log", self.claim.token, {"lines": lines})
        except RuntimeUnavailable:
            return False
        except (Superseded, RuntimeRefused):
            return True
        return True

    def end(
        self,
        status: Literal["success", "failed"],
        message: str,
        log: list[Line] | None = None,
        *,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Report the run's end; afterwards nothing about it changes any more.

        Args:
            status: How it ended.
            message: Why it failed; empty otherwise.
            log: The last lines of its log.
            outputs: What the playbook gave back.

        Raises:
            Superseded: the run was cancelled or is no longer this process's.

        """
        body = {"status": status, "message": message, "log": log or []}
        self._call("/runtime/end", body if outputs is None else {**body, "outputs": outputs})

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a change that the attempt may make; `body` has a key that makes it once only.

        Raises:
            Superseded: the run was cancelled or is no longer this process's.
            RuntimeRefused: the gateway will not do it, and says why.
            RuntimeUnavailable: no answer within `PATIENCE_SECONDS`.

        """
        return self._call(path, body)

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if os.getpid() != self._process_id:
            # It has the connection of the process that forked it, and would take its answers.
            message = "A process that a playbook has forked cannot act for its run"
            raise RuntimeRefused(message)
        return call(self._client, path, self.claim.token, body)


def ask(path: str, flow_run_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for what a flow may have that is no playbook run; asking again must do nothing twice.

    The flow run's id is part of what is sent.

    Raises:
        RuntimeRefused: the gateway will not do it, and says why.
        RuntimeUnavailable: no answer within `PATIENCE_SECONDS`.

    """
    client, ticket = connect(flow_run_id)
    return call(client, path, ticket, {"flow_run_id": str(flow_run_id), **body})


def connect(flow_run_id: UUID | str) -> tuple[httpx.Client, str]:
    """A client of the runtime API, and this process's ticket, until the run has its own token."""
    url, ticket = os.environ.get("PREFECT_PHANTOM_RUNTIME_URL"), held(flow_run_id)
    if not url or not ticket:
        message = (
            "PREFECT_PHANTOM_RUNTIME_URL and a ticket of the flow run are needed where playbooks "
            "run; `prefect-phantom up` and `prefect-phantom worker` see to both"
        )
        raise RuntimeRefused(message)
    return _client(url), ticket


def worker_name() -> str | None:
    """Our worker's name, or the one that Prefect's own worker leaves in a container."""
    names = ("PREFECT_PHANTOM_WORKER_NAME", "PREFECT__WORKER_NAME")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


@functools.cache
def certificate_authorities() -> ssl.SSLContext:
    """The machine's certificate authorities; reading them costs more than a request."""
    return ssl.create_default_context()


@functools.cache
def _client(url: str) -> httpx.Client:
    """The client of this process, which a reused one keeps for its further runs."""
    return httpx.Client(base_url=url, timeout=30, trust_env=False, verify=certificate_authorities())


def call(client: httpx.Client, path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    """`post`, again and again for `PATIENCE_SECONDS` while the gateway is unavailable."""
    for trial in Retrying(
        retry=retry_if_exception_type(RuntimeUnavailable),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    ):
        with trial:
            return post(client, path, token, body)
    raise AssertionError  # pragma: no cover - Retrying returns or raises


def post(client: httpx.Client, path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the runtime API once. Raises `Superseded`, `RuntimeRefused` and `RuntimeUnavailable`."""
    try:
        answer = client.post(path, json=plain(body), headers={"authorization": f"Bearer {token}"})
    except httpx.RequestError as error:
        message = f"The runtime API at {client.base_url} does not answer: {error}"
        raise RuntimeUnavailable(message) from error
    if answer.status_code in LATER or answer.is_server_error:
        raise RuntimeUnavailable(answer.text)
    try:
        content: dict[str, Any] = dict(answer.json())
    except (ValueError, TypeError) as error:  # a proxy between, or something else at that address
        message = f"{client.base_url} is no runtime API: it answers HTTP {answer.status_code}"
        raise RuntimeRefused(message) from error
    if answer.status_code == httpx.codes.CONFLICT and "held_elsewhere" in content:
        raise Superseded(
            content["message"],
            held_elsewhere=content["held_elsewhere"],
            begins_elsewhere=content.get("begins_elsewhere", False),
        )
    if answer.is_error:
        raise RuntimeRefused(content.get("message", f"HTTP {answer.status_code}"))
    return content
