"""The loop that turns queued runs into flow runs: at most one each, whatever breaks in between."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient

from adapters.hints import Hints
from adapters.prefect.deployments import Deployments
from adapters.settings import Settings
from adapters.signal import Signal
from adapters.store import dispatch_queue, playbooks
from adapters.store.database import Database
from adapters.store.dispatch_queue import QueuedRun
from adapters.store.playbooks import Playbook
from flows.playbook import run_tags

logger = logging.getLogger("prefect_phantom.dispatch")


class Dispatcher:
    """Takes runs from the queue, first come first served, and creates them in Prefect.

    The idempotency key of each is a random key of its row, so that creating it again after a lost
    answer gives the same flow run, and an id used on the same Prefect before gives none.
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
    ) -> None:
        self.database = database
        self.client = client
        self.settings = settings
        self.signal = signal
        self.reconcile = reconcile
        self.hints = hints
        self.deployments = deployments
        self._reachable = True

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        while True:
            while await self.dispatch():
                pass
            await self.signal.wait(self.settings.dispatch_seconds)

    async def dispatch(self) -> int:
        """Create the next runs in Prefect; return how many were taken from the queue."""
        if not self._reachable and (error := await self.client.api_healthcheck()):
            raise error
        taken = await dispatch_queue.take(self.database, window=self.settings.dispatch_window)
        by_playbook = attrgetter("playbook_id")
        errors: list[Exception] = []
        for playbook_id, group in groupby(sorted(taken, key=by_playbook), key=by_playbook):
            runs = list(group)
            try:
                await self._create(await playbooks.read(self.database, playbook_id), runs)
            except httpx.TransportError:
                # Something may have been made all the same, so these runs are tried again after a
                # while; meanwhile nothing more leaves the queue, where a cancel is final at once.
                self._reachable = False
                raise
            except Exception as error:  # noqa: BLE001 - raised below, after the other playbooks
                errors.append(error)
        self._reachable = True
        if errors:
            message = "Runs of some playbooks could not be created; they are tried again"
            raise ExceptionGroup(message, errors)
        return len(taken)

    async def _create(self, playbook: Playbook, runs: Sequence[QueuedRun]) -> None:
        if playbook.error:
            await dispatch_queue.refuse(self.database, [run.id for run in runs], playbook.error)
            return
        deployment_id = playbook.deployment_id or await self.deployments.register(playbook)
        # The client's own list of routes lacks this one.
        path: Any = f"/deployments/{deployment_id}/create_flow_run/bulk"
        bodies = [_body(playbook, run) for run in runs]
        try:
            answer = await self.client.request("POST", path, json=bodies)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            # Somebody deleted the deployment in Prefect. The runs were acknowledged: make it anew.
            await self.deployments.register_all()
            raise
        created: dict[int, UUID] = {}
        try:
            for run, body, result in zip(runs, bodies, answer.json()["results"], strict=True):
                if result["status"] == "CREATED":
                    created[run.id] = UUID(result["flow_run_id"])
                elif (alone := await self._create_one(deployment_id, run, body)) is not None:
                    created[run.id] = alone
        finally:
            await dispatch_queue.record(self.database, created)
        for run, body in zip(runs, bodies, strict=True):
            if run.id in created:
                offered = {"id": str(created[run.id]), "deployment_id": str(deployment_id)}
                self.hints.offer({**body, **offered})
        self.reconcile.notify()

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


def _body(playbook: Playbook, run: QueuedRun) -> dict[str, Any]:
    # Nothing that a caller sent goes in here: Prefect would render templates inside it.
    return {
        "name": f"{playbook.name} #{run.id}",
        "parameters": {"container_id": run.container_id, "playbook_run_id": run.id},
        "idempotency_key": str(run.dispatch_key),
        "tags": run_tags(run.id, run.container_id),
    }
