"""Parts are killed while runs are under way: nothing acknowledged is lost, nothing runs twice."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime

import asyncpg
import psutil
import pytest
from prefect.client.orchestration import PrefectClient

from prefect_phantom.adapters.store.runs.leases import LEASE_SECONDS
from tests.system import System, flow_run_of, is_alive

NEXT_SCHEMA = """
    ALTER TABLE playbook_runs ADD COLUMN of_next_version TEXT DEFAULT 'new' NOT NULL;
    ALTER TABLE action_runs ADD COLUMN of_next_version TEXT DEFAULT 'new' NOT NULL;
    CREATE TABLE of_next_version (id BIGINT PRIMARY KEY);
"""
OWN_SCHEMA = """
    ALTER TABLE playbook_runs DROP COLUMN of_next_version;
    ALTER TABLE action_runs DROP COLUMN of_next_version;
    DROP TABLE of_next_version;
"""


def test_a_run_goes_on_while_the_gateway_is_killed_and_started_again(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 2})
    system.executing(run_id)
    system.part("prefect_phantom.adapters.cli gateway").kill()
    system.serving()
    run = system.ended(run_id)
    assert (run["status"], run["cancelled"]) == ("success", "")


@pytest.mark.long
async def test_leases_are_renewed_while_the_gateway_stands_still(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    system.executing(run_id)
    gateway = system.part("prefect_phantom.adapters.cli gateway")
    # By a first renewal the guardian has learned where leases are renewed.
    before = await _renewed_after(system, run_id, await _renewed_after(system, run_id))
    gateway.suspend()
    try:
        await _renewed_after(system, run_id, before)
    finally:
        gateway.resume()
    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    assert system.ended(run_id)["cancelled"] == "Cancelled by admin"


@pytest.mark.long
@pytest.mark.attack(
    "whatever keeps the gateway busy for longer than a lease", "every run under way goes on"
)
def test_a_run_outlasts_a_gateway_that_stands_still_for_longer_than_its_lease(
    system: System,
) -> None:
    run_id = system.start("wait", inputs={"seconds": LEASE_SECONDS + 20})
    system.executing(run_id)
    gateway = system.part("prefect_phantom.adapters.cli gateway")
    gateway.suspend()
    try:
        time.sleep(LEASE_SECONDS + 10)
    finally:
        gateway.resume()
    run = system.ended(run_id)
    assert (run["status"], run["cancelled"]) == ("success", "")


async def test_a_gateway_serves_and_starts_again_beside_one_of_the_next_version(
    system: System,
) -> None:
    before = await _next_version(system, NEXT_SCHEMA)
    try:
        assert system.ended(system.start("greeting", inputs={"text": "a"}))["status"] == "success"
        system.part("prefect_phantom.adapters.cli gateway").kill()
        system.serving()
        assert system.ended(system.start("greeting", inputs={"text": "b"}))["status"] == "success"
    finally:
        await _next_version(system, OWN_SCHEMA, revision=before)


async def test_what_is_acknowledged_while_prefect_is_dead_runs_once_when_it_is_back(
    system: System, prefect: PrefectClient
) -> None:
    system.part("prefect server start").kill()
    ids = [system.start("greeting", inputs={"text": f"number {n}"}) for n in range(10)]
    runs = [system.ended(run_id) for run_id in ids]
    for number, run in enumerate(runs):
        assert run["status"] == "success", run["message"]
        actions = json.loads(run["message"])["result"]
        assert [a["app_runs"][0]["app_message"] for a in actions] == [f"number {number}"]
    flow_runs = [await flow_run_of(prefect, run) for run in runs]
    assert len({flow_run.id for flow_run in flow_runs}) == len(ids)


def test_a_run_whose_worker_is_killed_ends_failed_and_its_process_too(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    process_id = system.executing(run_id)["misc"]["process_id"]
    waiting = [system.start("quick") for _ in range(3)]
    system.part("worker start").kill()
    run = system.ended(run_id)
    assert run["status"] == "failed"
    assert json.loads(run["message"])["message"].startswith("The run's process died")
    assert not is_alive(process_id)
    assert {system.ended(each)["status"] for each in waiting} == {"success"}


def test_a_cancel_that_comes_while_the_worker_is_dead_is_carried_out(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    process_id = system.executing(run_id)["misc"]["process_id"]
    system.part("worker start").kill()
    assert system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})["cancelled"] is True
    run = system.ended(run_id)
    assert (run["status"], run["cancelled"]) == ("failed", "Cancelled by admin")
    assert not is_alive(process_id)


@pytest.mark.long
async def test_a_restartable_run_whose_worker_is_killed_is_started_again_as_the_same_flow_run(
    system: System, prefect: PrefectClient
) -> None:
    run_id = system.start("restarts")
    before = system.executing(run_id)
    system.part("worker start").kill()
    run = system.ended(run_id)
    assert (run["status"], run["cancelled"]) == ("success", "")
    assert run["misc"]["flow_run_id"] == before["misc"]["flow_run_id"]
    assert run["misc"]["process_id"] != before["misc"]["process_id"]
    assert not is_alive(before["misc"]["process_id"])
    assert (await flow_run_of(prefect, run)).state_name == "Completed"


@pytest.mark.long
def test_a_run_ends_with_its_worker_although_nothing_starts_another_one(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    process_id = system.executing(run_id)["misc"]["process_id"]
    part = system.part("prefect_phantom.adapters.cli worker")
    part.suspend()  # it would start a worker again, and end what the last one left
    try:
        system.part("worker start").kill()
        run = system.ended(run_id)
    finally:
        part.resume()
    assert json.loads(run["message"])["message"] == "The run's process died: its worker was stopped"
    assert not is_alive(process_id)
    assert system.ended(system.start("quick"))["status"] == "success"


def test_a_killed_guardian_is_replaced_and_its_runs_stay_guarded(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    process_id = system.executing(run_id)["misc"]["process_id"]
    worker = system.part("worker start")
    (guardian,) = guardians(worker)
    guardian.kill()
    gone, _ = psutil.wait_procs([guardian], timeout=30)
    assert gone
    while not guardians(worker):
        time.sleep(0.05)
    part = system.part("prefect_phantom.adapters.cli worker")
    part.suspend()
    try:
        worker.kill()
        run = system.ended(run_id)
    finally:
        part.resume()
    assert json.loads(run["message"])["message"] == "The run's process died: its worker was stopped"
    assert not is_alive(process_id)


@pytest.mark.long
def test_a_cancel_is_carried_out_although_the_worker_is_frozen(system: System) -> None:
    run_id = system.start("wait", inputs={"seconds": 300})
    process_id = system.executing(run_id)["misc"]["process_id"]
    worker = system.part("worker start")
    worker.suspend()
    try:
        system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
        run = system.ended(run_id)
        assert (run["status"], run["cancelled"]) == ("failed", "Cancelled by admin")
        assert not is_alive(process_id)
    finally:
        worker.resume()
    assert system.ended(system.start("quick"))["status"] == "success"


async def _renewed_after(system: System, run_id: int, before: datetime | None = None) -> datetime:
    """When the lease of a run is over, once that is another time than `before`."""
    sockets = str(system.home / "postgres" / "socket")
    connection = await asyncpg.connect(host=sockets, user="postgres", database="phantom")
    try:
        async with asyncio.timeout(LEASE_SECONDS):
            while True:
                over: datetime = await connection.fetchval(
                    "SELECT lease_expire_time FROM playbook_runs WHERE id = $1", run_id
                )
                if over != before:
                    return over
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def _next_version(system: System, statements: str, *, revision: str = "9999") -> str:
    """Change the schema as a migration of the next version would; return the revision before."""
    sockets = str(system.home / "postgres" / "socket")
    connection = await asyncpg.connect(host=sockets, user="postgres", database="phantom")
    try:
        async with connection.transaction():
            await connection.execute(statements)
            before: str = await connection.fetchval(
                "UPDATE alembic_version SET version_num = $1"
                " RETURNING (SELECT version_num FROM alembic_version)",
                revision,
            )
    finally:
        await connection.close()
    return before


def guardians(worker: psutil.Process) -> list[psutil.Process]:
    return [
        each for each in worker.children() if "flows/process/guardian" in " ".join(each.cmdline())
    ]
