"""The digest of a folder of playbooks: of what belongs to them, and of nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prefect_phantom.flows.finding.contents import digest_of, signature

CODE = {"hunt.py": "hunt", "lib/names.py": "names", "hunt.json": "{}"}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_same_files_have_the_same_digest_wherever_they_are(tmp_path: Path) -> None:
    one = written(tmp_path / "one", CODE)
    other = written(tmp_path / "some where" / "other", dict(reversed(CODE.items())))
    os.utime(other / "hunt.py", (1, 1))
    assert digest_of(one) == digest_of(other)
    assert len(digest_of(one)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"hunt.py": "hunted"},
        {"lib/names.py": "name"},
        {"hunt.json": "[]"},
        {"other.py": ""},
        {"hunt.yaml": ""},
        {"lib/more.py": ""},
    ],
)
def test_what_belongs_to_a_playbook_changes_it(tmp_path: Path, change: dict[str, str]) -> None:
    before = digest_of(written(tmp_path, CODE))
    seen = signature([tmp_path])
    written(tmp_path, change)
    assert digest_of(tmp_path) != before
    assert signature([tmp_path]) != seen


@pytest.mark.parametrize(
    "change",
    [
        {"README.md": "x"},
        {"state.json": "{}"},
        {"hunt.py~": "x"},
        {".hunt.py.swp": "x"},
        {".git/hooks.py": "x"},
        {"__pycache__/hunt.py": "x"},
        {"lib/hunt.toml": "x"},
    ],
)
def test_what_lies_beside_them_does_not(tmp_path: Path, change: dict[str, str]) -> None:
    before = digest_of(written(tmp_path, CODE))
    assert digest_of(written(tmp_path, change)) == before


def test_a_file_that_moves_changes_it(tmp_path: Path) -> None:
    before = digest_of(written(tmp_path, CODE))
    (tmp_path / "hunt.py").rename(tmp_path / "hunter.py")
    (tmp_path / "hunt.json").rename(tmp_path / "hunter.json")
    assert digest_of(tmp_path) != before


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert digest_of(tmp_path / "none") == digest_of(tmp_path)


def test_what_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    written(tmp_path, CODE)
    (tmp_path / "lost.py").symlink_to(tmp_path / "nowhere")
    assert digest_of(tmp_path)
    assert signature([tmp_path])
