"""What a scenario is given: the installation, what stands beside it, and where samples go."""

from __future__ import annotations

import sys
import time
from contextlib import AsyncExitStack

from tests.benchmarks.floor import floor
from tests.benchmarks.installation import Installation
from tests.benchmarks.samples import Samples
from tests.benchmarks.stock import Stock, stock

START = time.monotonic()


class Bench:
    """One run of the benchmark. Floor and stock sides are started when first asked for."""

    def __init__(self, system: Installation, stack: AsyncExitStack, *, quick: bool) -> None:
        self.system = system
        self.samples = Samples()
        self.quick = quick
        self._stack = stack
        self._floor = ""
        self._stocks: dict[str, Stock] = {}

    async def floor(self) -> str:
        """URL of the bare floor."""
        if not self._floor:
            self._floor = await self._stack.enter_async_context(floor(self.system))
        return self._floor

    async def stock(self, side: str) -> Stock:
        """One stock side, asleep."""
        if side not in self._stocks:
            say(f"starting {side}")
            started = await self._stack.enter_async_context(stock(self.system, side))
            self._stocks[side] = started
        return self._stocks[side]


def say(words: str) -> None:
    """Tell what is going on, away from the table."""
    print(f"{time.monotonic() - START:5.0f} s  {words}", file=sys.stderr, flush=True)
