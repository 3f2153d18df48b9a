"""Status: one finished run, read over and over, beside one row of the floor."""

from __future__ import annotations

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import TWO
from tests.benchmarks.load import Target, load
from tests.benchmarks.scenarios.accept import LOGIN, URL, add
from tests.benchmarks.sides import FLOOR, OURS

CALLERS = 32
ROUNDS, SECONDS = 5, 2.0


async def status(bench: Bench) -> None:
    """Read a run with two actions."""
    system = bench.system
    run = await system.start(TWO)
    await system.ended([run])
    sides = {
        OURS: Target(f"{system.url}{URL}/{run}", LOGIN),
        FLOOR: Target(f"{await bench.floor()}/runs/1"),
    }
    for target in sides.values():
        # A password is computed once a minute, for 0.2 s: not within a second of measuring.
        await load(target, callers=1, seconds=0.5)
    for _ in range(1 if bench.quick else ROUNDS):
        for side, target in sides.items():
            found = await load(target, callers=CALLERS, seconds=SECONDS)
            add(bench.samples, f"status, {CALLERS} concurrent", side, found)
