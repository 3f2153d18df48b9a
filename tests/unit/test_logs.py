"""Logs of parts: of bounded size, without a line less, and nobody waits for the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_phantom.adapters.supervisor.logs.log_writer import KEPT, File
from prefect_phantom.adapters.supervisor.logs.logs import Logs

MOST = 2_000


def files(path: Path) -> list[Path]:
    """From the oldest to the newest."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(KEPT, 0, -1)]
    return [file for file in [*older, path] if file.exists()]


@pytest.mark.attack("a stranger who has a part log megabytes a second", "old lines are dropped")
def test_a_log_stays_below_its_bound_and_ends_with_what_was_last_written(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    file = File(str(path), MOST)
    for number in range(5_000):
        file.write(b"line %d\n" % number)
    kept = files(path)
    assert len(kept) == KEPT + 1
    assert all(each.stat().st_size <= MOST + len("line 5000\n") for each in kept)
    lines = "".join(each.read_text() for each in kept).splitlines()
    assert lines == [f"line {number}" for number in range(5_000 - len(lines), 5_000)]
    assert all(each.read_text().startswith("line ") for each in kept)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_without_an_end_is_bounded_too(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    file = File(str(path), MOST)
    for _ in range(100):
        file.write(b"x" * 1_000)
    assert sum(each.stat().st_size for each in files(path)) <= (KEPT + 1) * 3 * MOST


def test_a_large_file_of_an_earlier_start_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    path.write_bytes(b"old\n" * MOST)
    File(str(path), MOST).write(b"new\n")
    assert [each.name for each in files(path)] == ["part.log.1", "part.log"]


def test_what_a_full_disk_does_not_take_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    path.symlink_to("/dev/full")
    file = File(str(path), MOST)
    file.write(b"lost\n")
    file.write(b"lost\n")
    path.unlink()
    os.close(file.descriptor)
    file.open()  # there is room again
    file.write(b"kept\n")
    assert path.read_text() == "... 10 bytes of this log could not be written\nkept\n"


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    file = File(str(tmp_path / "gone" / "part.log"), MOST)
    file.write(b"lost\n")
    (tmp_path / "gone").mkdir()
    file.write(b"kept\n")
    assert file.lost == 0
    assert (tmp_path / "gone" / "part.log").read_text().endswith("kept\n")


@pytest.fixture
async def logs() -> AsyncIterator[Logs]:
    logs = Logs({}, print, MOST)
    await logs.start()
    yield logs
    await logs.close()


def process_of(logs: Logs) -> int:
    assert logs._process is not None
    return logs._process.pid


async def test_what_was_printed_is_in_the_file_after_a_flush(logs: Logs, tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    os.write(logs.writer(path), b"one\n")
    await logs.flush()
    assert path.read_text() == "one\n"


async def test_all_who_flush_at_once_are_answered(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_phantom.adapters.supervisor.logs.logs.END_SECONDS", 60.0)
    async with asyncio.timeout(30):
        await asyncio.gather(*(logs.flush() for _ in range(5)))


async def test_what_writes_them_may_be_killed_and_nothing_is_lost(
    logs: Logs, tmp_path: Path
) -> None:
    path, first = tmp_path / "part.log", process_of(logs)
    writer = logs.writer(path)
    await logs.flush()
    os.kill(first, signal.SIGKILL)
    os.write(writer, b"one\n")
    await _until(lambda: path.exists() and path.read_text() == "one\n")
    assert process_of(logs) != first


async def test_what_writes_them_is_started_again_though_that_failed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    logs = Logs({}, told.append, MOST)
    await logs.start()
    path = tmp_path / "part.log"
    writer = logs.writer(path)
    start, failures = asyncio.create_subprocess_exec, [MemoryError(), OSError(errno.EAGAIN, "no")]

    async def fail_twice(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        if failures:
            raise failures.pop()
        return await start(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail_twice)
    monkeypatch.setattr("prefect_phantom.adapters.supervisor.logs.logs.RESTART_SECONDS", 0.01)
    os.kill(process_of(logs), signal.SIGKILL)
    os.write(writer, b"one\n")
    await _until(lambda: path.exists() and path.read_text() == "one\n")
    assert len(told) == 1
    await logs.close()


async def test_the_end_of_all_who_print_is_its_end(tmp_path: Path) -> None:
    logs = Logs({}, print, MOST)
    await logs.start()
    path = tmp_path / "part.log"
    for _ in range(100):
        os.write(logs.writer(path), b"x" * 100 + b"\n")
    process = logs._process
    await logs.close()
    assert process is not None
    assert process.returncode == 0
    assert sum(each.stat().st_size for each in files(path)) > MOST


async def test_it_goes_on_after_an_up_that_was_killed_while_it_waited(tmp_path: Path) -> None:
    logs = Logs({}, print, MOST)
    await logs.start()
    path, process = tmp_path / "part.log", logs._process
    writer = os.dup(logs.writer(path))
    assert logs._control is not None
    assert process is not None
    logs._control.send(b"a question")
    os.write(writer, b"one\n")
    await _until(lambda: path.exists() and path.read_text() == "one\n")
    # Its answer is there, and nobody has read it: closing that resets the connection.
    closing = asyncio.create_task(logs.close())
    os.write(writer, b"two\n")
    await _until(lambda: path.read_text() == "one\ntwo\n")
    os.close(writer)
    await closing
    assert process.returncode == 0


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)
