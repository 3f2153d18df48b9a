"""Collecting what runs have left, among the children of this process."""

from __future__ import annotations

import os
import sys
import time

import psutil
import pytest

from adapters.prefect import run_process
from adapters.prefect.run_process import end_orphans
from flows.guardian import process_tree


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
