"""When a worker takes the code of a playbook for another one: whenever its digest changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prefect_phantom.adapters.worker.processes.templates import Code
from prefect_phantom.flows.finding.contents import code_digest

ENTRYPOINT = "triage.py:triage"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, day in {"triage.py": 1, "triage.json": 1, "later.py": 30}.items():
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (day * 86400, day * 86400))
    return tmp_path


@pytest.mark.parametrize("name", ["triage.py", "triage.json"])
def test_a_file_that_comes_with_an_old_date_is_other_code(folder: Path, name: str) -> None:
    before, digest = Code.of(ENTRYPOINT, str(folder)), code_digest(folder)
    (folder / "new").write_text("[]")
    os.utime(folder / "new", (2 * 86400, 2 * 86400))
    (folder / "new").rename(folder / name)  # as rsync does
    assert code_digest(folder) != digest
    assert Code.of(ENTRYPOINT, str(folder)) != before


def test_what_an_editor_leaves_beside_it_is_no_code_and_stops_nothing(folder: Path) -> None:
    before = Code.of(ENTRYPOINT, str(folder))
    (folder / ".#triage.py").symlink_to("somebody@somewhere.1234")
    assert Code.of(ENTRYPOINT, str(folder)) == before
    (folder / "gone.py").symlink_to("nowhere.py")
    assert Code.of(ENTRYPOINT, str(folder)) == Code.of(ENTRYPOINT, str(folder)) != before
    assert hash(before)
