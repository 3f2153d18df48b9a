"""Collecting what runs have left, among the children of this process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.worker import worker
from prefect_phantom.adapters.worker.processes import run_process
from prefect_phantom.adapters.worker.processes.run_process import RunProcess, end_orphans
from prefect_phantom.flows.process.guardian import process_tree


@pytest.fixture
def ended() -> int:
    """A child that has ended and that nobody has collected."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    return child


def _others(child: int) -> list[int]:
    return [each for each in run_process._children() if each != child]


@pytest.mark.parametrize("set_by", [-3600.0, 0.0, 3600.0])
def test_a_run_that_ended_at_once_is_kept_for_its_template_whatever_the_date_does(
    monkeypatch, ended, set_by
):
    now = time.time() + set_by
    monkeypatch.setattr(time, "time", lambda: now)
    end_orphans(_others(ended), ())
    assert psutil.Process(ended).status() == psutil.STATUS_ZOMBIE
    os.waitpid(ended, 0)


@pytest.mark.parametrize("set_by", [-3600.0, 0.0, 3600.0])
def test_what_ended_long_ago_is_collected_whatever_the_date_does(monkeypatch, ended, set_by):
    now, clock = time.time() + set_by, time.clock_gettime
    monkeypatch.setattr(time, "time", lambda: now)
    later = run_process.STARTING_SECONDS + 1
    monkeypatch.setattr(process_tree.time, "clock_gettime", lambda which: clock(which) + later)
    end_orphans(_others(ended), ())
    with pytest.raises(ChildProcessError):
        os.waitpid(ended, os.WNOHANG)


# It ends at SIGTERM and leaves one of its group behind, which does not.
LEADER = """
import os, signal, time
os.setsid()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), flush=True)
    time.sleep(600)
time.sleep(600)
"""


@pytest.fixture
def leader() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", LEADER], stdout=subprocess.PIPE)


async def test_a_number_is_signalled_only_while_it_is_the_runs(leader, monkeypatch):
    left = psutil.Process(int(leader.stdout.readline()))
    process = RunProcess(leader.pid)
    signalled, killpg = [], os.killpg

    def signal_group(number: int, which: signal.Signals) -> None:
        signalled.append((which, psutil.pid_exists(number)))
        killpg(number, which)

    monkeypatch.setattr(os, "killpg", signal_group)
    await process.stop(grace_seconds=30)
    assert signalled == [(signal.SIGTERM, True), (signal.SIGKILL, True)]
    await asyncio.to_thread(left.wait, 30)
    leader.returncode = await process.wait()
    leader.stdout.close()


@pytest.fixture
def other() -> Iterator[psutil.Process]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        yield psutil.Process(other.pid)
        other.kill()


def test_a_number_that_was_given_to_another_process_is_left_alone(other, monkeypatch):
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda number, _: signalled.append(number))
    before = psutil.Process(other.pid)
    before._ident = (other.pid, before._ident[1] - 100)
    worker._signal_groups([before], signal.SIGKILL)
    assert signalled == []
    worker._signal_groups([other], signal.SIGKILL)
    assert signalled == [other.pid]


async def test_a_worker_whose_program_has_ended_kills_what_is_left_of_it_all_the_same(monkeypatch):
    program = await asyncio.create_subprocess_exec("true")
    await program.wait()
    abandoning = worker.Worker.__new__(worker.Worker)
    abandoning.settings = Settings(grace_seconds=0)
    monkeypatch.setattr(worker, "KILLED_SECONDS", 0)
    left = await asyncio.create_subprocess_exec("sleep", "600")
    monkeypatch.setattr(abandoning, "_processes", lambda: iter([psutil.Process(left.pid)]))
    await abandoning._abandon(program)
    async with asyncio.timeout(30):
        assert await left.wait() == -signal.SIGKILL
