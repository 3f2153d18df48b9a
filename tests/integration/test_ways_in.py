"""Runs that begin in Prefect are full citizens: an id, a status and a cancel over REST."""

from __future__ import annotations

from datetime import timedelta

import anyio
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.deployments import run_deployment

from tests.system import RUN_SECONDS, System, is_alive, playbook_run_id_of


async def test_run_deployment_gives_a_run_that_rest_reads(
    system: System, prefect: PrefectClient
) -> None:
    flow_run = await run_deployment(
        "greeting/local",
        parameters={"container_id": 42, "scope": "all", "inputs": {"text": "from Prefect"}},
        timeout=0,
        client=prefect,
    )
    assert isinstance(flow_run, FlowRun)
    run = system.ended(await playbook_run_id_of(prefect, flow_run.id))
    assert (run["status"], run["container"], run["owner"]) == ("success", 42, None)
    assert run["misc"]["flow_run_id"] == str(flow_run.id)
    assert "from Prefect" in run["message"]


async def test_a_run_that_began_in_prefect_is_cancelled_over_rest(
    system: System, prefect: PrefectClient
) -> None:
    deployment = await prefect.read_deployment_by_name("wait/examples")
    flow_run = await prefect.create_flow_run_from_deployment(
        deployment.id, parameters={"container_id": 42, "inputs": {"seconds": 300}}
    )
    run_id = await playbook_run_id_of(prefect, flow_run.id)
    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    run = system.ended(run_id)
    assert run["cancelled"] == "Cancelled by admin"
    assert not is_alive(run["misc"]["process_id"])


async def test_a_schedule_starts_the_playbook(system: System, prefect: PrefectClient) -> None:
    ours = await prefect.read_deployment_by_name("quick/local")
    schedule = DeploymentScheduleCreate(
        schedule=IntervalSchedule(interval=timedelta(seconds=15)),
        parameters={"container_id": 42},
        active=True,
    )
    deployment_id = await prefect.create_deployment(
        flow_id=ours.flow_id,
        name="every-15-seconds",
        work_pool_name="phantom",
        entrypoint=ours.entrypoint,
        pull_steps=ours.pull_steps,
        schedules=[schedule],
    )
    completed = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED]))
    )
    own = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
    found: list[FlowRun] = []
    with anyio.fail_after(RUN_SECONDS):
        while not found:
            await anyio.sleep(0.5)
            ended = await prefect.read_flow_runs(deployment_filter=own, flow_run_filter=completed)
            found = [flow_run for flow_run in ended if flow_run.auto_scheduled]
    await prefect.delete_deployment(deployment_id)
    run = system.ended(await playbook_run_id_of(prefect, found[0].id))
    assert run["status"] == "success"


async def test_a_container_that_does_not_exist_fails_the_flow_run_with_that_sentence(
    prefect: PrefectClient,
) -> None:
    flow_run = await run_deployment(
        "quick/local",
        parameters={"container_id": 987654},
        timeout=RUN_SECONDS,
        poll_interval=0.5,
        client=prefect,
    )
    assert isinstance(flow_run, FlowRun)
    assert flow_run.state is not None
    assert 'Container "987654" not found' in (flow_run.state.message or "")
