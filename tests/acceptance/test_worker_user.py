"""What a playbook reads of the rest: as the user of `up`, and as another one that root names."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from tests.conftest import reachable_interpreter, unprivileged
from tests.system import OWN_ENVIRONMENT, PASSWORD, PROGRAM, RUN_SECONDS, STOP_SECONDS, System

USER, OTHER = "nobody", "daemon"
SPY = """
    import json, os, re, socket, subprocess, sys, time
    from pathlib import Path
    from prefect_phantom import PlaybookRun, playbook

    def reads(path):
        try:
            with open(path, "rb", buffering=0) as file:
                return file.read(65536)
        except PermissionError:
            return None
        except OSError:
            return b""

    def lists(folder):
        try:
            return os.listdir(folder)
        except OSError:
            return None

    @playbook
    def spy(run: PlaybookRun) -> None:
        home = Path(run.inputs["home"])
        opened, seen = [], []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            words = (reads(entry / "cmdline") or b"").split(b"\\0")
            line = b" ".join(words).decode(errors="replace")
            if str(home) not in line and int(entry.name) not in run.inputs["others"]:
                continue
            seen.append(line)
            for name in ("environ", "mem", "fd/0"):
                if reads(entry / name) is not None:
                    opened.append(f"{name} of {line}")
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(home / "postgres" / "socket" / ".s.PGSQL.5432"))
            database = "reached"
        except OSError as error:
            database = type(error).__name__
        report = {
            "user": os.geteuid(), "groups": os.getgroups(), "seen": seen, "opened": opened,
            "home": lists(home), "key": reads(home / "runtime.key") is not None,
            "database": database, "environment": dict(os.environ), "folder": os.getcwd(),
            "written": [Path.home().exists(), os.access(os.environ.get("TMPDIR", "/tmp"), os.W_OK)],
        }
        print(subprocess.run([sys.executable, "-c", "print(1)"], check=True, capture_output=True))
        Path(run.inputs["file"]).write_text(json.dumps(report))
"""


class Started:
    """An `up` that is ready, in folders of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.home = folder / "home"
        self.report = folder / "out" / "report"
        self.url = url

    def spied(self, *others: int) -> Any:
        """What the playbook `spy` has found out, of these other processes as well."""
        self.report.unlink(missing_ok=True)
        inputs = {"home": str(self.home), "file": str(self.report), "others": list(others)}
        body = {"container_id": 42, "playbook_id": "local/spy", "run": True, "inputs": inputs}
        with httpx.Client(base_url=self.url, auth=("admin", PASSWORD), timeout=30) as client:
            run_id = client.post("/rest/playbook_run", json=body).json()["playbook_run_id"]
            deadline = time.monotonic() + RUN_SECONDS
            while (run := client.get(f"/rest/playbook_run/{run_id}").json())["status"] == "running":
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert run["status"] == "success", run["message"]
        return json.loads(self.report.read_text())


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="spied-", dir="/tmp"))
    folder.chmod(0o755)
    for name, mode in (("playbooks", 0o755), ("out", 0o777)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)
    (folder / "playbooks" / "spy.py").write_text(textwrap.dedent(SPY))
    yield folder
    shutil.rmtree(folder)


@contextmanager
def up(folder: Path, *prefix: str, **further: str) -> Iterator[Started]:
    words = ["--home", str(folder / "home"), "--playbooks", str(folder / "playbooks"), "--http"]
    environment = OWN_ENVIRONMENT | {
        "PREFECT_PHANTOM_RUNTIME_PORT": "0",
        "PREFECT_PHANTOM_ADMIN_PASSWORD": PASSWORD,
        **further,
    }
    with (folder / "up.log").open("wb") as log:
        program = subprocess.Popen(
            [*prefix, PROGRAM, "up", *words, "--port", "0", "--prefect-port", "0", "--sample-data"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert program.stdout is not None
    try:
        url = next((line for line in program.stdout if line.startswith("ready: ")), None)
        assert url is not None, (folder / "up.log").read_text()
        yield Started(folder, url.removeprefix("ready: ").strip())
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(STOP_SECONDS)
        program.stdout.close()
    assert _left(folder) == []


@contextmanager
def second_worker(folder: Path, started: Started) -> Iterator[psutil.Process]:
    """Another user's worker of a work pool of its own, ready to run playbooks."""
    own = folder / "second"
    own.mkdir()
    shutil.chown(own, OTHER)
    environment = System(started.home, started.url, folder / "playbooks").worker_environment()
    become = ["setpriv", f"--reuid={OTHER}", "--clear-groups", "--inh-caps=-all"]
    pipes = Pipes(["worker"])
    program = subprocess.Popen(
        [*reachable_interpreter(), *become, PROGRAM, "worker"],
        env=environment
        | pipes.environment("worker")
        | {
            "HOME": str(own),
            "PREFECT_HOME": str(own / "prefect"),
            "PREFECT_PHANTOM_WORKER_NAME": "second",
            "PREFECT_PHANTOM_WORK_POOL": "second",
        },
        pass_fds=pipes.descriptors("worker"),
    )
    try:
        deadline = time.monotonic() + RUN_SECONDS
        while not pipes.says_ready("worker"):
            assert program.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield psutil.Process(program.pid)
    finally:
        program.terminate()
        program.wait(STOP_SECONDS)
        pipes.close()


def _left(folder: Path) -> list[str]:
    """Command lines that still name the folder."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(folder) in line:
                lines.append(line)
    return lines


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's")


@pytest.mark.long
@pytest.mark.attack(
    "a playbook that reads environment and memory of gateway, worker, Prefect server and `up`, as"
    " their own user",
    "permission denied; files of the home are open to it, as docs/promises.md says",
)
def test_a_run_looks_into_no_other_process_of_its_own_user(folder: Path) -> None:
    with up(folder, *unprivileged()) as started:
        found = started.spied()
    for part in (
        *("prefect_phantom.adapters.cli gateway", "prefect_phantom.adapters.cli worker"),
        *("prefect server start", "worker start"),
        *("prefect_phantom.flows.process.warm.template", "up --home"),
    ):
        assert any(part in line for line in found["seen"]), part
    closed = [line for line in found["opened"] if "postgres" not in line]
    assert closed == []
    assert found["key"] is True
    assert found["environment"]["PREFECT_PHANTOM_HOME"] == str(started.home)


@needs_root
@pytest.mark.long
@pytest.mark.attack(
    "a playbook under PREFECT_PHANTOM_WORKER_USER that reads the home, PostgreSQL's socket, or any"
    " other process",
    "permission denied",
)
def test_a_run_of_another_user_reads_nothing_of_the_installation(folder: Path) -> None:
    own = folder / "worker"
    with up(
        folder,
        *reachable_interpreter(),
        PREFECT_PHANTOM_WORKER_USER=USER,
        PREFECT_PHANTOM_WORKER_HOME=str(own),
    ) as started:
        found = started.spied()
        again = started.spied()
    assert found["user"] == again["user"] != 0
    assert 0 not in found["groups"]
    assert found["home"] is None
    assert found["key"] is False
    assert found["database"] == "PermissionError"
    assert found["opened"] == []
    assert any("prefect_phantom.adapters.cli gateway" in line for line in found["seen"])
    assert any("worker start" in line for line in found["seen"])
    assert found["environment"]["HOME"] == str(own)
    assert found["environment"]["PREFECT_HOME"] == str(own / "prefect")
    assert found["written"] == [True, True]


@needs_root
@pytest.mark.long
@pytest.mark.attack(
    "a playbook that reads environment and memory of another worker, which is another user's",
    "permission denied",
)
def test_a_run_looks_into_no_worker_of_another_user(folder: Path) -> None:
    user = {"PREFECT_PHANTOM_WORKER_USER": USER, "PREFECT_PHANTOM_WORKER_HOME": f"{folder}/worker"}
    with (
        up(folder, *reachable_interpreter(), **user) as started,
        second_worker(folder, started) as second,
    ):
        others = [second, *second.children(recursive=True)]
        found = started.spied(*(each.pid for each in others))
        lasting = [each for each in others if each.is_running()]
        lines = {" ".join(each.cmdline()) for each in lasting}
        users = {each.uids().real for each in lasting}
    assert users == {pwd.getpwnam(OTHER).pw_uid}
    assert found["user"] == pwd.getpwnam(USER).pw_uid
    assert any("worker start" in line for line in lines)
    assert lines <= {line.strip() for line in found["seen"]}
    assert found["opened"] == []


@needs_root
@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("root", "names the user that `up` itself is started by"),
        ("n.n.", "names no user"),
    ],
)
def test_a_worker_user_that_cannot_be_is_refused(folder: Path, user: str, sentence: str) -> None:
    done = subprocess.run(
        [PROGRAM, "up", "--home", str(folder / "home")],
        env=OWN_ENVIRONMENT | {"PREFECT_PHANTOM_WORKER_USER": user},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert sentence in done.stderr
