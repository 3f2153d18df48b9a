"""Folders of playbooks as people have them: who reads them, two that differ, files that go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system import PROGRAM, RUN_SECONDS, STOP_SECONDS, System

IMPORTED = """
import os
from pathlib import Path
from prefect_phantom import playbook

def above(process_id):
    while process_id > 1:
        status = Path(f"/proc/{process_id}/stat").read_text()
        yield Path(f"/proc/{process_id}/cmdline").read_text().replace("\\0", " ")
        process_id = int(status.rpartition(")")[2].split()[1])

Path(__file__).with_name("above").write_text("\\n".join(above(os.getppid())))

@playbook
def imported(run):
    pass
"""
WHICH = """
from pathlib import Path
from prefect_phantom import PlaybookRun, playbook

@playbook
def which(run: PlaybookRun) -> None:
    with Path(run.inputs["file"]).open("a") as file:
        file.write("{}")
"""


@pytest.mark.attack(
    "a playbook file looks for the gateway above it when it is imported",
    "it finds the worker: no gateway imports one",
)
def test_a_playbook_file_is_imported_below_the_worker_and_no_gateway(system: System) -> None:
    (system.playbooks / "imported.py").write_text(IMPORTED)
    system.known("local/imported")
    above = (system.playbooks / "above").read_text().splitlines()
    assert any("prefect_phantom.adapters.cli worker" in line for line in above), above
    assert not any("prefect_phantom.adapters.cli gateway" in line for line in above), above


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def _program(*words: str, environment: dict[str, str], ready: str) -> Iterator[str]:
    """A program of ours until it has stopped; gives its line that begins with `ready`."""
    program = subprocess.Popen(
        [PROGRAM, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdout is not None
    try:
        line = next((line for line in program.stdout if line.startswith(ready)), None)
        assert line is not None, f"{words[0]} ended before it was ready"
        yield line.removeprefix(ready).strip()
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(STOP_SECONDS)
        program.stdout.close()


@pytest.fixture(scope="module")
def own() -> Iterator[System]:
    """An installation of this module's own, with one playbook."""
    with tempfile.TemporaryDirectory(prefix="phantom-") as name:
        folder = Path(name)
        (folder / "playbooks").mkdir()
        (folder / "playbooks" / "which.py").write_text(WHICH.format("one "))
        environment = {name: text for name, text in os.environ.items() if "PREFECT" not in name}
        environment |= {
            "PREFECT_PHANTOM_RUNTIME_PORT": "0",
            "PREFECT_PHANTOM_ADMIN_PASSWORD": "changeme",
            "PREFECT_PHANTOM_PLAYBOOK_SCAN_SECONDS": "0.5",
            "PREFECT_PHANTOM_LOG_FORMAT": "json",
        }
        words = ["up", "--home", str(folder / "home"), "--playbooks", str(folder / "playbooks")]
        words += ["--port", "0", "--prefect-port", "0", "--sample-data"]
        with _program(*words, environment=environment, ready="ready: ") as url:
            yield System(folder / "home", url, folder / "playbooks")


@pytest.fixture
def run(own: System, tmp_path: Path) -> Callable[[], tuple[str, str]]:
    """Runs the playbook; returns which code did, and on which worker."""

    def run() -> tuple[str, str]:
        inputs = {"file": str(tmp_path / "which")}
        ended = own.ended(own.start("which", inputs=inputs))
        assert ended["status"] == "success", ended
        written = (tmp_path / "which").read_text()
        (tmp_path / "which").unlink()
        return written.strip(), ended["misc"]["worker"]

    return run


def _command(own: System, *words: str) -> str:
    command = [PROGRAM, *words, "--home", str(own.home)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def _count(own: System) -> int:
    """How many playbooks can be started."""
    return len(own.get("/rest/playbook?page_size=0")["data"])


@pytest.mark.long
def test_runs_go_to_the_worker_with_the_newest_code_and_back_when_it_is_gone(
    own: System, run: Callable[[], tuple[str, str]]
) -> None:
    first = run()
    assert first[0] == "one"
    newest = own.playbooks.with_name("newest")
    newest.mkdir()
    (newest / "which.py").write_text(WHICH.format("two "))
    environment = own.worker_environment() | {
        "PREFECT_PHANTOM_PLAYBOOKS": str(newest),
        "PREFECT_PHANTOM_WORKER_NAME": "newest",
    }
    with _program("worker", environment=environment, ready="ready"):
        assert [run() for _ in range(5)] == [("two", "newest")] * 5
        out = _command(own, "doctor")
        assert f"Worker {first[1]} has other playbooks (" in out
        assert "than worker newest (" in out
    _until(lambda: "has other playbooks" not in _command(own, "doctor"))
    assert run() == first


@pytest.mark.long
def test_what_an_image_tells_holds_until_the_next_report(
    own: System, run: Callable[[], tuple[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "which.py").write_text(WHICH.format("three "))
    environment = own.worker_environment()
    words = ["playbook", "report", "--playbooks", str(tmp_path), "--name", "image"]
    done = subprocess.run(
        [PROGRAM, *words], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"Reported {_count(own)} playbooks, digest ")
    waiting = own.start("which", inputs={"file": str(tmp_path / "out")})
    said = own.run_when(waiting, lambda run: "newest code" in (run["misc"]["waiting"] or ""))
    assert "Only worker image has the newest code" in said["misc"]["waiting"]
    (own.playbooks / "which.py").write_text(WHICH.format("four "))
    assert own.ended(waiting)["status"] == "success"
    assert (tmp_path / "out").read_text() == "four "
    (own.playbooks / "which.py").write_text(WHICH.format("one "))
    _until(lambda: run()[0] == "one")


@pytest.mark.long
def test_a_file_that_goes_and_comes_back(
    own: System, run: Callable[[], tuple[str, str]], tmp_path: Path
) -> None:
    def known() -> bool:
        return "local/which" in _command(own, "playbook", "list")

    run()
    file, away = own.playbooks / "which.py", tmp_path / "which.py"
    away.write_text(file.read_text())
    file.unlink()
    _until(lambda: not known())
    assert f"All {_count(own)} playbooks import." in _command(own, "doctor")
    ended = own.ended(own.start("local/which"))
    reason = "The playbook is no longer in the repository local"
    assert (ended["status"], json.loads(ended["message"])["message"]) == ("failed", reason)
    assert "local/which" in _command(own, "playbook", "list", "--gone")
    file.write_text(away.read_text())
    _until(known)
    assert run()[0] == "one"
    file.unlink()
    _until(lambda: not known())
    _until(lambda: "is forgotten." in _command(own, "playbook", "forget", "which", "--yes"))
    file.write_text(away.read_text())
    _until(known)
    assert run()[0] == "one"
