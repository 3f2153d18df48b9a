"""A run to guard: until when its lease is good, and how it is ended."""

from __future__ import annotations

import threading
import time

from .lease import LEASE_SECONDS
from .process_tree import Tree

MARGIN_SECONDS = 5.0
"""A run is ended this much, and its grace, before the lease is over by the database's clock."""
LONGEST_GRACE_SECONDS = 20.0
"""The grace of a run whose lease is lost, at most: two renewals may fail before."""


def clock() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class GuardedRun:
    """A run, by the process that leads it."""

    def __init__(self, flow_run_id: str, process_id: int, grace_seconds: float) -> None:
        self.process_id = process_id
        self.grace = min(grace_seconds, LONGEST_GRACE_SECONDS)
        self.tree = Tree(process_id, flow_run_id)
        self.end = 0.0
        """When it is to be ended here, unless something changes before."""
        self._refused_until: float | None = None
        self._ending: threading.Thread | None = None
        self.renew(clock())

    def renew(self, renewed: float) -> None:
        """Its lease was renewed then."""
        self.end = renewed + LEASE_SECONDS - self.grace - MARGIN_SECONDS
        if self._refused_until is not None:
            self.end = self._refused_until

    def refuse(self, *, at_once: bool) -> None:
        """It may not go on. Its worker is told as well, and a SIGTERM must not come twice.

        So it is ended here after the worker has had time to, or `at_once`, when that is frozen.
        """
        if self._refused_until is None:
            self._refused_until = clock() + self.grace + MARGIN_SECONDS
        self.end = clock() if at_once else self._refused_until

    def is_over(self) -> bool:
        """Whether it has to be ended here, and is not yet being ended."""
        return self._ending is None and clock() >= self.end

    def begin_end(self) -> None:
        """End its processes, in a thread of its own, unless that is being done.

        Where the system has no thread for that they have no grace, so that no other run waits.
        """
        if self._ending is None:
            self._ending = threading.Thread(target=self.tree.end, args=(self.grace,))
            try:
                self._ending.start()
            except RuntimeError:
                self.tree.end(0.0)

    def is_ending(self) -> bool:
        """Whether its processes are being ended, or have been."""
        return self._ending is not None

    def is_ended(self) -> bool:
        """Whether it was ended here, with all of its processes."""
        return self._ending is not None and not self._ending.is_alive()

    def wait_ended(self) -> None:
        """Wait until it was ended here."""
        if self._ending is not None and self._ending.is_alive():
            self._ending.join()
