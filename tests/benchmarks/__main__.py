"""Run the benchmark: ``python -m tests.benchmarks [--only SCENARIO ...] [--quick]``.

Prints a table; writes raw samples and pictures to ``bench/``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import uvloop

from tests.benchmarks.bench import Bench, say
from tests.benchmarks.installation import REUSED, TWO, installation
from tests.benchmarks.machine import machine
from tests.benchmarks.pictures import draw
from tests.benchmarks.record import write
from tests.benchmarks.samples import Samples
from tests.benchmarks.scenarios.accept import accept
from tests.benchmarks.scenarios.cancel import cancel
from tests.benchmarks.scenarios.forty import forty
from tests.benchmarks.scenarios.idle import idle
from tests.benchmarks.scenarios.loaded import loaded
from tests.benchmarks.scenarios.start import start
from tests.benchmarks.scenarios.status import status
from tests.benchmarks.scenarios.steady import steady
from tests.benchmarks.scenarios.stored import stored
from tests.benchmarks.table import show

# Idle comes before stock is started, and a million stored runs come last.
ORDER = (idle, cancel, accept, status, forty, start, steady, loaded, stored)
SCENARIOS: dict[str, Callable[[Bench], Awaitable[None]]] = {each.__name__: each for each in ORDER}


async def measure(chosen: list[str], *, quick: bool) -> tuple[Samples, dict[str, Any]]:
    """Start everything, measure what was chosen, stop everything."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    before = os.getloadavg()[0]
    async with AsyncExitStack() as stack:
        say("starting an installation")
        system = await stack.enter_async_context(installation())
        bench = Bench(system, stack, quick=quick)
        facts = await machine(system)
        for playbook in (TWO, REUSED):  # the first run of each makes its template
            await system.ended([await system.start(playbook)])
        for name in chosen:
            say(name)
            bench.samples.scenario = name
            try:
                await SCENARIOS[name](bench)
            except Exception as error:  # noqa: BLE001 (the others' figures are not lost for it)
                bench.samples.failures[name] = "".join(traceback.format_exception(error))
        facts["load"] = f"{before:.1f} before, {os.getloadavg()[0]:.1f} at the end"
        say("stopping")
    return bench.samples, facts


def main() -> int:
    """Measure and report; 1 when a scenario failed, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="shorter, for trying out")
    arguments = parser.parse_args()
    chosen = [name for name in SCENARIOS if name in arguments.only]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        samples, facts = runner.run(measure(chosen, quick=arguments.quick))
    show(samples, facts)
    path = write(samples, facts)
    for each in (path, *draw(samples, path)):
        say(str(each))
    return bool(samples.failures)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(130) from None
