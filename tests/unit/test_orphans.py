"""What ``doctor`` says of processes that an `up` has left running."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_phantom.adapters.cli.connection import Connection
from prefect_phantom.adapters.cli.parts.doctor import _processes
from prefect_phantom.adapters.process.process_marks import HOME_VARIABLE, PART_VARIABLE
from prefect_phantom.adapters.supervisor.home.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def part(home: Home) -> Iterator[None]:
    """A process that carries the marks of a part."""
    marks = {HOME_VARIABLE: str(home.path), PART_VARIABLE: "gateway"}
    with subprocess.Popen(["sleep", "600"], env=marks, start_new_session=True) as process:
        yield
        process.kill()


@pytest.mark.usefixtures("part")
def test_parts_without_their_up_are_told(home: Home) -> None:
    with home.lock():
        pass
    home.lock_file.write_text(f"{_ended()}\n")
    (finding,) = _processes(Connection(home=home.path))
    assert not finding.ok
    assert finding.sentence == (
        f"The `up` of {home.path} has ended, and 1 of its processes run on (gateway):"
        " start `prefect-phantom up` again, which ends them."
    )


@pytest.mark.usefixtures("part")
def test_parts_of_a_living_up_are_nothing_to_tell(home: Home) -> None:
    with home.lock():
        assert home.holder == os.getpid()
        assert list(_processes(Connection(home=home.path))) == []


def _ended() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        return process.pid
