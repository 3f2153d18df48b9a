"""A schedule for every open container with a label: what deployments/prefect.yaml shows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.deployments import run_deployment
from prefect.states import Scheduled

from prefect_phantom.adapters.prefect.deployments import for_each_container
from tests.system import RUN_SECONDS, System

FILE = Path(__file__).parents[2] / "deployments" / "prefect.yaml"
NAME = "for_each_container/open-events"


@pytest.fixture
async def deployment(system: System, prefect: PrefectClient) -> AsyncIterator[UUID]:
    """The deployment of the file, as `prefect deploy` makes it, with its schedules paused."""
    command = [
        *(sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", FILE),
        *("--name", NAME.partition("/")[2]),
    ]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(system.home),
        "PREFECT_HOME": str(system.home / "prefect-client"),
        "PREFECT_API_URL": system.prefect_url,
        "PREFECT_API_AUTH_STRING": system.prefect_auth,
    }
    done = await anyio.run_process(
        command, env=environment, cwd=FILE.parents[1], check=False, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()
    made = await prefect.read_deployment_by_name(NAME)
    kinds = {type(each.schedule).__name__ for each in made.schedules}
    assert kinds == {"CronSchedule", "IntervalSchedule", "RRuleSchedule"}
    for schedule in made.schedules:
        await prefect.update_deployment_schedule(made.id, schedule.id, active=False)
    yield made.id
    await prefect.delete_deployment(made.id)


@pytest.fixture
def label() -> str:
    return f"scheduled-{uuid4().hex[:8]}"


@pytest.fixture
def containers(system: System, label: str) -> list[int]:
    new = {"name": "n", "label": label}
    made = [system.post("/rest/container", new)["id"] for _ in range(3)]
    system.post("/rest/container", {**new, "status": "closed"})
    return made


def runs_on(system: System, containers: list[int]) -> list[list[dict]]:
    return [system.get(f"/rest/container/{id_}/playbook_runs")["data"] for id_ in containers]


async def ended(prefect: PrefectClient, flow_run_id: UUID) -> FlowRun:
    with anyio.fail_after(RUN_SECONDS):
        while True:
            flow_run = await prefect.read_flow_run(flow_run_id)
            if flow_run.state is not None and flow_run.state.is_final():
                return flow_run
            await anyio.sleep(0.1)


@pytest.mark.usefixtures("system")
async def test_the_flow_stands_ready_in_prefect_and_keeps_what_people_set_there(
    prefect: PrefectClient,
) -> None:
    shipped = await prefect.read_deployment_by_name("for_each_container/examples")
    assert shipped.parameter_openapi_schema is not None
    assert shipped.parameter_openapi_schema["required"] == ["label", "playbook"]
    schedule = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(days=1)))
    (made,) = await prefect.create_deployment_schedules(shipped.id, [schedule])
    await prefect.update_deployment(shipped.id, DeploymentUpdate(description="of last year"))
    await for_each_container.register(prefect, "phantom")
    after = await prefect.read_deployment(shipped.id)
    await prefect.delete_deployment_schedule(shipped.id, made.id)
    assert [each.id for each in after.schedules] == [made.id]
    assert after.description == shipped.description
    await for_each_container.register(prefect, "phantom")
    assert (await prefect.read_deployment(shipped.id)).updated == after.updated


async def test_each_open_container_gets_one_run_also_when_the_flow_run_is_tried_again(
    system: System, prefect: PrefectClient, deployment: UUID, label: str, containers: list[int]
) -> None:
    parameters = {"label": label, "playbook": "local/quick", "scope": "all"}
    started = await run_deployment(deployment, parameters=parameters, timeout=0, client=prefect)
    assert isinstance(started, FlowRun)
    assert (await ended(prefect, started.id)).state_type is StateType.COMPLETED
    runs = runs_on(system, containers)
    assert [len(each) for each in runs] == [1, 1, 1]
    assert {system.ended(run["id"])["status"] for (run,) in runs} == {"success"}
    # What "retry" in the UI does.
    await prefect.set_flow_run_state(started.id, Scheduled(), force=True)
    with anyio.fail_after(RUN_SECONDS):
        while (flow_run := await ended(prefect, started.id)).run_count < 2:
            await anyio.sleep(0.1)
    assert flow_run.state_type is StateType.COMPLETED
    assert runs_on(system, containers) == [[system.ended(run["id"])] for (run,) in runs]


async def test_a_playbook_that_does_not_exist_fails_the_flow_run_with_a_sentence(
    prefect: PrefectClient, deployment: UUID, label: str
) -> None:
    parameters = {"label": label, "playbook": "local/unknown"}
    started = await run_deployment(deployment, parameters=parameters, timeout=0, client=prefect)
    assert isinstance(started, FlowRun)
    flow_run = await ended(prefect, started.id)
    assert flow_run.state_type is StateType.FAILED
    assert flow_run.state is not None
    assert 'Playbook "local/unknown" not found' in (flow_run.state.message or "")


async def test_a_schedule_starts_runs_on_them(
    system: System, prefect: PrefectClient, deployment: UUID, label: str, containers: list[int]
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=5)
    schedule = DeploymentScheduleCreate(
        schedule=IntervalSchedule(interval=timedelta(seconds=15), anchor_date=soon),
        parameters={"label": label, "playbook": "local/quick", "scope": "new"},
        active=True,
    )
    (made,) = await prefect.create_deployment_schedules(deployment, [schedule])
    with anyio.fail_after(RUN_SECONDS):
        while not all(runs := runs_on(system, containers)):
            await anyio.sleep(0.5)
    await prefect.delete_deployment_schedule(deployment, made.id)
    assert {run["misc"]["scope"] for each in runs for run in each} == {"new"}
    assert {run["owner"] for each in runs for run in each} == {None}
