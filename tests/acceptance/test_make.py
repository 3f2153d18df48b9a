"""`make demo` that is interrupted, or whose reader leaves, leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.system import HEARING, OWN_ENVIRONMENT, RUN_SECONDS

ROOT = Path(__file__).parents[2]
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * RUN_SECONDS)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where temporary files are made; the path of a socket below must be short."""
    folder = Path(tempfile.mkdtemp(prefix="make-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@contextmanager
def started(folder: Path, command: str) -> Iterator[subprocess.Popen[str]]:
    """A line of a shell at the root of the repository, as a terminal starts it."""
    with subprocess.Popen(
        [*HEARING, "bash", "-c", command],
        cwd=ROOT,
        env=OWN_ENVIRONMENT | {"TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as program:
        try:
            yield program
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGTERM)


def left(folder: Path) -> list[str]:
    """What still runs of it, and what it has left on the disk, but for caches."""
    running = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if str(folder) in line or process.environ().get("TMPDIR") == str(folder):
                running.append(line)
        except psutil.Error:
            continue
    kept = ("pytest-of-", "node-compile-cache")
    return running + [each.name for each in folder.iterdir() if not each.name.startswith(kept)]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_demo_that_is_interrupted(folder: Path, number: signal.Signals) -> None:
    with started(folder, "exec make demo") as demo:
        assert demo.stdout is not None
        assert any(line.startswith("ready: ") for line in demo.stdout)
        os.killpg(demo.pid, number)
        demo.stdout.read()
        assert demo.wait(RUN_SECONDS) != 0
    assert left(folder) == []


def test_a_demo_whose_reader_leaves(folder: Path) -> None:
    with started(folder, "make demo | head -1") as demo:
        printed, _ = demo.communicate(timeout=RUN_SECONDS)
    assert printed.count("\n") == 1
    assert left(folder) == []
