"""How many requests callers may send, in the memory of one gateway."""

from __future__ import annotations

import time
from collections.abc import Hashable

from prefect_phantom.adapters.errors import TooMany

BURST_SECONDS = 30
"""What was not used of this time may be used at once."""
SECOND = 1_000_000_000
"""A second in nanoseconds. Times are integers: a sum of floats is off by more the longer a machine
is up, and of two equal times one is then the larger."""
MOST = 10_000


class Rates:
    """For each key the moment at which all it has asked for would be over at the allowed rate.

    `per_second` requests are allowed to each key, after a pause `BURST_SECONDS` times as many at
    once. 0 is no limit.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = int(SECOND / per_second) if per_second else 0
        self._over: dict[Hashable, int] = {}

    def spend(self, key: Hashable) -> None:
        """Count one request. Raises `TooMany`."""
        if not self._interval:
            return
        now = time.monotonic_ns()
        over = max(self._over.get(key, now), now) + self._interval
        if (early := over - now - BURST_SECONDS * SECOND) > 0:
            raise TooMany(TooMany.REQUESTS, early / SECOND)
        self._over[key] = over
        if len(self._over) > MOST:
            self._over = {each: end for each, end in self._over.items() if end > now}
