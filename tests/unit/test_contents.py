"""The digest of a folder of playbooks: of what belongs to them, and of nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prefect_phantom.flows.finding.contents import code_digest

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
    assert code_digest(one) == code_digest(other)
    assert len(code_digest(one)) == 64


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
    before = code_digest(written(tmp_path, CODE))
    written(tmp_path, change)
    assert code_digest(tmp_path) != before


@pytest.mark.parametrize(
    "change",
    [
        {"README.md": "x"},
        {"state.json": "{}"},
        {"hunt.py~": "x"},
        {".hunt.py.swp": "x"},
        {".git/hooks.py": "x"},
        {"__pycache__/hunt.py": "x"},
        {"venv/lib/site-packages/hunt.py": "x"},
        {"lib/hunt.toml": "x"},
    ],
)
def test_what_lies_beside_them_does_not(tmp_path: Path, change: dict[str, str]) -> None:
    before = code_digest(written(tmp_path, CODE))
    assert code_digest(written(tmp_path, change)) == before


def test_a_file_that_moves_changes_it(tmp_path: Path) -> None:
    before = code_digest(written(tmp_path, CODE))
    (tmp_path / "hunt.py").rename(tmp_path / "hunter.py")
    (tmp_path / "hunt.json").rename(tmp_path / "hunter.json")
    assert code_digest(tmp_path) != before


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert code_digest(tmp_path / "none") == code_digest(tmp_path)


def test_what_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    written(tmp_path, CODE)
    (tmp_path / "lost.py").symlink_to(tmp_path / "nowhere")
    assert code_digest(tmp_path)


@pytest.mark.attack(
    "a file is replaced by one of the same size and the same, or an older, date", "it is other code"
)
@pytest.mark.parametrize("days", [0, -1])
def test_other_contents_under_an_old_date_are_other_code(tmp_path: Path, days: int) -> None:
    """As ``cp -p`` and ``rsync -a --inplace`` leave it: not even the inode is another."""
    file = written(tmp_path, CODE) / "hunt.py"
    status = file.stat()
    before = code_digest(tmp_path)
    with file.open("r+") as stream:
        stream.write("HUNT")
    dated = status.st_mtime_ns + days * 86_400 * 10**9
    os.utime(file, ns=(dated, dated))
    assert (file.stat().st_size, file.stat().st_ino) == (status.st_size, status.st_ino)
    assert code_digest(tmp_path) != before


def test_a_file_dated_ahead_hides_no_change(tmp_path: Path) -> None:
    ahead = written(tmp_path, CODE) / "lib" / "names.py"
    os.utime(ahead, (2**32, 2**32))
    before = code_digest(tmp_path)
    written(tmp_path, {"hunt.py": "HUNT"})
    assert code_digest(tmp_path) != before


def test_a_helper_that_is_removed_changes_it_and_back_again(tmp_path: Path) -> None:
    before = code_digest(written(tmp_path, CODE))
    (tmp_path / "lib" / "names.py").unlink()
    without = code_digest(tmp_path)
    written(tmp_path, CODE)
    assert without != code_digest(tmp_path) == before


@pytest.mark.parametrize("change", [{"app.py": "other"}, {"app.json": "[]"}, {"_more.py": ""}])
def test_the_folders_of_apps_belong_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    folder = written(tmp_path / "playbooks", CODE)
    apps = written(tmp_path / "apps", {"app.py": "app", "app.json": "{}"})
    alone = code_digest(folder)
    monkeypatch.setenv("PREFECT_PHANTOM_APPS", f"{tmp_path}/apps")
    before = code_digest(folder)
    elsewhere = [written(tmp_path / "elsewhere", {"app.py": "app", "app.json": "{}"})]
    assert code_digest(folder, elsewhere) == before != alone
    written(apps, change)
    assert code_digest(folder) != before


def test_a_linked_folder_belongs_to_it_even_in_a_circle(tmp_path: Path) -> None:
    folder = written(tmp_path / "one", CODE)
    written(tmp_path / "shared", {"help.py": "help"})
    (folder / "shared").symlink_to(tmp_path / "shared")
    (tmp_path / "shared" / "again").symlink_to(folder)
    before = code_digest(folder)
    written(tmp_path / "shared", {"help.py": "HELP"})
    assert code_digest(folder) != before


def test_what_has_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_digest(written(tmp_path, CODE))
    monkeypatch.setattr("time.time_ns", lambda: 2**62)  # the files are old
    assert code_digest(tmp_path) == before
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"read")
    assert code_digest(tmp_path) == before
