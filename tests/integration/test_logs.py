"""The logs of the real parts as JSON: a request's id in all lines of its run, and no secret."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system import PASSWORD, RUN_SECONDS, System

SPOKEN = {
    "gateway.log": {
        "prefect_phantom.access",
        "prefect_phantom.dispatch",
        "prefect_phantom.runtime",
    },
    "worker.log": {"prefect_phantom.worker", "prefect.flow_runs"},
}


def _lines(file: Path) -> list[dict[str, Any]]:
    """The lines that are JSON. Others are what programs print that know of no setting."""
    lines = file.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.parametrize("playbook", ["local/quick", "local/dies"])
def test_the_id_of_a_request_is_in_what_each_part_says_of_its_run(
    system: System, playbook: str
) -> None:
    name = f"request-of-{playbook}"
    answer = httpx.post(
        f"{system.url}/rest/playbook_run",
        json={"container_id": 42, "playbook_id": playbook, "run": True, "inputs": {"a": "b"}},
        headers={"X-Request-ID": name},
        auth=("admin", PASSWORD),
        verify=False,
    )
    run_id = int(answer.json()["playbook_run_id"])
    system.ended(run_id)
    # The process has reported the end before the worker has seen its own.
    deadline = time.monotonic() + RUN_SECONDS
    while not any(
        line.get("request_id") == name and ": code " in line["message"]
        for line in _lines(system.home / "logs" / "worker.log")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for file, loggers in SPOKEN.items():
        lines = [
            line for line in _lines(system.home / "logs" / file) if line.get("request_id") == name
        ]
        assert loggers <= {line["logger"] for line in lines}, file
        assert {line.get("playbook_run_id", run_id) for line in lines} == {run_id}


def test_what_a_playbook_prints_is_a_line_of_its_run(system: System) -> None:
    run_id = system.start("local/quick", inputs={"mark": "printed :bug:"})
    system.ended(run_id)
    lines = _lines(system.home / "logs" / "worker.log")
    (printed,) = [line for line in lines if "printed :bug:" in line["message"]]
    assert printed["playbook_run_id"] == run_id
    assert printed["flow_run_id"] == system.ended(run_id)["misc"]["flow_run_id"]


def test_no_line_holds_a_secret(system: System) -> None:
    run_id = system.start("local/quick")
    system.ended(run_id)
    secrets = {
        PASSWORD,
        *((system.home / name).read_text().strip() for name in ("operator.token", "runtime.key")),
        (system.home / "prefect.auth").read_text().strip().split(":")[1],
    }
    for file in (system.home / "logs").iterdir():
        text = file.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], file


def test_every_line_of_the_gateway_is_json(system: System) -> None:
    for line in (system.home / "logs" / "gateway.log").read_text().splitlines():
        assert isinstance(json.loads(line), dict), line
