"""One running installation per session, started by `prefect-phantom up`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from prefect_phantom.adapters.process.process_marks import environment_of
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from prefect_phantom.client import Phantom

PROGRAM = str(Path(sys.executable).with_name("prefect-phantom"))
HEARING = ["env", "--default-signal=HUP,INT,QUIT,TERM"]
"""Words before a command that hears signals which a shell ignores for what it starts by `&`."""
PASSWORD = "changeme"
COLLECTOR_KEY = "key-of-the-collector"
STOP_SECONDS = 30
RUN_SECONDS = 120
OWN_ENVIRONMENT = {name: text for name, text in os.environ.items() if "PREFECT" not in name}

LOCAL_PLAYBOOKS = {
    "quick.py": """
        from prefect_phantom import PlaybookRun, playbook

        @playbook
        def quick(run: PlaybookRun) -> None:
            print("scope", [artifact.id for artifact in run.artifacts], run.inputs)
    """,
    "greeting.py": """
        from prefect_phantom import ActionResult, PlaybookRun, action, playbook

        @action("echo", app="Local")
        def echo(text: str) -> ActionResult:
            return ActionResult(message=text)

        @playbook(labels=["events"], tags=["local"])
        def greeting(run: PlaybookRun) -> None:
            echo(run.inputs["text"])
    """,
    "exits.py": """
        import os, sys
        from prefect_phantom import PlaybookRun, playbook

        @playbook
        def exits(run: PlaybookRun) -> None:
            sys.exit(3)

        @playbook
        def dies(run: PlaybookRun) -> None:
            os._exit(7)
    """,
    "broken.py": "import no_such_module\n",
    "dirty.py": """
        import builtins, logging, os, sys, threading, time
        from prefect_phantom import PlaybookRun, playbook

        SEEN = []

        @playbook
        def dirty(run: PlaybookRun) -> None:
            SEEN.append(run.id)
            os.environ["DIRTY"] = "1"
            os.chdir("/")
            os.umask(0o777)
            builtins.dirty = True
            sys.modules["json"] = None
            logging.getLogger().addHandler(logging.NullHandler())
            logging.disable(logging.CRITICAL)
            open(os.devnull)
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

        @playbook
        def looks(run: PlaybookRun) -> None:
            assert SEEN == [], SEEN
            assert "DIRTY" not in os.environ
            assert os.getcwd() != "/"
            assert os.umask(0o022) == 0o022
            assert not hasattr(builtins, "dirty")
            import json
            assert json.loads("1") == 1
            assert not any(isinstance(h, logging.NullHandler) for h in logging.getLogger().handlers)
            assert logging.root.manager.disable < logging.CRITICAL
            assert not any("sleep" in str(t._target) for t in threading.enumerate())
    """,
    "threaded.py": """
        import threading
        from prefect_phantom import PlaybookRun, playbook

        STARTED = threading.Event()
        ASKED = threading.Event()

        def serve():
            ASKED.wait()
            STARTED.set()

        threading.Thread(target=serve, daemon=True).start()

        @playbook
        def threaded(run: PlaybookRun) -> None:
            ASKED.set()
            assert STARTED.wait(10), "the thread of the import is not in this process"
    """,
    "stubborn.py": """
        import ctypes, signal, subprocess, sys, time
        from pathlib import Path
        from prefect_phantom import PlaybookRun, playbook

        CHILD = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); time.sleep(600)"

        @playbook
        def stubborn(run: PlaybookRun) -> None:
            child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
            Path(run.inputs["file"]).write_text(str(child.pid))
            # In C, with the interpreter's lock, and deaf: only SIGKILL gets through.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            ctypes.PyDLL(None).sleep(600)

        @playbook
        def leaves_a_process(run: PlaybookRun) -> None:
            child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
            Path(run.inputs["file"]).write_text(str(child.pid))
    """,
    "restarts.py": """
        import time
        from prefect_phantom import PlaybookRun, playbook

        @playbook(restartable=True)
        def restarts(run: PlaybookRun) -> None:
            if run.attempt == 1:
                time.sleep(600)
    """,
    # A folder of the user's own with our package's name, beside the playbooks.
    "flows/__init__.py": "raise RuntimeError('the wrong flows was imported')\n",
}


class System:
    """A running installation, as its users reach it."""

    def __init__(self, home: Path, url: str, playbooks: Path) -> None:
        self.home = home
        self.url = url
        self.playbooks = playbooks
        self.phantom = Phantom(url, username="admin", password=PASSWORD, verify=False)
        self.prefect_auth = (home / "prefect.auth").read_text().strip()
        self.prefect_url = f"http://127.0.0.1:{self.part_port('prefect server start')}/api"

    def part(self, command: str) -> psutil.Process:
        """The process of this installation whose command line holds `command`."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # ended meanwhile, or somebody else's
                if command in " ".join(process.cmdline()) and self._is_ours(process):
                    return process
        raise LookupError(command)

    def part_port(self, command: str) -> int:
        """Port that the part whose command line holds `command` was started with."""
        line = self.part(command).cmdline()
        return int(line[line.index("--port") + 1])

    def _is_ours(self, process: psutil.Process) -> bool:
        return environment_of(process).get("PREFECT_PHANTOM_HOME") == str(self.home)

    def worker_environment(self) -> dict[str, str]:
        """What a worker that is started by hand needs."""
        log = (self.home / "logs" / "gateway.log").read_text()
        url = re.findall(r"the runtime API at (http://[^\s\"]+)", log)[-1]
        return OWN_ENVIRONMENT | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_API_URL": self.prefect_url,
            "PREFECT_API_AUTH_STRING": self.prefect_auth,
            "PREFECT_PHANTOM_RUNTIME_URL": url,
            "PREFECT_PHANTOM_RUNTIME_KEY": (self.home / "runtime.key").read_text().strip(),
            "PREFECT_PHANTOM_WORKER_NAME": Settings().worker_name,
            # Or it would have other code than the worker of `up`, and be given none of its runs.
            "PREFECT_PHANTOM_PLAYBOOKS": str(self.playbooks),
        }

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer to a POST, by a plain HTTP client."""
        answer: dict[str, Any] = httpx.post(
            f"{self.url}{path}", json=body, auth=("admin", PASSWORD), verify=False, timeout=30
        ).json()
        return answer

    def get(self, path: str) -> dict[str, Any]:
        """Answer to a GET, by a plain HTTP client."""
        answer: dict[str, Any] = httpx.get(
            f"{self.url}{path}", auth=("admin", PASSWORD), verify=False, timeout=30
        ).json()
        return answer

    def serving(self) -> None:
        """Wait until the gateway answers."""
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", verify=False).is_success:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def start(self, playbook: str, **further: Any) -> int:
        """Id of a new run of `playbook` on container 42."""
        answer = self.post(
            "/rest/playbook_run",
            {"container_id": 42, "playbook_id": playbook, "run": True, **further},
        )
        return int(answer["playbook_run_id"])

    def start_when_known(self, playbook: str) -> int:
        """Id of a new run of a playbook whose file has just been written."""
        self.known(playbook)
        return self.start(playbook)

    def known(self, playbook: str) -> None:
        """Wait until a playbook whose file has just been written was found."""
        deadline = time.monotonic() + RUN_SECONDS
        repository, name = playbook.split("/")
        while not any(
            (row["repository"], row["name"]) == (repository, name)
            for row in self.get("/rest/playbook?page_size=0")["data"]
        ):
            assert time.monotonic() < deadline, f"{playbook} was not found"
            time.sleep(0.1)

    def run_when(
        self, playbook_run_id: int, condition: Callable[[dict[str, Any]], object]
    ) -> dict[str, Any]:
        """The run object as soon as `condition` holds for it."""
        deadline = time.monotonic() + RUN_SECONDS
        while not condition(run := self.get(f"/rest/playbook_run/{playbook_run_id}")):
            assert time.monotonic() < deadline, run
            time.sleep(0.1)
        return run

    def ended(self, playbook_run_id: int) -> dict[str, Any]:
        """The run object when the run has ended."""
        return self.run_when(playbook_run_id, lambda run: run["status"] != "running")

    def executing(self, playbook_run_id: int) -> dict[str, Any]:
        """The run object when a process has claimed the run."""
        return self.run_when(playbook_run_id, lambda run: run["misc"]["process_id"])


@pytest.fixture(scope="session")
def bound() -> Iterator[socket.socket]:
    """Where the system sends its spans: it refuses every connection until somebody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture(scope="session")
def system(bound: socket.socket) -> Iterator[System]:
    """Started once; its playbook folder may be written to by tests that use names of their own."""
    folder = Path(tempfile.mkdtemp(prefix="phantom-"))
    playbooks = folder / "playbooks"
    for name, text in LOCAL_PLAYBOOKS.items():
        file = playbooks / name
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = text.split("\n")
        file.write_text("\n".join(line.removeprefix("        ") for line in lines))
    environment = OWN_ENVIRONMENT | {
        "PREFECT_PHANTOM_RUNTIME_PORT": "0",
        "PREFECT_PHANTOM_ADMIN_PASSWORD": PASSWORD,
        "PREFECT_PHANTOM_PLAYBOOK_SCAN_SECONDS": "0.5",
        "PREFECT_PHANTOM_LOG_FORMAT": "json",
    }
    environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{bound.getsockname()[1]}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={COLLECTOR_KEY}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    command = [PROGRAM, "up", "--home", str(folder / "home"), "--playbooks", str(playbooks)]
    pipes = Pipes(["up"])  # it ends with these tests, whatever they die of
    with (folder / "up.log").open("wb") as log:
        program = subprocess.Popen(
            [*command, "--port", "0", "--prefect-port", "0", "--sample-data"],
            env=environment | pipes.environment("up"),
            pass_fds=pipes.descriptors("up"),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert program.stdout is not None
        url = next((line for line in program.stdout if line.startswith("ready: ")), None)
        try:
            if url is None:
                pytest.fail(f"up ended before it was ready:\n{(folder / 'up.log').read_text()}")
            system = System(folder / "home", url.removeprefix("ready: ").strip(), playbooks)
            with system.phantom:
                yield system
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(STOP_SECONDS)
            program.stdout.close()
            pipes.close()
    shutil.rmtree(folder)


@pytest.fixture
async def prefect(system: System) -> AsyncIterator[PrefectClient]:
    """A client of the installation's Prefect server."""
    async with PrefectClient(system.prefect_url, auth_string=system.prefect_auth) as client:
        yield client


async def flow_run_of(prefect: PrefectClient, run: dict[str, Any]) -> FlowRun:
    """The flow run of a run object that has ended, as soon as Prefect has seen that too."""
    with anyio.fail_after(RUN_SECONDS):
        while True:
            flow_run = await prefect.read_flow_run(run["misc"]["flow_run_id"])
            if flow_run.state is not None and flow_run.state.is_final():
                return flow_run
            await anyio.sleep(0.1)


async def playbook_run_id_of(prefect: PrefectClient, flow_run_id: UUID) -> int:
    """The id that a run which began in Prefect was given at its claim, as its tags show it."""
    with anyio.fail_after(RUN_SECONDS):
        while True:
            for tag in (await prefect.read_flow_run(flow_run_id)).tags:
                if tag.startswith("playbook_run:"):
                    return int(tag.removeprefix("playbook_run:"))
            await anyio.sleep(0.2)


def is_alive(process_id: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has collected yet does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    return False
