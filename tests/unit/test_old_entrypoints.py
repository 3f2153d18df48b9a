"""Deployments of an installation that was made when our modules were called `flows`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.flows import load_flow_from_entrypoint

from prefect_phantom.adapters.worker.old_entrypoints import CURRENT, moved_to
from prefect_phantom.adapters.worker.process_worker import ENTRYPOINT, TicketConfiguration


def deployment(entrypoint: str, steps: list[dict[str, Any]] | None = None) -> DeploymentResponse:
    return DeploymentResponse(
        id=uuid4(), flow_id=uuid4(), name="d", entrypoint=entrypoint, pull_steps=steps
    )


@pytest.mark.parametrize("former", CURRENT)
def test_each_of_our_flows_is_found_where_it_is_now(former: str) -> None:
    moved = moved_to(deployment(former))
    assert moved is not None
    assert load_flow_from_entrypoint(moved).name == former.rpartition(".")[2]


def test_flows_of_others_stay_where_they_are() -> None:
    step = {"prefect.deployments.steps.set_working_directory": {"directory": "/srv"}}
    assert moved_to(deployment("flows.playbooks.wait.wait", [step])) is None
    assert moved_to(deployment("flows.theirs.theirs")) is None


@pytest.mark.parametrize(
    ("entrypoint", "told"),
    [
        ("flows.playbooks.wait.wait", "prefect_phantom.flows.playbooks.wait.wait"),
        ("hunt.py:hunt", None),
    ],
)
def test_a_run_of_the_process_worker_is_told_the_entrypoint_of_now(
    entrypoint: str, told: str | None
) -> None:
    configuration = TicketConfiguration()
    run = FlowRun(id=uuid4(), flow_id=uuid4(), work_queue_name="default")
    configuration.prepare_for_flow_run(run, deployment(entrypoint))
    assert configuration.env.get(ENTRYPOINT) == told
