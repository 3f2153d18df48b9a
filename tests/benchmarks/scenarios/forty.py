"""Light actions in one playbook, beside the same tasks in a stock flow.

Forty as one map is what workflow engines publish; 200 artifacts, two actions each, is a large case.
"""

from __future__ import annotations

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import FORTY, FOUR_HUNDRED
from tests.benchmarks.sides import OURS, SECOND_POLL

ROUNDS = 3


async def forty(bench: Bench) -> None:
    """Seconds from claim to end of our run; of stock, from start to end of the flow run."""
    await _compare(bench, "40 light actions in one run", FORTY, "forty_tasks")
    await _compare(
        bench, "200 artifacts x 2 actions in one run", FOUR_HUNDRED, "four_hundred_tasks"
    )


async def _compare(bench: Bench, name: str, ours: str, stock_flow: str) -> None:
    for _ in range(1 if bench.quick else ROUNDS):
        row = (await bench.system.ended([await bench.system.start(ours)]))[0]
        taken = row["end_time"] - row["claim_time"]
        bench.samples.add(name, OURS, [taken.total_seconds()], unit="s")
        for side in SECOND_POLL:
            stock = await bench.stock(side)
            with stock.awake():
                row = (await stock.ended([await stock.start(stock_flow)]))[0]
            taken = row["end_time"] - row["start_time"]
            bench.samples.add(name, side, [taken.total_seconds()], unit="s")
