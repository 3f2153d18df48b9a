"""A playbook that takes as long as it is told to: for trying out status and cancel."""

from __future__ import annotations

import time

from prefect_phantom import PlaybookRun, playbook

DEFAULT = 10
"""In seconds."""
LONGEST = 24 * 60 * 60
"""In seconds."""
STEP = 0.1
"""In seconds. Short, so that a cancel takes hold quickly."""


@playbook(labels=["events"])
def wait(run: PlaybookRun) -> None:
    """Sleep for `inputs.seconds` (default 10), then end in success.

    Raises:
        ValueError: when `seconds` is not a number from 0 to 86400.

    """
    seconds = run.inputs.get("seconds", DEFAULT)
    # JSON's true is no number of seconds, though Python would take it for 1.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError(f"seconds must be a number, not {seconds!r}")  # noqa: TRY004 - a value of the caller
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"seconds must be from 0 to {LONGEST}, not {seconds!r}")
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, STEP))
