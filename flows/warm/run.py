"""One run in a forked process: Prefect's engine, without what the worker does for it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NoReturn

import prefect
from prefect.client.schemas.objects import FlowRun
from prefect.context import SyncClientContext
from prefect.engine import handle_engine_signals
from prefect.events.related import RESOURCE_CACHE
from prefect.events.worker import EventsWorker
from prefect.exceptions import TerminationSignal
from prefect.flow_engine import FlowRunEngine
from prefect.logging.handlers import APILogWorker

from flows.runtime import certificate_authorities
from flows.warm.client import RunClient

DRAIN_SECONDS = 10
HTTPX_SETTINGS: dict[str, Any] = {"verify": certificate_authorities()}


class RunEngine(FlowRunEngine[..., Any]):
    """The engine without a heartbeat thread and without a websocket of its own.

    The worker sees the death of the process itself, and tells it to stop; the thread would hold up
    each run's end by up to a second.
    """

    @property
    def heartbeat_seconds(self) -> int | None:
        """No heartbeat."""
        return None

    @contextlib.contextmanager
    def setup_flow_run_suspension_request(self) -> Iterator[Any]:
        """No observer: suspending from outside goes through the worker."""
        yield self._get_flow_run_suspension_request()

    def handle_crash(self, exc: BaseException) -> None:
        """Leave it to the worker when it ends this process: it knows why, and reports it."""
        if not isinstance(exc, TerminationSignal):
            super().handle_crash(exc)


def execute(flow: prefect.Flow[..., Any], flow_run: FlowRun, related: list[dict[str, Any]]) -> int:
    """Carry out `flow_run`; return the exit code of the process.

    `related` names what the run belongs to in Prefect (kind, id, name, tags), which would
    otherwise be asked for again by every run's events.
    """
    remember_related(related)
    # Without settings of its own, or Prefect would make clients beside this one.
    client = SyncClientContext()
    client.client = RunClient(flow_run, httpx_settings=HTTPX_SETTINGS)
    try:
        with handle_engine_signals(flow_run.id), client:
            engine = RunEngine(flow=flow, parameters=flow_run.parameters, flow_run=flow_run)
            with engine.start():
                while engine.is_running():
                    with engine.run_context():
                        engine.call_flow_fn()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        drain()
    return 0


def remember_related(related: list[dict[str, Any]]) -> None:
    """Put into Prefect's own cache what the worker has read already."""
    now: Any = datetime.now(UTC)
    for each in related:
        entry: Any = {"kind": each["kind"], "object": SimpleNamespace(**each)}
        RESOURCE_CACHE[f"{each['kind']}.{each['key']}"] = (entry, now)


def drain() -> None:
    """Send on what this process has logged and emitted; nothing of it may be lost."""
    APILogWorker.drain_all(timeout=DRAIN_SECONDS)
    EventsWorker.drain_all(timeout=DRAIN_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()


def leave(code: int) -> NoReturn:
    """End the process at once: tearing an interpreter down would cost more than the run."""
    os._exit(code)
