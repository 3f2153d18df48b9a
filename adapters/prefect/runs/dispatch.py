"""The loop that turns queued runs into flow runs: at most one each, whatever breaks in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.telemetry.run_telemetry import LABELS_TRACEPARENT_KEY

from prefect_phantom.adapters.between import spans
from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.prefect.labels import REQUEST_LABEL
from prefect_phantom.adapters.between.prefect.outage import PREFECT_ERRORS, is_outage
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.deployments.deployments import Deployments
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import playbook_reports, playbooks
from prefect_phantom.adapters.store.playbooks.playbooks import Playbook
from prefect_phantom.adapters.store.starts import dispatch_queue
from prefect_phantom.adapters.store.starts.dispatch_queue import QueuedRun
from prefect_phantom.flows.inside.execution import run_name, run_tags

UNAVAILABLE = httpx.codes.SERVICE_UNAVAILABLE
REST_SECONDS = 5.0
"""How long the runs of a playbook are left in the queue that alone could not be created."""
PAUSE_SECONDS = 0.02
"""Between a look at the queue that found nothing to do and the next one: each accepted run asks for
one, and while Prefect takes no more of them each would cost as much as to accept it."""
logger = logging.getLogger("prefect_phantom.dispatch")


async def _nothing() -> None:
    """What is done before runs are taken where Prefect has no rules that are known."""


class Dispatcher:
    """Takes runs from the queue, first come first served, and creates them in Prefect.

    The idempotency key of each is a random key of its row, so that creating it again after a lost
    answer gives the same flow run, and an id used on the same Prefect before gives none. `prepare`
    is awaited before runs are taken: it has Prefect's own rules be known.
    """

    def __init__(
        self,
        *,
        database: Database,
        client: PrefectClient,
        settings: Settings,
        deployments: Deployments,
        signal: Signal,
        reconcile: Signal,
        hints: Hints,
        prepare: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self.database = database
        self.client = client
        self.settings = settings
        self.signal = signal
        self.reconcile = reconcile
        self.hints = hints
        self.deployments = deployments
        self.prepare = prepare
        self._reachable = True
        self._resting: dict[int, float] = {}
        self._drops = 0

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        # The client's own repeats would go on for a minute, and hide whether an earlier one of
        # them has arrived.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            while True:
                while await self.dispatch():
                    pass
                await asyncio.sleep(PAUSE_SECONDS)
                await self.signal.wait(self.settings.dispatch_seconds)

    async def dispatch(self) -> int:
        """Create the next runs in Prefect; return how many were taken from the queue."""
        if not self._reachable and (error := await self.client.api_healthcheck()):
            raise error
        await self.prepare()
        self._drops = self.hints.drops
        now = asyncio.get_running_loop().time()
        self._resting = {id_: end for id_, end in self._resting.items() if end > now}
        taken = await dispatch_queue.take(
            self.database, window=self.settings.dispatch_window, resting=list(self._resting)
        )
        # What an earlier attempt may have made is not given back: its outcome is still to be found.
        unmade = {run.id for run in taken if not run.again}
        by_playbook = attrgetter("playbook_id")
        created: set[int] = set()
        try:
            for playbook_id, group in groupby(sorted(taken, key=by_playbook), key=by_playbook):
                created |= await self._create_or_rest(playbook_id, list(group), unmade)
        finally:
            if unmade:
                await dispatch_queue.give_back(self.database, unmade)
            if any(self._asks(run) for run in taken if run.id in created):
                # When all are there, so that Prefect gives out the first of them in its order.
                self.hints.work()
        return len(taken)

    async def _create_or_rest(
        self, playbook_id: int, runs: Sequence[QueuedRun], unmade: set[int]
    ) -> set[int]:
        """Create the runs of a playbook. If only they fail, they rest, and hold up no others.

        Returns the ids of those that are in Prefect now.
        """
        try:
            playbook = await playbooks.read(self.database, playbook_id)
            with spans.dispatching(runs) as traceparents:
                created = await self._create(playbook, runs, unmade, traceparents)
        except Exception as error:
            # While Prefect is away nothing leaves the queue, where a cancel is final at once.
            self._reachable = not is_outage(error)
            if not self._reachable or not isinstance(error, PREFECT_ERRORS):
                raise
            logger.exception("Runs of playbook %s are tried again in a while", playbook_id)
            self._rest(playbook_id)
            return set()
        self._reachable = True
        return created

    def _asks(self, run: QueuedRun) -> bool:
        """Whether Prefect is to be asked for it, as rules may be that came after it was taken."""
        return run.asks or self._drops != self.hints.drops

    def _rest(self, playbook_id: int) -> None:
        self._resting[playbook_id] = asyncio.get_running_loop().time() + REST_SECONDS

    async def _create(
        self,
        playbook: Playbook,
        runs: Sequence[QueuedRun],
        unmade: set[int],
        traceparents: Mapping[int, str],
    ) -> set[int]:
        ids = [run.id for run in runs]
        if playbook.may_come_back:
            self._rest(playbook.id)
            return set()
        if not playbook.startable:
            await dispatch_queue.refuse(self.database, ids, playbook.error)
            unmade.difference_update(ids)
            return set()
        deployment_id = await self.deployments.registered(playbook)
        # The client's own list of routes lacks this one.
        path: Any = f"/deployments/{deployment_id}/create_flow_run/bulk"
        bodies = [_body(playbook, run, traceparents.get(run.id)) for run in runs]
        try:
            with _attempt(ids, unmade):
                answer = await self.client.request("POST", path, json=bodies)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            # Somebody deleted the deployment in Prefect. The runs were acknowledged: make it anew.
            await self.deployments.register_all()
            raise
        results = answer.json()["results"]
        created = {
            run.id: UUID(result["flow_run_id"])
            for run, result in zip(runs, results, strict=True)
            if result["status"] == "CREATED"
        }
        # Recorded before anything else can fail: who claims one of them is told to wait until then.
        await dispatch_queue.record(self.database, created)
        alone = [pair for pair in zip(runs, bodies, strict=True) if pair[0].id not in created]
        unmade.update(run.id for run, _ in alone if not run.again)
        for run, body in alone:
            with _attempt([run.id], unmade):
                flow_run_id = await self._create_one(deployment_id, run, body)
            if flow_run_id is not None:
                created[run.id] = flow_run_id
                await dispatch_queue.record(self.database, {run.id: flow_run_id})
        lacking = await playbook_reports.lacking(self.database, playbook.id)
        for run, body in zip(runs, bodies, strict=True):
            if run.id in created:
                logger.info(
                    "Playbook run %s of request %s is flow run %s",
                    *(run.id, run.request_id, created[run.id]),
                    extra={"playbook_run_id": run.id, "request_id": run.request_id}
                    | {"flow_run_id": created[run.id]},
                )
                offered = {"id": str(created[run.id]), "deployment_id": str(deployment_id)}
                offered["version"] = playbook.deployment_digest
                if not self._asks(run):
                    self.hints.offer({**body, **offered}, run.work_pool, lacking)
        self.reconcile.notify()
        return set(created)

    async def _create_one(
        self, deployment_id: UUID, run: QueuedRun, body: dict[str, Any]
    ) -> UUID | None:
        """Create what failed in bulk alone: only here does Prefect say whose fault it was."""
        try:
            answer = await self.client.request(
                "POST",
                "/deployments/{id}/create_flow_run",
                path_params={"id": str(deployment_id)},
                json=body,
            )
        except httpx.HTTPStatusError as error:
            if not error.response.is_client_error:
                raise
            reason = f"Prefect refused the run: {error.response.text}"
            await dispatch_queue.refuse(self.database, [run.id], reason)
            return None
        return UUID(answer.json()["id"])


@contextmanager
def _attempt(ids: Sequence[int], unmade: set[int]) -> Iterator[None]:
    """A request that may make the runs `ids`: they are `unmade` only if it certainly did not."""
    trying = unmade.intersection(ids)
    unmade -= trying
    try:
        yield
    except httpx.HTTPError as error:
        if _made_nothing(error):
            unmade |= trying
        raise


def _made_nothing(error: httpx.HTTPError) -> bool:
    """Whether Prefect never saw the request, or refused it."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_client_error or error.response.status_code == UNAVAILABLE
    return isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))


def _body(playbook: Playbook, run: QueuedRun, traceparent: str | None) -> dict[str, Any]:
    # Nothing that a caller sent goes in here: Prefect would render templates inside it.
    labels = {REQUEST_LABEL: run.request_id, LABELS_TRACEPARENT_KEY: traceparent}
    return {
        "name": run_name(run.container_name, playbook.name, run.id),
        "parameters": {"container_id": run.container_id, "playbook_run_id": run.id},
        # Two integers of ours need no check against the playbook's schema: 10 ms of the server.
        "enforce_parameter_schema": False,
        "idempotency_key": str(run.dispatch_key),
        "tags": run_tags(run.id, run.container_id, run.container_label),
        # Not a tag: each of a run's events would name it once more.
        "labels": {name: text for name, text in labels.items() if text},
    }
