"""A playbook whose actions bring much."""

from __future__ import annotations

import time

from prefect_phantom import ActionResult, PlaybookRun, action, playbook

NUMBERS = 1_300_000
"""Each of them three bytes of JSON."""
PAUSE_SECONDS = 5.0


@action("get much", app="Chaos")
def get_much() -> ActionResult:
    """What a web server answers that an analyst should not have asked: 4 MB of JSON."""
    return ActionResult(message="much", data=[{"numbers": [1] * NUMBERS}])


@playbook
def large(run: PlaybookRun) -> None:
    """Get it again and again, for `inputs.seconds`."""
    over = time.monotonic() + run.inputs.get("seconds", 0)
    while time.monotonic() < over:
        get_much()
        time.sleep(PAUSE_SECONDS)
