"""Playbooks that do not end by themselves for a long while: there to be cancelled."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time

from _witness import witness
from prefect.flow_runs import pause_flow_run, suspend_flow_run

from prefect_phantom import ActionResult, PlaybookRun, action, playbook

LONG = 60
"""Far beyond any bound of a cancel; nobody may ever know of a run whose answer was lost."""


@action("wait", app="Chaos")
def wait(run: int, attempt: int) -> ActionResult:
    """Sleep, as Python sleeps."""
    witness(run, attempt, "first")
    time.sleep(LONG)
    return ActionResult(message="waited")


@action("block", app="Chaos")
def block(run: int, attempt: int, seconds: int) -> ActionResult:
    """Sleep in C without letting go of the interpreter's lock: no thread runs, no signal acts."""
    witness(run, attempt, "first")
    ctypes.PyDLL(None).sleep(seconds)
    return ActionResult(message="blocked")


def _begin(run: PlaybookRun) -> int:
    attempt = run.attempt
    witness(run.id, attempt, "begin")
    return attempt


@playbook
def acting(run: PlaybookRun) -> None:
    """In an action."""
    wait(run.id, _begin(run))


@playbook
def blocking(run: PlaybookRun) -> None:
    """In an action that blocks in C."""
    block(run.id, _begin(run), LONG)


@playbook
def grips(run: PlaybookRun) -> None:
    """Blocks in C for a while, and ends in success."""
    block(run.id, _begin(run), 2)


@playbook
def family(run: PlaybookRun) -> None:
    """With children in sessions of their own that are deaf to SIGTERM, one forked, one executed."""
    attempt = _begin(run)
    command = ["sh", "-c", f"trap '' TERM; sleep {LONG}"]
    child = subprocess.Popen(command, start_new_session=True)
    witness(run.id, attempt, "child", child.pid)
    if (forked := os.fork()) == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(LONG)
        os._exit(0)
    witness(run.id, attempt, "child", forked)
    wait(run.id, attempt)


@playbook
def paused(run: PlaybookRun) -> None:
    """Paused: its process waits."""
    attempt = _begin(run)
    witness(run.id, attempt, "first")
    pause_flow_run(timeout=LONG)


@playbook
def suspended(run: PlaybookRun) -> None:
    """Suspended: its process has left."""
    attempt = _begin(run)
    witness(run.id, attempt, "first")
    suspend_flow_run(timeout=LONG)
