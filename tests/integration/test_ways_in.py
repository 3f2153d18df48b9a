"""Runs that begin in Prefect are full citizens: an id, a status and a cancel over REST."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import anyio
import pytest
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


COPIED = """
from pydantic import BaseModel

from prefect_phantom import ActionResult, PlaybookRun, action, playbook


class Inputs(BaseModel):
    word: str = "nothing"
    times: int = 1
    loud: bool = False


@action("say", app="Voice")
def say(text: str) -> ActionResult:
    return ActionResult(message=text)


@playbook(inputs=Inputs)
def copied(run: PlaybookRun[Inputs]) -> None:
    say(f"{run.inputs.word} {run.inputs.times} {run.inputs.loud}")
"""
NOW = {"type": "SCHEDULED", "message": "", "state_details": {"scheduled_time": None}}
FORMS = {
    "the newer page": {
        "state": NOW,
        "empirical_policy": {
            "retries": 0,
            "retry_delay": 0,
            "resuming": False,
            "max_retries": 0,
            "retry_delay_seconds": 0,
        },
        "job_variables": {"isolation": "fork"},
    },
    "the older page": {
        "state": NOW,
        "empirical_policy": {
            "retries": None,
            "retry_delay": None,
            "pause_keys": [],
            "resuming": False,
        },
        "job_variables": {},
    },
}
"""What `Copy to new run` was seen to send, beside name, tags and parameters."""


@pytest.mark.parametrize("page", FORMS)
async def test_copy_to_new_run_of_a_run_over_rest_is_a_run_of_its_own(
    system: System, prefect: PrefectClient, page: str
) -> None:
    (system.playbooks / "copied.py").write_text(COPIED)
    system.known("local/copied")
    inputs = {"word": "first", "times": 3}
    first = system.ended(system.start("copied", scope="new", inputs=inputs))
    flow_run = await prefect.read_flow_run(UUID(first["misc"]["flow_run_id"]))
    assert sorted(flow_run.parameters) == ["container_id", "playbook_run_id"]
    # Both pages fill in the defaults of what the first flow run does not say.
    filled_in = {"scope": "all", "inputs": {"word": "nothing", "times": 1, "loud": True}}
    newer = page == "the newer page"
    body = {
        "name": "copy",
        "parameters": {**flow_run.parameters, **filled_in},
        "enforce_parameter_schema": True,
        "work_queue_name": "default",
        "tags": flow_run.tags if newer else ["local", "repository:local"],
    }
    path = f"/deployments/{flow_run.deployment_id}/create_flow_run"
    answer = await prefect.request("POST", path, json={**FORMS[page], **body})
    copy_id = UUID(answer.json()["id"])
    with anyio.fail_after(RUN_SECONDS):
        while (run_id := await playbook_run_id_of(prefect, copy_id)) == first["id"]:
            await anyio.sleep(0.2)
    run = system.ended(run_id)
    assert (run["status"], run["container"]) == ("success", 42)
    assert run["misc"]["flow_run_id"] == str(copy_id)
    assert "first 3 True" in run["message"]
    assert system.get(f"/rest/playbook_run/{first['id']}") == first


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
