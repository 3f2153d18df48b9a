"""Backup and restore with the real parts: a home in use, and its runs in a new one."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import anyio
import pytest
from prefect.client.orchestration import PrefectClient

from tests.system import PASSWORD, PROGRAM, RUN_SECONDS, STOP_SECONDS, System

pytestmark = pytest.mark.timeout(400)  # two installations on one machine
WITNESS = """
import time
from prefect_phantom import PlaybookRun, playbook

@playbook
def witness(run: PlaybookRun) -> None:
    with open(run.inputs["file"], "a") as file:
        file.write(f"{run.id}\\n")
    time.sleep(run.inputs["seconds"])
"""
PACE_SECONDS = 0.05
MOST = 30
OPEN = "/rest/playbook_run?_filter_playbook__name=witness&_filter_status=running"
KEPT = ("status", "message", "cancelled", "start_time", "update_time", "inputs", "misc")


def command(*words: str) -> subprocess.CompletedProcess[str]:
    surroundings = {name: text for name, text in os.environ.items() if "PREFECT" not in name}
    return subprocess.run(
        [PROGRAM, *words],
        check=False,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
    )


@contextmanager
def up(home: Path, playbooks: Path) -> Iterator[System]:
    environment = {name: text for name, text in os.environ.items() if "PREFECT" not in name}
    words = ["up", "--home", str(home), "--playbooks", str(playbooks)]
    with (home.parent / "restored.log").open("wb") as log:
        program = subprocess.Popen(
            [PROGRAM, *words, "--port", "0", "--prefect-port", "0"],
            env={**environment, "PREFECT_PHANTOM_RUNTIME_PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert program.stdout is not None
    try:
        line = program.stdout.readline()
        assert line.startswith("ready: "), (home.parent / "restored.log").read_text()
        yield System(home, line.removeprefix("ready: ").strip(), playbooks)
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(STOP_SECONDS)
        program.stdout.close()


class Load:
    """Starts runs one after the other while something else is done."""

    def __init__(self, system: System, inputs: dict[str, object]) -> None:
        self.acked: list[int] = []
        self.under_way = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._start, args=(system, inputs))

    def _start(self, system: System, inputs: dict[str, object]) -> None:
        while len(self.acked) < MOST and not self._stop.wait(PACE_SECONDS):
            self.acked.append(system.start("local/witness", inputs=inputs))
            if len(self.acked) == 10:
                self.under_way.set()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.under_way.wait(RUN_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@dataclass
class Backup:
    """A file that was made of a home in use, and that home's runs."""

    file: Path
    ran: Path
    """Into which each run writes its id when it runs."""
    ended: dict[int, dict[str, Any]]
    """Those that had ended before, one of them by a cancel."""
    lasting: list[int]
    """Those that ran all the time."""
    acked: list[int]
    """Those that were acknowledged before the backup began."""
    later: list[int]
    """Those that were acknowledged meanwhile."""

    @property
    def inputs(self) -> dict[str, object]:
        return {"file": str(self.ran), "seconds": 0}


@pytest.fixture(scope="module")
def backup(system: System) -> Iterator[Backup]:
    folder = Path(tempfile.mkdtemp(prefix="backup-"))
    (system.playbooks / "witness.py").write_text(WITNESS)
    system.known("local/witness")
    made = Backup(folder / "file", folder / "ran", {}, [], [], [])
    ended = [system.start("local/witness", inputs=made.inputs), system.start("local/exits")]
    lasting = {**made.inputs, "seconds": 600}
    made.lasting = [system.start("local/witness", inputs=lasting) for _ in range(3)]
    for run_id in made.lasting:
        system.executing(run_id)
    ended.append(made.lasting.pop())
    system.post(f"/rest/playbook_run/{ended[-1]}", {"cancel": True})
    made.ended = {run_id: system.ended(run_id) for run_id in ended}
    with Load(system, made.inputs) as load:
        made.acked = [*load.acked]
        written = command("backup", str(made.file), "--home", str(system.home))
    assert written.returncode == 0, written.stderr
    made.later = load.acked[len(made.acked) :]
    # The home goes on: what was under way is carried out there.
    for run_id in made.lasting:
        system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    deadline = time.monotonic() + RUN_SECONDS
    while system.get(OPEN)["count"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield made
    shutil.rmtree(folder)


async def all_is_final(prefect: PrefectClient) -> None:
    final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    with anyio.fail_after(RUN_SECONDS):
        while {run.state_type.value for run in await prefect.read_flow_runs()} - final:
            await anyio.sleep(0.2)


def test_a_backup_is_for_its_owner_and_tells_no_secret_in_its_list(
    system: System, backup: Backup
) -> None:
    assert stat.S_IMODE(backup.file.stat().st_mode) == 0o600
    with tarfile.open(backup.file) as archive:
        opened = archive.extractfile("manifest.json")
        assert opened is not None
        manifest = opened.read().decode()
    assert "PREFECT_PHANTOM_PLAYBOOKS" in manifest
    assert PASSWORD not in manifest
    assert (system.home / "runtime.key").read_text().strip() not in manifest


@pytest.mark.long
async def test_no_run_of_a_home_in_use_is_lost_or_runs_again_after_a_restore(
    system: System, backup: Backup
) -> None:
    home = backup.file.with_name("home")
    words = ("restore", str(backup.file), "--home", str(home))
    restored = command(*words)
    assert restored.returncode == 0, restored.stderr
    again = command(*words)
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)
    # The first home goes on: its worker and the new one leave each other's processes alone.
    bystander = system.start("local/witness", inputs={**backup.inputs, "seconds": 600})
    system.executing(bystander)
    with up(home, system.playbooks) as new:
        for run_id, run in backup.ended.items():
            found = new.get(f"/rest/playbook_run/{run_id}")
            assert {name: found[name] for name in KEPT} == {name: run[name] for name in KEPT}
        rows = new.get("/rest/playbook_run?page_size=0")["data"]
        runs = {run["id"]: run for run in rows}
        for run_id in (*backup.lasting, *backup.acked):
            found = runs[run_id]
            assert found["status"] == "success" or (
                found["status"] == "failed" and "Restored from a backup of" in found["message"]
            )
        assert all(runs[run_id]["status"] == "failed" for run_id in backup.lasting)
        assert new.get(OPEN)["count"] == 0
        async with PrefectClient(new.prefect_url, auth_string=new.prefect_auth) as prefect:
            await all_is_final(prefect)
        # It works on, and no id comes twice.
        fresh = new.start("local/witness", inputs=backup.inputs)
        assert new.ended(fresh)["status"] == "success"
        assert fresh > max(*backup.acked, *backup.later)
        in_use = command(*words)
        assert (in_use.returncode, f"{home} is in use" in in_use.stderr) == (1, True)
        assert system.get(f"/rest/playbook_run/{bystander}")["status"] == "running"
    system.post(f"/rest/playbook_run/{bystander}", {"cancel": True})
    system.ended(bystander)
    times = Counter(map(int, backup.ran.read_text().split()))
    assert set(times.values()) == {1}, times
    assert {*backup.acked, *backup.later, bystander, fresh} <= set(times)
