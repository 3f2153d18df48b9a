"""The same two trivial actions, in a process that goes on to the next run."""

from __future__ import annotations

from prefect_phantom import ActionResult, PlaybookRun, action, playbook


@action("add", app="Benchmark")
def add(left: int, right: int) -> ActionResult:
    """Add two numbers."""
    return ActionResult(message=str(left + right))


@playbook(isolation="reused")
def two_actions_reused(run: PlaybookRun) -> None:
    """Run two actions, one after the other."""
    add(left=run.id, right=1)
    add(left=run.id, right=2)
