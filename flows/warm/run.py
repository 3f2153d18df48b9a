"""One run in a forked process: Prefect's engine, without what the worker does for it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import prefect
from prefect.client.schemas.objects import FlowRun
from prefect.engine import handle_engine_signals
from prefect.events.worker import EventsWorker
from prefect.flow_engine import FlowRunEngine
from prefect.logging.handlers import APILogWorker
from prefect.logging.loggers import flow_run_logger

DRAIN_SECONDS = 10


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


def execute(flow: prefect.Flow[..., Any], flow_run: FlowRun) -> int:
    """Carry out `flow_run`; return the exit code of the process."""
    logger = flow_run_logger(flow_run)
    try:
        with handle_engine_signals(flow_run.id):
            engine = RunEngine(flow=flow, parameters=flow_run.parameters, flow_run=flow_run)
            with engine.start():
                while engine.is_running():
                    with engine.run_context():
                        engine.call_flow_fn()
            state = engine.state
            logger.debug("Ended in state %s", state)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        drain()
    return 0


def drain() -> None:
    """Send on what this process has logged and emitted; nothing of it may be lost."""
    APILogWorker.drain_all(timeout=DRAIN_SECONDS)
    EventsWorker.drain_all(timeout=DRAIN_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()


def leave(code: int) -> NoReturn:
    """End the process at once: tearing an interpreter down would cost more than the run."""
    os._exit(code)
