"""What the benchmark runs: two trivial actions, or forty."""

from __future__ import annotations

from prefect_phantom import ActionResult, PlaybookRun, action, playbook


@action("add", app="Benchmark")
def add(left: int, right: int) -> ActionResult:
    """Add two numbers."""
    return ActionResult(message=str(left + right))


@playbook
def two_actions(run: PlaybookRun) -> None:
    """Run two actions, one after the other."""
    add(left=run.id, right=1)
    add(left=run.id, right=2)


@playbook
def forty_actions(run: PlaybookRun) -> None:
    """Run one action forty times, as one map."""
    add.map([{"left": run.id, "right": number} for number in range(40)])


@playbook
def four_hundred_actions(run: PlaybookRun) -> None:
    """Run one action for each of 200 artifacts, and once more: so many at once as by default."""
    for _ in range(2):
        add.map([{"left": run.id, "right": number} for number in range(200)])
