"""What a run's process holds of our secrets, and what the programs have that a playbook starts."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient

from prefect_phantom.flows.inside.secrets.prefect_login import VARIABLES
from tests.system import PROGRAM, RUN_SECONDS, STOP_SECONDS, System, playbook_run_id_of

PLAYBOOKS = """
    import json, os, subprocess, sys, time
    from pathlib import Path

    from prefect import task
    from prefect.client.orchestration import get_client
    from prefect.deployments import run_deployment
    from prefect_phantom import PlaybookRun, playbook

    PRINTS = "import json, os; print(json.dumps(dict(os.environ)))"

    @task
    def asks_prefect():
        with get_client(sync_client=True) as client:
            return len(client.read_flow_runs(limit=1))

    def look(run):
        wait = {"container_id": 42, "inputs": {"seconds": 0}}
        started = run_deployment("wait/examples", parameters=wait, timeout=0)
        works = asks_prefect() == 1 and started.id is not None
        seen = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, check=True)
        look = {"process_id": os.getpid(), "child": json.loads(seen.stdout), "prefect": works}
        place = Path(run.inputs["file"])
        place.with_suffix(".draft").write_text(json.dumps(look))
        place.with_suffix(".draft").replace(place)
        while place.exists():
            time.sleep(0.02)

    @playbook
    def looks_forked(run: PlaybookRun) -> None:
        look(run)

    @playbook(isolation="reused")
    def looks_reused(run: PlaybookRun) -> None:
        look(run)
"""


@pytest.fixture(scope="module", autouse=True)
def playbooks(system: System) -> None:
    (system.playbooks / "looks.py").write_text(textwrap.dedent(PLAYBOOKS))
    system.known("local/looks_forked")


@pytest.fixture
def secrets(system: System) -> dict[str, str]:
    """What a run has no business with, and Prefect's login."""
    return {
        "runtime key": (system.home / "runtime.key").read_text().strip(),
        "Prefect's login": system.prefect_auth,
    }


@pytest.fixture
def look(secrets: dict[str, str], tmp_path: Path) -> Callable[[], Any]:
    """What a playbook saw, and which secrets its process held while it looked."""

    def look() -> dict[str, Any]:
        file = tmp_path / "seen"
        seen: dict[str, Any] = json.loads(_when_written(file))
        process_id = seen["process_id"]
        seen["held"] = [what for what, text in secrets.items() if _is_held(process_id, text)]
        file.unlink()
        return seen

    return look


@pytest.fixture
def process_worker(system: System) -> Iterator[str]:
    """A worker part of ours whose worker is Prefect's process worker; gives its pool."""
    pool, name = "phantom-process", "isolation-process"
    environment = system.worker_environment() | {
        "PREFECT_PHANTOM_WORKER_TYPE": "process",
        "PREFECT_PHANTOM_WORK_POOL": pool,
        "PREFECT_PHANTOM_WORKER_NAME": name,
    }
    with _program([PROGRAM, "worker"], environment):
        yield pool


@pytest.mark.attack(
    "a playbook that looks for the runtime key in all that its process holds", "it is not there"
)
@pytest.mark.parametrize("playbook", ["looks_forked", "looks_reused"])
def test_a_run_holds_no_runtime_key_and_its_children_no_login(
    system: System, look: Any, secrets: dict[str, str], tmp_path: Path, playbook: str
) -> None:
    inputs = {"file": str(tmp_path / "seen")}
    system.start(f"local/{playbook}", inputs=inputs)
    _require_closed(look(), secrets)


@pytest.mark.long
@pytest.mark.attack(
    "a playbook under Prefect's process worker, as a worker of ours starts it, that looks for the"
    " runtime key in all that its process holds",
    "it is not there",
)
async def test_so_does_a_run_of_the_process_worker(
    system: System,
    prefect: PrefectClient,
    look: Any,
    secrets: dict[str, str],
    tmp_path: Path,
    process_worker: str,
) -> None:
    ours = await prefect.read_deployment_by_name("looks_forked/local")
    deployment_id = await prefect.create_deployment(
        flow_id=ours.flow_id,
        name="process",
        work_pool_name=process_worker,
        entrypoint=ours.entrypoint,
        pull_steps=ours.pull_steps,
    )
    flow_run = await prefect.create_flow_run_from_deployment(
        deployment_id,
        parameters={"container_id": 42, "inputs": {"file": str(tmp_path / "seen")}},
    )
    _require_closed(look(), secrets)
    ended = system.ended(await playbook_run_id_of(prefect, flow_run.id))
    assert ended["status"] == "success"


def _require_closed(seen: dict[str, Any], secrets: dict[str, str]) -> None:
    assert seen["prefect"] is True
    assert seen["held"] == ["Prefect's login"]  # so a secret that is there is found
    environment = seen["child"]
    assert not {*VARIABLES, "PREFECT_PHANTOM_RUNTIME_KEY", "PREFECT_PHANTOM_TICKET"} & {
        *environment
    }
    for what, secret in secrets.items():
        assert not any(secret in value for value in environment.values()), what


def _when_written(file: Path) -> str:
    deadline = time.monotonic() + RUN_SECONDS
    while not file.exists():
        assert time.monotonic() < deadline, "the playbook did not look"
        time.sleep(0.05)
    return file.read_text()


def _is_held(process_id: int, secret: str) -> bool:
    """Whether the process has the secret in its memory or in the environment it began with."""
    folder = Path(f"/proc/{process_id}")
    wanted = secret.encode()
    if wanted in (folder / "environ").read_bytes():
        return True
    with (folder / "mem").open("rb", buffering=0) as memory:
        for line in (folder / "maps").read_text().splitlines():
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()  # type: ignore[union-attr]
            if not rights.startswith("rw") or "[v" in line:
                continue
            memory.seek(int(start, 16))
            if wanted in memory.read(int(end, 16) - int(start, 16)):
                return True
    return False


@contextmanager
def _program(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    program = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert program.stdout is not None
    try:
        assert any(line == "ready\n" for line in program.stdout)
        yield
    finally:
        program.terminate()
        program.stdout.close()
        program.wait(STOP_SECONDS)
