"""A second ``prefect-phantom worker`` of a name, started beside the one of `up`."""

from __future__ import annotations

import subprocess

import pytest

from prefect_phantom.adapters.process.parent import PIPES
from tests.system import PROGRAM, RUN_SECONDS, System


@pytest.mark.attack(
    "a second worker of the same name, started while playbooks run",
    "refused with a sentence; the playbooks run on",
)
def test_a_second_worker_of_a_name_is_refused_and_kills_no_run(system: System) -> None:
    run = system.start("examples/wait", inputs={"seconds": 600})
    process = system.executing(run)["misc"]["process_id"]
    environment = system.worker_environment()
    environment.pop(PIPES, None)
    second = subprocess.run(
        [PROGRAM, "worker"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    name = environment["PREFECT_PHANTOM_WORKER_NAME"]
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert line.startswith(f"The name {name} is in use by the worker in process ")
    assert system.executing(run)["misc"]["process_id"] == process
    assert system.get(f"/rest/playbook_run/{run}")["status"] == "running"
    system.post(f"/rest/playbook_run/{run}", {"cancel": True})
    system.ended(run)
