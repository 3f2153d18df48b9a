"""Playbooks in the containers of Prefect's own workers: what is started, and how such a run goes.

The job is rendered by Prefect's own classes from a work pool on the real server. Where no container
can be had, its command is run as a plain process with the environment that the container would get.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkPool
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Pending

from prefect_phantom.flows.inside.runtime.ticket import KEY_VARIABLE, ticket_key
from tests.system import PROGRAM, STOP_SECONDS, System, is_alive, playbook_run_id_of

pytestmark = pytest.mark.long

INTEGRATIONS = Path(sys.prefix) / "infrastructure"
IMAGE = "registry.example/prefect-phantom:1"
KEY_NAME = "prefect-phantom-ticket-key"
COMMAND = ["python", "-P", "-m", "prefect_phantom.flows.process.contained"]
Render = Callable[[str, UUID], Any]


@pytest.fixture(scope="module")
def environment(system: System, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a Prefect worker on another machine is started with: no secret of ours."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(INTEGRATIONS),
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_API_URL": system.prefect_url,
        "PREFECT_API_AUTH_STRING": system.prefect_auth,
        "PREFECT_PHANTOM_RUNTIME_URL": system.worker_environment()["PREFECT_PHANTOM_RUNTIME_URL"],
        "PREFECT_PHANTOM_GRACE_SECONDS": "2",
    }


@pytest.fixture(scope="module")
def template(environment: dict[str, str]) -> Callable[[str], Any]:
    """What ``prefect-phantom worker template`` prints."""

    def template(pool_type: str) -> Any:
        command = [PROGRAM, "worker", "template", "--type", pool_type, "--image", IMAGE]
        done = subprocess.run(command, env=environment, check=True, capture_output=True)
        return json.loads(done.stdout)

    return template


@pytest.fixture
async def begin(system: System, prefect: PrefectClient, template: Callable[[str], Any]):
    """Begins a run of a playbook in a pool made from the template; nothing takes it there."""

    async def begin(pool_type: str, playbook: str, **parameters: object) -> UUID:
        name, _, repository = playbook.partition("/")
        pools = {pool.name for pool in await prefect.read_work_pools()}
        if pool_type not in pools:
            await prefect.create_work_pool(
                WorkPoolCreate(
                    name=pool_type, type=pool_type, base_job_template=template(pool_type)
                )
            )
        with temporary_settings(
            {PREFECT_API_URL: system.prefect_url, PREFECT_API_AUTH_STRING: system.prefect_auth}
        ):
            key = ticket_key(system.worker_environment()["PREFECT_PHANTOM_RUNTIME_KEY"])
            await Secret(value=key).asave(KEY_NAME, overwrite=True)
        ours = await prefect.read_deployment_by_name(f"{name}/{repository}")
        deployment_id = await prefect.create_deployment(
            flow_id=ours.flow_id,
            name=f"in-{pool_type}",
            work_pool_name=pool_type,
            entrypoint=ours.entrypoint,
            pull_steps=ours.pull_steps,
            job_variables={"env": {"SITE": "one"}},
        )
        flow_run = await prefect.create_flow_run_from_deployment(
            deployment_id, parameters={"container_id": 42, **parameters}
        )
        return flow_run.id

    return begin


@pytest.fixture
def render(environment: dict[str, str]) -> Render:
    """What Prefect's worker would start for a flow run."""

    def render(pool_type: str, flow_run_id: UUID) -> Any:
        program = [sys.executable, Path(__file__).with_name("rendered_job.py")]
        done = subprocess.run(
            [*program, pool_type, pool_type, str(flow_run_id)],
            env=environment,
            check=True,
            capture_output=True,
        )
        return json.loads(done.stdout.splitlines()[-1])

    return render


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[[Any], subprocess.Popen[bytes]]]:
    """Starts what a container would start, as a plain process on the machine that stands for it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(container: Any) -> subprocess.Popen[bytes]:
        machine = {name: environment[name] for name in ("PATH", "PREFECT_HOME", "PREFECT_API_URL")}
        command = shlex.split(container["command"])
        started.append(subprocess.Popen(command, env=container["environment"] | machine))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def run(prefect: PrefectClient, begin: Any, render: Render, start: Any) -> Any:
    """Has a playbook run as in a container; gives its first process and its id."""

    async def run(playbook: str, **parameters: object) -> tuple[subprocess.Popen[bytes], UUID]:
        flow_run_id = await begin("docker", playbook, **parameters)
        container = render("docker", flow_run_id)
        await prefect.set_flow_run_state(flow_run_id, Pending())  # as the worker does before it
        return start(container), flow_run_id

    return run


def test_without_prefects_worker_the_command_says_what_to_install(
    environment: dict[str, str],
) -> None:
    command = [PROGRAM, "worker", "template", "--type", "docker", "--image", IMAGE]
    alone = {name: text for name, text in environment.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=alone, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'install "prefect-phantom[docker]"' in done.stderr


async def test_docker_starts_it_once_with_what_it_needs(
    system: System, begin: Any, render: Render, environment: dict[str, str]
) -> None:
    flow_run_id = await begin("docker", "my_playbook/examples")
    container = render("docker", flow_run_id)
    assert shlex.split(container["command"]) == COMMAND
    assert container["image"] == IMAGE
    assert container["restart_policy"] == {"Name": "no"}
    assert container.get("init") is not True  # the first process is ours, which nobody looks into
    assert container["stop_signal"] == "SIGTERM"
    assert container["privileged"] is False
    assert container["volumes"] == []
    assert container["labels"]["prefect-phantom.part"] == "run"
    given = container["environment"]
    own = system.worker_environment()
    assert given["PREFECT__FLOW_RUN_ID"] == str(flow_run_id)
    assert given["PREFECT_PHANTOM_RUNTIME_URL"] == environment["PREFECT_PHANTOM_RUNTIME_URL"]
    assert given[KEY_VARIABLE] == ticket_key(own["PREFECT_PHANTOM_RUNTIME_KEY"])
    assert own["PREFECT_PHANTOM_RUNTIME_KEY"] not in json.dumps(given)
    assert given["PREFECT_PHANTOM_GRACE_SECONDS"] == "2"
    assert given["SITE"] == "one"


async def test_kubernetes_starts_it_once_and_reads_the_key_from_a_secret(
    system: System, begin: Any, render: Render, environment: dict[str, str]
) -> None:
    flow_run_id = await begin("kubernetes", "my_playbook/examples")
    manifest = render("kubernetes", flow_run_id)
    job, pod = manifest["spec"], manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert job["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] == 12
    assert pod["automountServiceAccountToken"] is False
    assert container["args"] == COMMAND
    assert container["image"] == IMAGE
    for labels in (manifest["metadata"]["labels"], job["template"]["metadata"]["labels"]):
        assert labels["prefect-phantom/part"] == "run"
    given = {each["name"]: each.get("value") or each["valueFrom"] for each in container["env"]}
    assert len(given) == len(container["env"])
    assert given["PREFECT__FLOW_RUN_ID"] == str(flow_run_id)
    assert given["PREFECT_PHANTOM_RUNTIME_URL"] == environment["PREFECT_PHANTOM_RUNTIME_URL"]
    assert given[KEY_VARIABLE] == {"secretKeyRef": {"name": KEY_NAME, "key": "value"}}
    assert given["SITE"] == "one"
    assert system.worker_environment()["PREFECT_PHANTOM_RUNTIME_KEY"] not in json.dumps(manifest)


@pytest.mark.parametrize("pool_type", ["docker", "kubernetes"])
async def test_what_prefect_shows_of_the_pool_holds_no_secret(
    system: System, prefect: PrefectClient, begin: Any, pool_type: str
) -> None:
    await begin(pool_type, "my_playbook/examples")
    pool: WorkPool = await prefect.read_work_pool(pool_type)
    shown = pool.model_dump_json()
    own = system.worker_environment()
    for name in ("PREFECT_PHANTOM_RUNTIME_KEY", "PREFECT_API_AUTH_STRING"):
        assert own[name] not in shown
    assert KEY_NAME in shown


async def test_a_run_in_a_container_is_recorded_like_any_other(
    system: System, prefect: PrefectClient, run: Any
) -> None:
    process, flow_run_id = await run("my_playbook/examples")
    assert process.wait(STOP_SECONDS) == 0
    ended = system.ended(await playbook_run_id_of(prefect, flow_run_id))
    assert ended["status"] == "success"
    assert ended["misc"]["worker"] == "stock in a container"
    actions = json.loads(ended["message"])["result"]
    assert [action["action"] for action in actions] == ["whois ip", "whois domain"]
    state = (await prefect.read_flow_run(flow_run_id)).state
    assert state is not None
    assert state.is_completed()


async def test_a_cancel_ends_a_deaf_run_in_a_container_with_all_it_started(
    system: System, prefect: PrefectClient, run: Any, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    process, flow_run_id = await run("stubborn/local", inputs={"file": str(file)})
    run_id = await playbook_run_id_of(prefect, flow_run_id)
    held = system.run_when(run_id, lambda _: file.exists() and file.read_text())
    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    assert process.wait(STOP_SECONDS) == 0
    assert not is_alive(held["misc"]["process_id"])
    assert not is_alive(int(file.read_text()))
    assert system.ended(run_id)["cancelled"] == "Cancelled by admin"


async def test_a_container_that_is_stopped_ends_its_run_and_says_so(
    system: System, prefect: PrefectClient, run: Any, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    process, flow_run_id = await run("stubborn/local", inputs={"file": str(file)})
    run_id = await playbook_run_id_of(prefect, flow_run_id)
    held = system.run_when(run_id, lambda _: file.exists() and file.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_SECONDS) == 128 + signal.SIGKILL
    assert not is_alive(held["misc"]["process_id"])
    assert not is_alive(int(file.read_text()))
    ended = system.ended(run_id)
    assert (ended["status"], ended["cancelled"]) == ("failed", "")
    assert json.loads(ended["message"])["message"] == "The run's process died: signal 9"
