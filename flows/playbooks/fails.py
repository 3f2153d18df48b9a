"""A playbook that fails: for seeing how a failure is shown."""

from __future__ import annotations

from prefect_phantom import ActionFailure, ActionResult, PlaybookRun, action, playbook


@action("greet", app="Examples")
def greet(name: str) -> ActionResult:
    """Always succeed. Needs no asset."""
    return ActionResult(message=f"Hello, {name}", summary={"name": name})


@action("refuse", app="Examples")
def refuse(reason: str) -> ActionResult:
    """Always fail. Needs no asset.

    Raises:
        ActionFailure: whatever the parameters.

    """
    raise ActionFailure(f"Refused: {reason}")


@playbook(labels=["events"])
def fails(run: PlaybookRun) -> None:
    """Run one action that succeeds and one that fails, and let the failure out: the run fails."""
    greet(name=run.container.name)
    refuse(reason="this example always fails")
