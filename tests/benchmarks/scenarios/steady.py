"""Runs with two actions finished a second in the long run, and the CPU that one costs by part."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext

from tests.benchmarks.backlog import Backlog, OurBacklog, StockBacklog, Window, kept_filled
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.cpu import CLIENT, PARTS, used
from tests.benchmarks.installation import REUSED as REUSED_PLAYBOOK
from tests.benchmarks.installation import TWO
from tests.benchmarks.sides import OURS, REUSED, SERVE_1, SERVE_10, WORKER_1, WORKER_10
from tests.benchmarks.stock import LIMIT, Stock

OUR_SECONDS, STOCK_SECONDS, QUICK_SECONDS = 60, 30, 15
SOME_RUNS, SOME_SECONDS = LIMIT, 300
OUR_WAITING, STOCK_WAITING = 24, 2 * LIMIT
NAME = "two-action runs finished"
ORDER = (OURS, SERVE_1, SERVE_10, REUSED, WORKER_1, WORKER_10)
PLAYBOOKS = {OURS: TWO, REUSED: REUSED_PLAYBOOK}


async def steady(bench: Bench) -> None:
    """Ours forked and reused and the four stock sides, one after another."""
    for side in ORDER:
        stock = None if side in PLAYBOOKS else await bench.stock(side)
        say(f"steady: {side}")
        with stock.awake() if stock else nullcontext():
            await _measure(bench, side, stock)
    bench.samples.remarks.append(
        f"steady: most runs at once: ours the pool's slots, {await bench.system.slots()};"
        f" stock {LIMIT}. Runs not ended at any moment: ours {OUR_WAITING}, stock {STOCK_WAITING}"
    )


async def _measure(bench: Bench, side: str, stock: Stock | None) -> None:
    backlog: Backlog = (
        StockBacklog(stock, STOCK_WAITING)
        if stock
        else OurBacklog(bench.system, PLAYBOOKS[side], OUR_WAITING)
    )
    seconds = QUICK_SECONDS if bench.quick else STOCK_SECONDS if stock else OUR_SECONDS
    async with kept_filled(bench.system, backlog) as window:
        await _some_ended(window)
        start, before = time.time(), used(bench.system, stock)
        await asyncio.sleep(seconds)
        await _some_ended(window, start)
        end, spent = time.time(), used(bench.system, stock)
        ended = await window.ends(start, end)
    ends = [moment for moment, success in ended if success]
    # Stock's runs end in bursts: the time after the last would count against it by chance.
    rate = len(ends) / (max(ends, default=seconds) if stock else end - start)
    bench.samples.add(NAME, side, rate=rate, ends=ends, errors=len(ended) - len(ends))
    spent.subtract(before)
    for part in (*PARTS, CLIENT):
        milliseconds = 1000 * spent[part] / len(ended)
        bench.samples.add(f"CPU of one run, {part}", side, [milliseconds])


async def _some_ended(window: Window, since: float | None = None) -> None:
    """Until so many have ended that stock has been through all that it does at once."""
    since = since or time.time()
    async with asyncio.timeout(SOME_SECONDS):
        while len(await window.ends(since, time.time())) < SOME_RUNS:
            await asyncio.sleep(0.1)
