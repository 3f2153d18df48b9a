"""Playbooks that misbehave in every way that came to mind."""

from __future__ import annotations

import os
import sys
import time

from _witness import witness

from prefect_phantom import ActionResult, PlaybookRun, action, playbook

FORKS = 8
HUGE = 100 * 2**20


@action("say", app="Chaos")
def say(message: str, size: int = 0) -> ActionResult:
    """Return what it is given, and that much more."""
    return ActionResult(message=message, data=[{"text": "x" * size}] if size else [])


@action("bytes", app="Chaos")
def not_text() -> ActionResult:
    """Return bytes that are no UTF-8, and text that has no UTF-8."""
    return ActionResult(message=b"\xff\xfe".decode(errors="surrogateescape"), data=[{"b": b"\xff"}])


def _begin(run: PlaybookRun) -> int:
    attempt = run.attempt
    witness(run.id, attempt, "begin")
    return attempt


@playbook
def exits(run: PlaybookRun) -> None:
    """sys.exit in the middle."""
    _begin(run)
    sys.exit(3)


@playbook
def dies(run: PlaybookRun) -> None:
    """The process is gone without a word."""
    _begin(run)
    os._exit(7)


@playbook
def forks(run: PlaybookRun) -> None:
    """Forks, and its children fork; all of them outlive it."""
    attempt = _begin(run)
    for _ in range(FORKS):
        if os.fork() == 0:
            grandchild = os.fork()
            witness(run.id, attempt, "child")
            if grandchild == 0:
                os.setsid()
            time.sleep(600)
            os._exit(0)


@playbook
def returns_from_fork(run: PlaybookRun) -> None:
    """A forked child does not leave, and goes on as if it were the run."""
    attempt = _begin(run)
    if os.fork() == 0:
        witness(run.id, attempt, "child")
    say("once or twice")


@playbook
def huge(run: PlaybookRun) -> None:
    """An action with a result of 100 MB."""
    _begin(run)
    say("much", HUGE)


@playbook
def garbage(run: PlaybookRun) -> None:
    """An action whose result is not text."""
    _begin(run)
    not_text()


@playbook
def recurses(run: PlaybookRun) -> None:
    """Deeper than Python goes."""
    _begin(run)

    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    deeper(0)


@playbook
def overflows(run: PlaybookRun) -> None:
    """Deeper than the stack goes: the process ends by a signal."""
    _begin(run)
    sys.setrecursionlimit(10**9)
    deep: list[object] = []
    for _ in range(10**6):
        deep = [deep]
    repr(deep)


@playbook
def closes(run: PlaybookRun) -> None:
    """Closes its output and prints."""
    _begin(run)
    sys.stdout.close()
    os.close(1)
    os.close(2)
    say("still here")
    print("to nobody")
