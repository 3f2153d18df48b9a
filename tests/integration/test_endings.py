"""How runs end when they are cancelled, killed, deleted or pressed about in Prefect."""

from __future__ import annotations

import json
import os
import signal
from uuid import UUID

import anyio
import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import (
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Running,
    Scheduled,
)

from tests.system import RUN_SECONDS, System, flow_run_of, is_alive


async def test_a_cancel_kills_the_process_and_ends_the_run_on_both_sides(
    system: System, prefect: PrefectClient
) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    process = psutil.Process(system.executing(run_id)["misc"]["process_id"])
    answer = system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    assert answer["cancelled"] is True
    between = system.get(f"/rest/playbook_run/{run_id}")
    assert between["cancelled"] == "Cancelled by admin"
    run = system.ended(run_id)
    assert not is_alive(process.pid)
    assert (run["status"], run["cancelled"]) == ("failed", "Cancelled by admin")
    assert (await flow_run_of(prefect, run)).state_name == "Cancelled"
    again = system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    assert again["message"] == f"Playbook run {run_id} was already cancelled"


async def test_a_cancel_in_prefect_reads_as_cancelled_over_rest(
    system: System, prefect: PrefectClient
) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    run = system.executing(run_id)
    await prefect.set_flow_run_state(UUID(run["misc"]["flow_run_id"]), Cancelling())
    run = system.ended(run_id)
    assert (run["status"], run["cancelled"]) == ("failed", "Cancelled in Prefect")
    assert not is_alive(run["misc"]["process_id"])


def test_a_cancel_right_after_the_start_never_lets_the_playbook_run(system: System) -> None:
    run_id = system.start("my_playbook")
    assert system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})["cancelled"] is True
    run = system.ended(run_id)
    assert run["status"] == "failed"
    assert run["cancelled"] == "Cancelled by admin"
    assert json.loads(run["message"])["result"] == []


def test_a_run_whose_process_is_killed_ends_failed(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    os.kill(system.executing(run_id)["misc"]["process_id"], signal.SIGKILL)
    run = system.ended(run_id)
    assert run["status"] == "failed"
    assert json.loads(run["message"])["message"].startswith("The run's process died")


@pytest.mark.parametrize(
    ("playbook", "reason"),
    [("exits", "sys.exit(3)"), ("dies", "The run's process died")],
)
def test_a_playbook_that_ends_its_process_ends_failed(
    system: System, playbook: str, reason: str
) -> None:
    run = system.ended(system.start(f"local/{playbook}"))
    assert run["status"] == "failed"
    assert reason in json.loads(run["message"])["message"]


ENDED = {
    "success": (StateType.COMPLETED, [Failed, Crashed, Cancelled, Running, Scheduled]),
    "failed": (StateType.FAILED, [Completed, Cancelled]),
    "cancelled": (StateType.CANCELLED, [Completed, Failed, Crashed, Running]),
}


@pytest.mark.attack(
    "an ended run's state is changed in Prefect, or it is retried there",
    "Prefect shows again how the run has ended, and nothing runs",
)
@pytest.mark.parametrize("end", ENDED)
async def test_what_the_row_says_is_what_prefect_shows_in_the_end(
    system: System, prefect: PrefectClient, end: str
) -> None:
    kind, changes = ENDED[end]
    run_id = system.start("examples/fails" if end == "failed" else "quick")
    if end == "cancelled":
        run_id = system.start("wait", inputs={"seconds": 300})
        system.executing(run_id)
        system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    run = system.ended(run_id)
    flow_run_id = UUID(run["misc"]["flow_run_id"])
    await shows(prefect, flow_run_id, kind)
    for change in changes:
        await prefect.set_flow_run_state(flow_run_id, change(), force=True)
        await shows(prefect, flow_run_id, kind)
    assert system.get(f"/rest/playbook_run/{run_id}") == run


async def shows(prefect: PrefectClient, flow_run_id: UUID, kind: StateType) -> None:
    """Wait until Prefect shows this state of a flow run."""
    with anyio.fail_after(RUN_SECONDS):
        while (state := (await prefect.read_flow_run(flow_run_id)).state) is None or (
            state.type is not kind
        ):
            await anyio.sleep(0.1)


async def test_an_ended_run_that_is_deleted_in_prefect_stays_deleted(
    system: System, prefect: PrefectClient
) -> None:
    run = system.ended(system.start("quick"))
    flow_run_id = UUID(run["misc"]["flow_run_id"])
    await shows(prefect, flow_run_id, StateType.COMPLETED)
    await prefect.set_flow_run_state(flow_run_id, Failed(), force=True)
    await prefect.delete_flow_run(flow_run_id)
    system.ended(system.start("quick"))
    with pytest.raises(ObjectNotFound):
        await prefect.read_flow_run(flow_run_id)
    assert system.get(f"/rest/playbook_run/{run['id']}") == run


async def test_a_flow_run_deleted_in_prefect_ends_its_run(
    system: System, prefect: PrefectClient
) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    run = system.executing(run_id)
    await prefect.delete_flow_run(UUID(run["misc"]["flow_run_id"]))
    ended = system.ended(run_id)
    assert ended["status"] == "failed"
    assert json.loads(ended["message"])["message"] == "Deleted in Prefect"
    # Prefect no longer knows it, so the stock worker cannot be told: end what it left.
    psutil.Process(run["misc"]["process_id"]).kill()
