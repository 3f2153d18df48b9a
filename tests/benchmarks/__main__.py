"""Run the benchmark: ``python -m tests.benchmarks``. Prints a table, writes ``bench/*.json``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import AsyncExitStack

from tests.benchmarks import report
from tests.benchmarks.answers import accepts, statuses
from tests.benchmarks.cancels import cancels
from tests.benchmarks.floor import floor
from tests.benchmarks.footprint import footprint
from tests.benchmarks.installation import installation
from tests.benchmarks.runs import TWO, finished, forty, starts
from tests.benchmarks.samples import Samples
from tests.benchmarks.stock import stock

STARTED = time.monotonic()


async def main() -> None:
    """Start everything, measure, stop everything, report."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    samples, load = Samples(), [os.getloadavg()]
    async with AsyncExitStack() as stack:
        say("starting an installation")
        system = await stack.enter_async_context(installation())
        version = await system.rows("postgres", "SHOW server_version")
        for _ in range(2):  # the first makes the template
            run = await system.start(TWO)
            await system.ended([run])
        say("idle CPU and memory")
        await footprint(system, samples)
        say("cancel to dead")
        await cancels(system, samples)
        say("starting stock workers and the floor")
        bare = await stack.enter_async_context(floor(system))
        slow = await stack.enter_async_context(stock(system, "10s", 10))
        fast = await stack.enter_async_context(stock(system, "1s", 1))
        load.append(os.getloadavg())
        say("accept")
        await accepts(system, slow, bare, samples)
        say("status")
        await statuses(system, bare, run, samples)
        say("40 light actions")
        await forty(system, fast, samples)
        say("trigger to running")
        await starts(system, slow, fast, samples)
        say("runs finished a second")
        await finished(system, slow, fast, samples)
        load.append(os.getloadavg())
        say("stopping")
    facts = report.machine(version[0]["server_version"])
    facts["load average"] = ", ".join(f"{each[0]:.1f}" for each in load)
    report.show(samples, facts)
    say(f"raw samples: {report.write(samples, facts)}")


def say(words: str) -> None:
    """Tell what is going on, away from the table."""
    print(f"{time.monotonic() - STARTED:5.0f} s  {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(130) from None
