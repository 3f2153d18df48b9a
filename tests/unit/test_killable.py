"""Work that only the end of its process interrupts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from prefect_phantom.apps import _work
from prefect_phantom.apps._web.deadline import Deadline
from prefect_phantom.apps._work import killable
from prefect_phantom.apps._work.killable import WorkFailed, in_time
from prefect_phantom.flows.process.warm.reaper import end_kept

WORK = """
import os, sys, time

def shout(text):
    print("not an answer")
    return text.upper()

def variables():
    return sorted(os.environ)

def imported():
    return sorted(sys.modules)

def fail():
    raise KeyError("x")

def die():
    os._exit(3)

def hang():
    time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Processes of this test alone, and work for them."""
    for file in Path(_work.__path__[0]).glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "trial.py").write_text(WORK)
    monkeypatch.setattr(killable, "_LOOP", str(tmp_path / "__main__.py"))
    processes = killable._Processes()
    monkeypatch.setattr(killable, "_PROCESSES", processes)
    yield
    processes.end()


def children() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if killable._LOOP in child.cmdline()[-1:]
    ]


def test_what_is_large_is_done_by_one_process_after_the_other() -> None:
    assert in_time(Deadline(30), "trial.shout", "a\ud800\n" * 200_000, size=9_000)[:3] == (
        "A\ud800\n"
    )
    (first,) = children()
    assert in_time(Deadline(30), "trial.shout", "b", size=9_000) == "B"
    assert children() == [first]


def test_its_process_knows_no_secret_and_imports_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_PHANTOM_RUNTIME_KEY", "x")
    variables = in_time(Deadline(30), "trial.variables", size=9_000)
    assert set(variables) <= {*killable.KEPT_VARIABLES, "LC_CTYPE"}
    assert not {"flows", "prefect"} & set(in_time(Deadline(30), "trial.imported", size=9_000))


def test_what_fails_says_how() -> None:
    with pytest.raises(WorkFailed, match="KeyError: 'x'"):
        in_time(Deadline(30), "trial.fail", size=9_000)
    with pytest.raises(WorkFailed, match="its process ended with code 3"):
        in_time(Deadline(30), "trial.die", size=9_000)
    with pytest.raises(WorkFailed, match="JSONDecodeError"):
        in_time(Deadline(30), "rdap_answer.read_domain", "no JSON", size=1)
    assert in_time(Deadline(30), "trial.shout", "a", size=9_000) == "A"


def test_what_hangs_is_ended_in_time_and_so_is_whoever_waits_for_a_place() -> None:
    def hang() -> None:
        with pytest.raises(TimeoutError):
            in_time(Deadline(0.5), "trial.hang", size=9_000)

    with ThreadPoolExecutor(5) as threads:
        for waiting in [threads.submit(hang) for _ in range(5)]:
            waiting.result()
    assert children() == []


def test_a_process_that_ended_while_it_was_idle_is_replaced() -> None:
    loop = Path(killable._LOOP)
    loop.write_text(loop.read_text().replace("IDLE_SECONDS = 10", "IDLE_SECONDS = 0"))
    in_time(Deadline(30), "trial.shout", "a", size=9_000)
    psutil.wait_procs(psutil.Process().children(), 30)
    assert in_time(Deadline(30), "trial.shout", "b", size=9_000) == "B"


def test_the_end_of_a_run_ends_them() -> None:
    in_time(Deadline(30), "trial.shout", "a", size=9_000)
    end_kept()
    assert children() == []
