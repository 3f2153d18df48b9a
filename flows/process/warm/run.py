"""One run in a process of ours: Prefect's engine, without what the worker does for it."""

from __future__ import annotations

import contextlib
import functools
import json
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
from prefect.exceptions import TerminationSignal
from prefect.flow_engine import FlowRunEngine

from prefect_phantom.flows.inside import tracing
from prefect_phantom.flows.inside.log.log_format import about_process
from prefect_phantom.flows.inside.runtime.client import certificate_authorities
from prefect_phantom.flows.inside.runtime.ticket import hold
from prefect_phantom.flows.process.guardian.process_tree import process_name
from prefect_phantom.flows.process.warm.client import RunClient
from prefect_phantom.flows.process.warm.outbox import Outbox
from prefect_phantom.flows.process.warm.reaper import end_kept, name_process

SUSPENDED = 75
"""Exit code of a run that is to go on another time; Prefect's state says so too."""
COMPLETED = 76
"""Exit code of a run whose Completed Prefect has accepted. 0 could be a playbook's own exit."""
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


def execute(flow: prefect.Flow[..., Any], request: dict[str, Any]) -> int:
    """Carry out a run, ``{flow_run, ticket, related, environment}``, and return its exit code.

    `ticket` is its right to be claimed here. `related` names what the run belongs to in Prefect
    (kind, id, name, tags), which would otherwise be asked for again by every run's events. When
    this returns, Prefect has all that the run has logged and emitted.
    """
    name_process(process_name(request["flow_run"]["id"]))
    os.environ.update(request["environment"])
    hold(request["ticket"])
    about_process(flow_run_id=request["flow_run"]["id"])
    flow_run = FlowRun.model_validate_json(json.dumps(request["flow_run"]))
    remember_related(request["related"])
    tracing.begin(tracing.RUN_SECONDS)
    context, client, outbox = connections()
    client.begin(flow_run)
    engine = RunEngine(flow=flow, parameters=flow_run.parameters, flow_run=flow_run)
    try:
        with handle_engine_signals(flow_run.id), context, engine.start():
            while engine.is_running():
                with engine.run_context():
                    engine.call_flow_fn()
        return COMPLETED if engine.state.is_completed() else 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        return SUSPENDED if engine.state.is_paused() else code
    finally:
        end_kept()
        outbox.flush()
        tracing.flush(tracing.RUN_SECONDS)
        sys.stdout.flush()
        sys.stderr.flush()


@functools.cache
def connections() -> tuple[SyncClientContext, RunClient, Outbox]:
    """What this process talks to Prefect with. Its first run makes it, further ones find it."""
    # Without settings of its own, or Prefect would make clients beside this one.
    context = SyncClientContext()
    context.client = client = RunClient(httpx_settings=HTTPX_SETTINGS)
    client.__enter__()  # never left: each run would close it otherwise
    return context, client, Outbox(client)


def remember_related(related: list[dict[str, Any]]) -> None:
    """Put into Prefect's own cache what the worker has read already."""
    now: Any = datetime.now(UTC)
    for each in related:
        entry: Any = {"kind": each["kind"], "object": SimpleNamespace(**each)}
        RESOURCE_CACHE[f"{each['kind']}.{each['key']}"] = (entry, now)


def leave(code: int) -> NoReturn:
    """End the process at once: tearing an interpreter down would cost more than the run."""
    os._exit(code)
