"""Forty light actions in one playbook, beside the same tasks in a stock flow."""

from __future__ import annotations

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import FORTY
from tests.benchmarks.sides import OURS, SECOND_POLL

ROUNDS = 3


async def forty(bench: Bench) -> None:
    """Seconds from claim to end of our run; of stock, from start to end of the flow run."""
    name = "40 light actions in one run"
    for _ in range(1 if bench.quick else ROUNDS):
        row = (await bench.system.ended([await bench.system.start(FORTY)]))[0]
        taken = row["end_time"] - row["claim_time"]
        bench.samples.add(name, OURS, [taken.total_seconds()], unit="s")
        for side in SECOND_POLL:
            stock = await bench.stock(side)
            with stock.awake():
                row = (await stock.ended([await stock.start("forty_tasks")]))[0]
            taken = row["end_time"] - row["start_time"]
            bench.samples.add(name, side, [taken.total_seconds()], unit="s")
