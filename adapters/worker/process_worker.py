"""What a run under Prefect's stock process worker is started with."""

from __future__ import annotations

import os
import shlex
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from prefect_phantom.adapters.process.process_marks import options
from prefect_phantom.adapters.worker.old_entrypoints import moved_to
from prefect_phantom.flows.inside.runtime.ticket import (
    RUNTIME_KEY_VARIABLE,
    VARIABLE,
    make_ticket,
    ticket_key,
)
from prefect_phantom.flows.process import undumpable
from prefect_phantom.old_commands import MODULES

PYTHON = "python"
ENGINE = "prefect_phantom.flows.process.cold"
ENTRYPOINT = "PREFECT__FLOW_ENTRYPOINT"
"""Variable by which Prefect's engine is told another entrypoint than the deployment's."""
_key = ticket_key(os.environ.pop(RUNTIME_KEY_VARIABLE, ""))


class TicketConfiguration(ProcessJobConfiguration):
    """Prefect's own, with the ticket of the flow run instead of the key that makes all tickets."""

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        *about: Any,  # noqa: ANN401
        **more: Any,  # noqa: ANN401
    ) -> None:
        """Complete what the run is started with."""
        super().prepare_for_flow_run(flow_run, deployment, *about, **more)
        self.env[VARIABLE] = make_ticket(_key, flow_run.id)
        if deployment is not None and (moved := moved_to(deployment)) is not None:
            self.env[ENTRYPOINT] = moved
        if self.command and (words := shlex.split(self.command))[0] == PYTHON:
            # The run is not dumpable, so that it has to be known by more than its environment, and
            # before it imports Prefect, since its environment holds the ticket.
            is_cold = words[-2:-1] == ["-m"] and MODULES.get(words[-1], words[-1]) == ENGINE
            begins = ["-P", undumpable.__file__, ENGINE] if is_cold else words[1:]
            self.command = shlex.join([PYTHON, *options(os.environ), *begins])


def use() -> None:
    """Have Prefect's process worker in this process start its runs so."""
    ProcessWorker.job_configuration = TicketConfiguration
