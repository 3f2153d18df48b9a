"""``prefect-phantom up`` as its users see it: the real parts, twice started on one home."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx
import psutil
import pytest

from prefect_phantom.adapters.process.private_program import SECRETS
from prefect_phantom.adapters.process.process_marks import environment_of
from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from tests.system import HEARING

PROGRAM = [str(Path(sys.executable).with_name("prefect-phantom")), "up"]
FREE_PORTS = ["--port", "0", "--prefect-port", "0"]
READY_SECONDS = 120
PIPES = Pipes(["up"])
"""It ends with these tests, whatever they die of."""
STOPS = [
    signal.SIGHUP,
    *(pytest.param(each, marks=pytest.mark.long) for each in STOP_SIGNALS if each != signal.SIGHUP),
]
SURROUNDINGS = {name: text for name, text in os.environ.items() if "PREFECT" not in name}


class Installation:
    """One home and the `up` that works on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home.parent / "up.log"

    def start(self) -> None:
        with self.log.open("wb") as log:
            self._launch(log)

    def start_unread(self) -> None:
        """Start it as ``up 2>&1 | head -1`` does, with a reader who leaves early."""
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as closed:
            self._launch(closed)
        assert self.up.stdout is not None
        self.up.stdout.close()
        self.up.stdout = None

    def _launch(self, log: BinaryIO) -> None:
        self.up = subprocess.Popen(
            [*HEARING, *PROGRAM, "--home", str(self.home), *FREE_PORTS],
            env={**SURROUNDINGS, **PIPES.environment("up"), "ELSEWHERE_TOKEN": "not for runs"},
            pass_fds=PIPES.descriptors("up"),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        assert self.up.stdout is not None
        self.lines = [self.up.stdout.readline()]
        assert self.lines[0].startswith("ready: "), self.log.read_text(errors="replace")

    def parts(self) -> dict[int, str]:
        """Number and name of every process that carries the mark of this home."""
        found = {}
        for process in psutil.process_iter():
            try:
                environment = environment_of(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            if environment.get("PREFECT_PHANTOM_HOME") == str(self.home):
                found[process.pid] = environment["PREFECT_PHANTOM_PART"]
        return found

    def leader(self, part: str) -> psutil.Process:
        """The process of `part` that `up` itself started."""
        children = psutil.Process(self.up.pid).children()
        return next(child for child in children if self.parts().get(child.pid) == part)

    @property
    def url(self) -> str:
        return self.lines[0].removeprefix("ready: ").strip()

    def wait_alone(self) -> None:
        """Return when no part is left, of an `up` that was killed."""
        deadline = time.monotonic() + READY_SECONDS
        while left := self.parts():
            assert time.monotonic() < deadline, left
            time.sleep(0.1)

    def is_ready(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/readyz", verify=False, timeout=READY_SECONDS)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def close(self) -> None:
        self.up.kill()
        self.up.wait()
        if self.up.stdout is not None:
            self.up.stdout.close()
        for pid in self.parts():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """One that is ready, and that each test leaves so."""
    with _installation() as installation:
        installation.start()
        yield installation


@pytest.fixture
def own() -> Iterator[Installation]:
    """One that a test starts, and stops in some way."""
    with _installation() as installation:
        yield installation


@contextmanager
def _installation() -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="up-"))
    installation = Installation(folder / "home")
    yield installation
    installation.close()
    shutil.rmtree(folder)


def _up(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**SURROUNDINGS, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_SECONDS,
    )


def test_standard_output_is_one_line_that_says_where_it_is_ready(
    installation: Installation,
) -> None:
    assert re.fullmatch(r"ready: https://127\.0\.0\.1:\d+\n", installation.lines[0])
    assert (installation.home / "url").read_text().strip() == installation.url
    assert installation.is_ready()


def test_a_generated_password_is_shown_once_and_works(installation: Installation) -> None:
    shown = re.findall(r"^admin password: (\S+)$", installation.log.read_text(), re.MULTILINE)
    assert len(shown) == 1
    url = f"{installation.url}/rest/playbook_run/1"
    answer = httpx.get(url, auth=("admin", shown[0]), verify=False)
    assert answer.status_code == 404  # known, but there is no such run
    kept = [file for file in installation.home.glob("*") if file.is_file()]
    assert not [file for file in kept if shown[0] in file.read_text()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what they are started with")
def test_no_part_is_started_with_a_secret_and_the_worker_with_nothing_from_elsewhere(
    installation: Installation,
) -> None:
    for part in ("gateway", "Prefect server", "worker"):
        assert installation.leader(part).environ().keys().isdisjoint(SECRETS), part
    environment = installation.leader("worker").environ()
    assert "ELSEWHERE_TOKEN" not in environment
    assert environment["PATH"].split(":")[0] == str(Path(sys.executable).parent)


def test_a_second_up_on_the_home_is_refused_by_the_number_of_the_first(
    installation: Installation,
) -> None:
    second = _up("--home", str(installation.home), *FREE_PORTS)
    assert second.returncode == 1
    assert second.stdout == ""
    assert f"in use by process {installation.up.pid}" in second.stderr
    assert installation.is_ready()


def test_a_part_that_dies_is_started_again_at_its_port(installation: Installation) -> None:
    dead = installation.leader("gateway").pid
    os.kill(dead, signal.SIGKILL)
    deadline = time.monotonic() + READY_SECONDS
    while not installation.is_ready():
        assert time.monotonic() < deadline, installation.log.read_text()
        time.sleep(0.1)
    assert installation.leader("gateway").pid != dead
    assert "gateway: ended by SIGKILL" in installation.log.read_text()


@pytest.mark.long
def test_a_killed_up_takes_its_parts_along(own: Installation) -> None:
    own.start()
    assert {"gateway", "worker", "Prefect server", "PostgreSQL"} <= set(own.parts().values())
    own.up.kill()
    own.up.communicate()
    own.wait_alone()
    log = (own.home / "logs" / "postgresql.log").read_text()
    assert log.rstrip().endswith("database system is shut down"), log[-5000:]


@pytest.mark.long
def test_up_ends_what_an_earlier_one_has_left_all_the_same(own: Installation) -> None:
    marks = {"PREFECT_PHANTOM_HOME": str(own.home), "PREFECT_PHANTOM_PART": "worker"}
    left = subprocess.Popen(["sleep", "600"], env=marks, start_new_session=True)
    own.start()
    assert left.wait() == -signal.SIGKILL
    assert own.is_ready()


@pytest.mark.attack(
    "`up` whose output nobody reads, and whose terminal is closed",
    "it goes on without a reader, and stops as a whole at SIGHUP",
)
@pytest.mark.parametrize("number", STOPS)
def test_a_signal_stops_everything_and_leaves_no_process(
    own: Installation, number: signal.Signals
) -> None:
    own.start_unread()
    assert own.is_ready()
    own.up.send_signal(number)
    own.up.send_signal(signal.SIGTERM)  # a second signal changes nothing
    assert own.up.wait(READY_SECONDS) == 0
    assert own.parts() == {}
    assert not (own.home / "url").exists()


def test_a_port_in_use_is_named_with_the_option_that_changes_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = _up("--home", str(tmp_path / "home"), "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr == f"Port {port} on 127.0.0.1 is in use: choose another with --port\n"


def test_a_database_server_that_does_not_answer_is_named_by_its_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    url = f"postgresql://user:hidden@127.0.0.1:{port}"
    refused = _up("--home", str(tmp_path / "home"), *FREE_PORTS, "--database-url", url)
    assert refused.returncode == 1
    assert refused.stderr.endswith("check --database-url\n")
    assert refused.stderr.count("\n") == 1
    assert "hidden" not in refused.stderr


@pytest.mark.long
def test_a_prefect_that_nobody_answers_for_is_waited_for_and_not_called_ready() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api"
        # Where the path of a socket is short enough.
        home = Path(tempfile.mkdtemp(prefix="up-"))
        up = subprocess.Popen(
            [*PROGRAM, "--home", str(home / "home"), *FREE_PORTS],
            env={**SURROUNDINGS, **PIPES.environment("up"), "PREFECT_API_URL": url},
            pass_fds=PIPES.descriptors("up"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert up.stderr is not None
        lines = []
        for line in up.stderr:
            lines.append(line)
            if "gateway: ready" in line:
                break
        up.send_signal(signal.SIGTERM)
        out, rest = up.communicate(timeout=READY_SECONDS)
    told = [each for each in [*lines, *rest.splitlines(True)] if "waiting for" in each]
    assert (up.returncode, out) == (0, "")
    (line,) = told
    assert line.startswith(
        f"Prefect server: waiting for {url}, as PREFECT_API_URL says: it does not answer ("
    )
    shutil.rmtree(home)


def test_a_run_environment_that_asks_for_a_secret_is_refused(tmp_path: Path) -> None:
    refused = _up(
        *("--home", str(tmp_path / "home"), *FREE_PORTS),
        PREFECT_PHANTOM_RUN_ENVIRONMENT="PREFECT_PHANTOM_ADMIN_PASSWORD",
    )
    assert refused.returncode == 1
    assert "Runs never see PREFECT_PHANTOM_ADMIN_PASSWORD" in refused.stderr


def test_clear_text_that_others_could_read_is_refused(tmp_path: Path) -> None:
    refused = _up("--home", str(tmp_path / "home"), *FREE_PORTS, "--http", "--host", "0.0.0.0")
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "PREFECT_PHANTOM_HTTP would send passwords and tokens in clear"
    )
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("password", "host"), [("", "127.0.0.1"), (" ", "127.0.0.1"), ("changeme", "0.0.0.0")]
)
def test_no_administrator_is_made_with_a_password_that_a_stranger_would_try(
    tmp_path: Path, own_postgres_url: str, password: str, host: str
) -> None:
    refused = _up(
        *("--home", str(tmp_path / "home"), *FREE_PORTS, "--host", host),
        *("--database-url", own_postgres_url),
        PREFECT_PHANTOM_ADMIN_PASSWORD=password,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("PREFECT_PHANTOM_ADMIN_PASSWORD is ")


def test_a_folder_of_playbooks_that_is_none_is_named_before_anything_starts(
    tmp_path: Path,
) -> None:
    typo, home = tmp_path / "typo", tmp_path / "home"
    refused = _up("--home", str(home), *FREE_PORTS, "--playbooks", str(typo))
    assert (refused.returncode, refused.stdout) == (1, "")
    sentence = f"{typo} does not exist: name a folder of playbooks with --playbooks\n"
    assert refused.stderr == sentence
    assert not home.exists()


def test_a_wrong_setting_is_named_in_one_sentence(tmp_path: Path) -> None:
    refused = _up("--home", str(tmp_path / "home"), "--port", "70000")
    assert refused.returncode == 1
    assert "--port: Input should be less than or equal to 65535" in refused.stderr
