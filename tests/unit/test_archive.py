"""What is said when a backup cannot be written: what failed, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from prefect_phantom.adapters.supervisor.backup import backup
from prefect_phantom.adapters.supervisor.backup.archive import PIPE, create
from prefect_phantom.adapters.supervisor.backup.dump import dump, load
from prefect_phantom.adapters.supervisor.failure import BackupFailed
from prefect_phantom.adapters.supervisor.home.home import Home


@pytest.fixture(params=["a file", "standard output"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "a file":
        yield tmp_path / "backup.tar"
        return
    with (tmp_path / "stdout").open("w") as opened, redirect_stdout(opened):
        yield PIPE


def test_what_cannot_be_read_is_not_said_of_what_is_written(to: Path) -> None:
    file = to.parent / "missing"
    with (
        pytest.raises(FileNotFoundError, match="missing"),
        create(to) as archive,
        archive.open("dump") as entry,
    ):
        entry.write(file.read_bytes())
    assert not to.exists()


def test_a_full_disk_is_said_of_what_is_written() -> None:
    sentence = r"Standard output cannot be written to \(No space left on device\): .* not whole"
    with (
        Path("/dev/full").open("w") as full,
        redirect_stdout(full),
        pytest.raises(BackupFailed, match=sentence),
        create(PIPE) as archive,
    ):
        archive.add("manifest.json", b"x")


def test_a_file_that_may_not_be_made_is_told(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "backup.tar"
    with pytest.raises(BackupFailed, match=f"{file} cannot be written"), create(file):
        pass


def test_a_file_of_the_home_that_cannot_be_read_is_named(to: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.certificate.mkdir(parents=True)
    sentence = f"{home.certificate} cannot be read \\(Is a directory\\)"
    with pytest.raises(BackupFailed, match=sentence), create(to) as archive:
        backup._write_files(home, archive)


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    server, stream = "postgresql://me@db/", io.BytesIO()
    with pytest.raises(BackupFailed, match=f"{tmp_path}/pg_dump cannot be started"):
        dump(tmp_path, server, "phantom", "snapshot", stream)
    with pytest.raises(BackupFailed, match=f"{tmp_path}/pg_restore cannot be started"):
        load(tmp_path, server, "phantom", stream)
