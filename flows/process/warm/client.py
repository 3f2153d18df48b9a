"""The Prefect client of a run process: it does not ask for what the worker has said already."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID
from weakref import WeakSet

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, ServerDefaultResultStorage
from prefect.settings import get_current_settings
from prefect.telemetry.run_telemetry import LABELS_TRACEPARENT_KEY

ENGINE_UPDATE = {"flow_version", "empirical_policy"}
"""What the engine writes at the start of each run; without retries it says nothing new."""

_open: WeakSet[RunClient] = WeakSet()
"""Of this process: what it forks leaves the connections to it."""


class RunClient(SyncPrefectClient):
    """Answers the engine's three questions about its own run from what is known."""

    def __init__(self, *, httpx_settings: dict[str, Any]) -> None:
        settings = get_current_settings().api
        super().__init__(
            settings.url or "",
            auth_string=settings.auth_string.get_secret_value() if settings.auth_string else None,
            api_key=settings.key.get_secret_value() if settings.key else None,
            httpx_settings=httpx_settings,
        )
        self._known: FlowRun | None = None
        self._httpx_settings = httpx_settings
        _open.add(self)

    def begin(self, flow_run: FlowRun) -> None:
        """Know `flow_run` as the worker has it: the next one that this process carries out."""
        self._known = flow_run

    def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        """The run as the engine has it, when it asks right after it has set it running."""
        known, self._known = self._known, None
        if known is not None and flow_run_id == known.id:
            return known
        return super().read_flow_run(flow_run_id)

    def update_flow_run(self, flow_run_id: UUID, *values: Any, **changes: Any) -> httpx.Response:  # noqa: ANN401
        """Update a flow run, unless it is the engine's note that there are no retries."""
        policy = changes.get("empirical_policy")
        if changes.keys() == ENGINE_UPDATE and policy is not None and not policy.retries:
            return httpx.Response(httpx.codes.NO_CONTENT)
        return super().update_flow_run(flow_run_id, *values, **changes)

    def update_flow_run_labels(self, flow_run_id: UUID, labels: dict[str, Any]) -> None:
        """Update labels, unless it is the trace's alone: it stays that of the dispatch.

        So a further attempt stands beside the one before, and a trace costs a run no request.
        """
        if labels.keys() != {LABELS_TRACEPARENT_KEY}:
            super().update_flow_run_labels(flow_run_id, labels)

    def part(self) -> None:
        """Leave the connections to the process that this one was forked from by the playbook."""
        fresh = RunClient(httpx_settings=self._httpx_settings)
        self._client = fresh._client

    def read_server_default_result_storage(self) -> ServerDefaultResultStorage:
        """Say that the server has none: the result of a playbook's flow is never stored."""
        return ServerDefaultResultStorage()


def _part_all() -> None:
    for client in list(_open):
        client.part()


# Once, since handlers are inherited: one for each client would double with each generation.
os.register_at_fork(after_in_child=_part_all)
