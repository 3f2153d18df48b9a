"""How long to wait for a run, and how often to ask."""

from __future__ import annotations

import math
import time

LONGEST_PAUSE = 5.0
"""Seconds between two questions at most, however long the run takes."""
GROWTH = 1.2
"""Each pause is longer than the one before by this factor."""
OUTAGE_SECONDS = 30.0
"""An outage of the gateway as long as this does not end the wait."""


class Patience:
    """Pauses that start at `poll` seconds and grow gently, until `timeout` seconds have passed."""

    def __init__(self, poll: float, timeout: float | None) -> None:
        if poll <= 0:
            raise ValueError("poll must be greater than 0")
        self._shortest = self._pause = poll
        self._longest = max(poll, LONGEST_PAUSE)
        self._timeout = math.inf if timeout is None else timeout
        self._deadline = time.monotonic() + self._timeout

    @property
    def outage_seconds(self) -> float:
        """How long the next question may be repeated over a broken connection."""
        return max(0.0, min(OUTAGE_SECONDS, self._deadline - time.monotonic()))

    def renew(self) -> None:
        """Something has happened, so more may: ask as often as in the beginning."""
        self._pause = self._shortest

    def next_pause(self) -> float:
        """Seconds until the next question.

        Raises:
            TimeoutError: the time is over.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"The playbook run did not end within {self._timeout:g} seconds")
        pause = min(self._pause, left)
        self._pause = min(self._pause * GROWTH, self._longest)
        return pause
