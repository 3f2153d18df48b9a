"""The same playbooks under Prefect's stock process worker: slower, with the same records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import anyio
import psutil
import pytest
from prefect.client.orchestration import PrefectClient

from tests.system import RUN_SECONDS, System, is_alive, playbook_run_id_of

pytestmark = pytest.mark.long

POOL = "phantom-process"


@contextmanager
def working(system: System, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """``prefect worker start`` on the pool that the gateway has made for it."""
    command = ["-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    environment = system.worker_environment() | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
    environment["PREFECT_PHANTOM_WORKER_NAME"] = name
    worker = subprocess.Popen(
        [sys.executable, *command], env=environment, start_new_session=True, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert any(b"started!" in line for line in worker.stdout)
    yield worker
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()


@pytest.fixture(scope="module")
def stock_worker(system: System) -> Iterator[None]:
    with working(system, "stock"):
        yield


async def _start(prefect: PrefectClient, playbook: str, **parameters: object) -> UUID:
    ours = await prefect.read_deployment_by_name(f"{playbook}/examples")
    deployment_id = await prefect.create_deployment(
        flow_id=ours.flow_id, name="stock", work_pool_name=POOL, entrypoint=ours.entrypoint
    )
    return (
        await prefect.create_flow_run_from_deployment(
            deployment_id, parameters={"container_id": 42, **parameters}
        )
    ).id


# First, while no other worker could take the run.
async def test_a_run_whose_stock_worker_is_killed_ends_failed_with_its_process(
    system: System, prefect: PrefectClient
) -> None:
    with working(system, "doomed") as worker:
        flow_run_id = await _start(prefect, "wait", inputs={"seconds": 300})
        run_id = await playbook_run_id_of(prefect, flow_run_id)
        process_id = system.executing(run_id)["misc"]["process_id"]
        worker.kill()
        run = system.ended(run_id)
    assert run["status"] == "failed"
    assert json.loads(run["message"])["message"] == "The run's process died: its worker was stopped"
    assert not is_alive(process_id)


@pytest.mark.usefixtures("stock_worker")
async def test_a_run_under_a_stock_worker_is_recorded_like_any_other(
    system: System, prefect: PrefectClient
) -> None:
    flow_run_id = await _start(prefect, "my_playbook")
    run = system.ended(await playbook_run_id_of(prefect, flow_run_id))
    assert run["status"] == "success"
    assert run["misc"]["worker"] == "stock"
    actions = json.loads(run["message"])["result"]
    assert [action["action"] for action in actions] == ["whois ip", "whois domain"]


@pytest.mark.usefixtures("stock_worker")
async def test_a_cancel_over_rest_reaches_a_run_under_a_stock_worker(
    system: System, prefect: PrefectClient
) -> None:
    flow_run_id = await _start(prefect, "wait", inputs={"seconds": 300})
    run_id = await playbook_run_id_of(prefect, flow_run_id)
    process = psutil.Process(system.executing(run_id)["misc"]["process_id"])
    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    run = system.ended(run_id)
    assert run["cancelled"] == "Cancelled by admin"
    with anyio.fail_after(RUN_SECONDS):
        while is_alive(process.pid):
            await anyio.sleep(0.1)
