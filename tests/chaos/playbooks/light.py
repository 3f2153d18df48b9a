"""Playbooks that do next to nothing, for the mass of runs."""

from __future__ import annotations

import time

from _witness import witness

from prefect_phantom import ActionResult, PlaybookRun, action, playbook


@action("mark", app="Chaos")
def mark(run: int, attempt: int, what: str, seconds: float) -> ActionResult:
    """Leave a line and take `seconds`."""
    witness(run, attempt, what)
    time.sleep(seconds)
    return ActionResult(message=what)


def _begin(run: PlaybookRun) -> int:
    attempt = run.attempt
    witness(run.id, attempt, "begin")
    return attempt


@playbook
def plain(run: PlaybookRun) -> None:
    """No action at all."""
    _begin(run)


@playbook
def one(run: PlaybookRun) -> None:
    """One action."""
    mark(run.id, _begin(run), "first", 0)


@playbook
def two(run: PlaybookRun) -> None:
    """Two actions, of which the first takes `inputs.seconds`."""
    attempt = _begin(run)
    mark(run.id, attempt, "first", run.inputs.get("seconds", 0))
    mark(run.id, attempt, "second", 0)


@playbook
def limited(run: PlaybookRun) -> None:
    """One action of `inputs.seconds`; a fault sets a concurrency limit on its deployment."""
    mark(run.id, _begin(run), "first", run.inputs.get("seconds", 0))
