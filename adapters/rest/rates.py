"""How many requests callers may send, in the memory of one gateway."""

from __future__ import annotations

import time
from collections.abc import Hashable

from adapters.errors import TooMany

BURST_SECONDS = 30.0
"""What was not used of this time may be used at once."""
MOST = 10_000


class Rates:
    """For each key the moment at which all it has asked for would be over at the allowed rate.

    `per_second` requests are allowed to each key, after a pause `BURST_SECONDS` times as many at
    once. 0 is no limit.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._over: dict[Hashable, float] = {}

    def spend(self, key: Hashable) -> None:
        """Count one request. Raises `TooMany`."""
        if not self._interval:
            return
        now = time.monotonic()
        over = max(self._over.get(key, 0.0), now) + self._interval
        if over - now > BURST_SECONDS:
            raise TooMany(TooMany.REQUESTS, over - now - BURST_SECONDS)
        self._over[key] = over
        if len(self._over) > MOST:
            self._over = {each: end for each, end in self._over.items() if end > now}
