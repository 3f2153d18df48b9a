"""Reused processes: one run after the other, of which the next finds nothing of ours."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolUpdate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import Log
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from prefect_phantom.adapters.between.prefect.work_pool import default_template
from prefect_phantom.adapters.prefect.deployments.deployments import Deployments
from prefect_phantom.adapters.settings import Settings
from tests.integration.reused_playbooks import CHANGING, PLAYBOOKS, THREADED
from tests.system import RUN_SECONDS, System, flow_run_of, is_alive

GRACE_SECONDS = 5
MARGIN_SECONDS = 2
Run = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture(scope="module", autouse=True)
def playbooks(system: System) -> None:
    (system.playbooks / "reused.py").write_text(PLAYBOOKS)
    (system.playbooks / "reused_threaded.py").write_text(THREADED)
    for name in ("local/steady", "local/reused_threaded"):
        system.known(name)


@pytest.fixture
def run(system: System, prefect: PrefectClient) -> Run:
    """Runs a playbook until its process is idle or gone; returns process id and run object."""

    async def run(playbook: str, text: str = "hello", **inputs: str) -> tuple[int, dict[str, Any]]:
        run_id = system.start(f"local/{playbook}", inputs={"text": text, **inputs})
        run = system.ended(run_id)
        process_id = run["misc"]["process_id"]
        with anyio.fail_after(RUN_SECONDS):
            # The end of the run's log is the last that its process has to say of it.
            while is_alive(process_id) and not _has_ended(await _logs(prefect, run)):
                await anyio.sleep(0.05)
        return process_id, run

    return run


async def _deployment(prefect: PrefectClient, playbook: str) -> DeploymentResponse:
    with anyio.fail_after(RUN_SECONDS):
        while True:
            try:
                return await prefect.read_deployment_by_name(f"{playbook}/local")
            except ObjectNotFound:
                await anyio.sleep(0.1)
    raise AssertionError


async def _set(prefect: PrefectClient, playbook: str, **job_variables: Any) -> None:
    """Set job variables as people do in Prefect."""
    deployment = await _deployment(prefect, playbook)
    changed = {**deployment.job_variables, **job_variables}
    await prefect.update_deployment(deployment.id, DeploymentUpdate(job_variables=changed))


async def _logs(prefect: PrefectClient, run: dict[str, Any]) -> list[Log]:
    own = LogFilterFlowRunId(any_=[UUID(run["misc"]["flow_run_id"])])
    return await prefect.read_logs(LogFilter(flow_run_id=own))


def _has_ended(logs: list[Log]) -> bool:
    return any(log.task_run_id is None and "Finished in state" in log.message for log in logs)


def _gone(process_id: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


async def test_runs_follow_each_other_in_one_process(run: Run) -> None:
    runs = [await run("steady", f"number {number}") for number in range(3)]
    assert {each["status"] for _, each in runs} == {"success"}
    assert len({process for process, _ in runs}) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [("fail", "as it was asked to"), ("exit", "sys.exit(3)"), ("die", "exit code 7")],
)
async def test_a_run_that_fails_is_the_last_of_its_process(
    run: Run, text: str, reason: str
) -> None:
    first, _ = await run("steady")
    process, failed = await run("steady", text)
    assert process == first
    assert failed["status"] == "failed"
    assert reason in json.loads(failed["message"])["message"]
    assert _gone(process, MARGIN_SECONDS)
    process, ended = await run("steady")
    assert (process != first, ended["status"]) == (True, "success")


async def test_a_cancel_ends_a_blocked_process_and_what_it_started_and_another_takes_the_next_run(
    system: System, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    run_id = system.start("local/steady", inputs={"text": "block", "file": str(file)})
    process = system.executing(run_id)["misc"]["process_id"]
    while not file.exists() or not file.read_text():
        await anyio.sleep(0.05)
    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    for each in (process, int(file.read_text())):
        assert _gone(each, GRACE_SECONDS + MARGIN_SECONDS)
    assert system.ended(run_id)["cancelled"] == "Cancelled by admin"
    following, ended = await run("steady")
    assert (following != process, ended["status"]) == (True, "success")


@pytest.mark.parametrize("text", ["leave a process", "leave a forked orphan"])
async def test_what_a_run_leaves_behind_is_ended_together_with_its_process(
    run: Run, text: str, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    process, ended = await run("steady", text, file=str(file))
    assert ended["status"] == "success"
    for each in (process, int(file.read_text())):
        assert _gone(each, MARGIN_SECONDS)


async def test_a_process_is_replaced_after_as_many_runs_as_the_deployment_says(
    prefect: PrefectClient, run: Run
) -> None:
    await _set(prefect, "few", reused_runs=2)
    runs = [await run("few") for _ in range(4)]
    first, second, third, fourth = [process for process, _ in runs]
    assert first == second != third == fourth
    # Those of the last run as well, after which the process was killed.
    assert all([_has_ended(await _logs(prefect, each)) for _, each in runs])


async def test_a_process_that_has_grown_beyond_its_limit_is_replaced(
    prefect: PrefectClient, run: Run
) -> None:
    await _set(prefect, "small", reused_memory_mb=400)
    first = (await run("small"))[0]
    assert (await run("small", "grow"))[0] == first
    assert (await run("small"))[0] != first


async def test_nothing_of_ours_from_one_run_is_seen_by_the_next_and_the_playbooks_own_is(
    prefect: PrefectClient, run: Run
) -> None:
    await _set(prefect, "inspects", env={"GIVEN": "by the deployment"})
    for number in (1, 2, 3):
        _, ended = await run("inspects")
        assert ended["status"] == "success", ended["message"]
        assert f"seen {number}" in [log.message for log in await _logs(prefect, ended)]


async def test_a_forked_run_sees_the_environment_that_its_deployment_gives(
    prefect: PrefectClient, run: Run
) -> None:
    await _set(prefect, "given", env={"GIVEN": "by the deployment"})
    _, ended = await run("given")
    assert ended["status"] == "success", ended["message"]


async def test_logs_and_task_runs_are_complete_and_belong_to_their_run(
    prefect: PrefectClient, run: Run
) -> None:
    ended = [(await run("steady", f"number {number}"))[1] for number in range(3)]
    assert len({each["misc"]["process_id"] for each in ended}) == 1
    for number, each in enumerate(ended):
        logs = [log.message for log in await _logs(prefect, each)]
        assert [text for text in logs if "said" in text] == [f"said number {number}"]
        assert [text for text in logs if text.startswith("Finished in state")] == [
            "Finished in state Completed()"
        ] * 2
        own = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(each["misc"]["flow_run_id"])]))
        with anyio.fail_after(RUN_SECONDS):  # Prefect records task runs from events, a little later
            while not (found := await prefect.read_task_runs(flow_run_filter=own)) or (
                found[0].state_name != "Completed"
            ):
                await anyio.sleep(0.1)
        assert [task_run.name for task_run in found] == [f"say number {number}"]


async def test_a_process_that_a_run_has_forked_logs_by_itself(
    prefect: PrefectClient, run: Run
) -> None:
    _, ended = await run("forks")
    assert ended["status"] == "success", ended["message"]
    assert "said by a child" in [log.message for log in await _logs(prefect, ended)]


async def test_a_process_that_a_run_has_forked_answers_nothing_in_its_place(
    prefect: PrefectClient, run: Run
) -> None:
    for _ in range(3):
        _, ended = await run("steady", "go on in a fork")
        assert ended["status"] == "success", ended["message"]
        assert (await flow_run_of(prefect, ended)).state_name == "Completed"
        _, ended = await run("steady", "after it")
        assert ended["status"] == "success", ended["message"]
        assert "after it" in ended["message"]


@pytest.mark.parametrize(
    ("part", "signal"),
    [("worker start", "kill"), ("prefect_phantom.adapters.cli worker", "terminate")],
)
@pytest.mark.long
async def test_idle_processes_end_with_the_worker(
    system: System, run: Run, part: str, signal: str
) -> None:
    process, _ = await run("steady")
    worker = system.part("worker start")
    idle = {each.pid for each in worker.children()}
    assert process in idle
    getattr(system.part(part), signal)()
    for each in (worker.pid, *idle):
        assert _gone(each, GRACE_SECONDS + MARGIN_SECONDS)
    following, ended = await run("steady")
    assert (following in idle, ended["status"]) == (False, "success")


async def test_changed_code_is_what_the_next_run_runs(system: System, run: Run) -> None:
    file = system.playbooks / "reused_changing.py"
    text = CHANGING.replace("NAME", "reused_changing").replace("ISOLATION", "reused")
    file.write_text(text.replace("MESSAGE", "the first"))
    system.known("local/reused_changing")
    process, ended = await run("reused_changing")
    assert "the first" in ended["message"]
    file.write_text(text.replace("MESSAGE", "the second"))
    assert "the second" in (await run("reused_changing"))[1]["message"]
    assert _gone(process, MARGIN_SECONDS)


async def test_a_playbook_whose_import_starts_a_thread_finds_it_in_each_run(run: Run) -> None:
    runs = [await run("reused_threaded") for _ in range(3)]
    assert [each["status"] for _, each in runs] == ["success"] * 3
    assert len({process for process, _ in runs}) == 1


@pytest.mark.parametrize("playbook", ["suspends", "suspends_reused"])
async def test_a_suspended_run_leaves_its_process_and_goes_on_when_it_is_resumed(
    system: System, prefect: PrefectClient, playbook: str, tmp_path: Path
) -> None:
    run_id = system.start(f"local/{playbook}", inputs={"file": str(tmp_path / "file")})
    started = system.executing(run_id)
    assert _gone(started["misc"]["process_id"], RUN_SECONDS)
    log = system.home / "logs" / "gateway.log"
    with anyio.fail_after(RUN_SECONDS):
        while f"Playbook run {run_id}: Release()" not in log.read_text():
            await anyio.sleep(0.1)
    await prefect.resume_flow_run(UUID(started["misc"]["flow_run_id"]))
    run = system.ended(run_id)
    assert run["status"] == "success", run["message"]
    assert "resumed" in run["message"]


@pytest.mark.long
async def test_job_variables_that_people_set_stay_until_the_playbook_says_another_isolation(
    system: System, prefect: PrefectClient, run: Run
) -> None:
    file = system.playbooks / "edited.py"
    text = CHANGING.replace("NAME", "edited").replace("MESSAGE", "hello")

    async def variables_once_described(description: str) -> dict[str, Any]:
        with anyio.fail_after(RUN_SECONDS):
            while (found := await _deployment(prefect, "edited")).description != description:
                await anyio.sleep(0.1)
        return found.job_variables

    file.write_text(text.replace("ISOLATION", "reused").replace("DESCRIPTION", "One."))
    assert await variables_once_described("One.") == {"isolation": "reused"}
    await _set(prefect, "edited", isolation="fork", reused_runs=7)
    assert len({(await run("edited"))[0] for _ in range(2)}) == 2
    file.write_text(text.replace("ISOLATION", "reused").replace("DESCRIPTION", "Two."))
    assert await variables_once_described("Two.") == {"isolation": "fork", "reused_runs": 7}
    await _set(prefect, "edited", isolation="reused")
    file.write_text(text.replace("ISOLATION", "fork").replace("DESCRIPTION", "Three."))
    assert await variables_once_described("Three.") == {"isolation": "fork", "reused_runs": 7}


async def test_a_pool_of_an_earlier_version_runs_with_defaults_and_gets_what_it_lacks(
    prefect: PrefectClient, run: Run
) -> None:
    pool = await prefect.read_work_pool("phantom")
    earlier = copy.deepcopy(pool.base_job_template)
    for name in ("isolation", "reused_runs", "reused_memory_mb"):
        del earlier["variables"]["properties"][name], earlier["job_configuration"][name]
    earlier["variables"]["properties"]["grace_seconds"]["default"] = 3
    await prefect.update_work_pool("phantom", WorkPoolUpdate(base_job_template=earlier))
    try:
        runs = [await run("upgraded") for _ in range(2)]
        assert [each["status"] for _, each in runs] == ["success"] * 2
        assert runs[0][0] == runs[1][0]
        deployments = Deployments(database=None, client=prefect, settings=Settings())
        await deployments._ensure_work_pools()
        now = (await prefect.read_work_pool("phantom")).base_job_template
        settings = default_template()["variables"]["properties"]
        assert now["variables"]["properties"].keys() == settings.keys()
        assert now["job_configuration"] == pool.base_job_template["job_configuration"]
        assert now["variables"]["properties"]["grace_seconds"]["default"] == 3
    finally:
        change = WorkPoolUpdate(base_job_template=pool.base_job_template)
        await prefect.update_work_pool("phantom", change)
