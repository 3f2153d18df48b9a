"""Run the chaos: ``python -m tests.chaos``. Prints a table, writes ``chaos/*.json``."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import time

from tests.chaos import report
from tests.chaos.faults import FAULTS
from tests.chaos.installation import installation
from tests.chaos.session import Outcome, chosen, conclude, endure, say, scene


def main() -> int:
    """Parse the command line; exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--minutes", type=float, default=10, help="how long faults go on")
    parser.add_argument("--faults", default="", help=f"separated by commas: {', '.join(FAULTS)}")
    parser.add_argument("--rate", type=float, default=3, help="runs asked for in a second")
    parser.add_argument("--worker", choices=["phantom", "process"], default="phantom")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--patience", type=float, default=300, help="without any progress")
    parser.add_argument("--all", action="store_true", help="only show all that was found so far")
    arguments = parser.parse_args()
    if arguments.all:
        report.show(report.read())
        return 0
    try:
        outcome = asyncio.run(_session(arguments))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    path = report.write(outcome)
    report.show(report.read(path))
    say(f"seed {outcome.seed}, everything: {path}")
    return 1 if outcome.breaches else 0


async def _session(arguments: argparse.Namespace) -> Outcome:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    names = [name.strip() for name in arguments.faults.split(",") if name.strip()]
    # Mounting takes root. Without, a full disk would be somebody else's.
    faults = chosen(names, mounts=os.geteuid() == 0)
    outcome = Outcome(arguments.seed, arguments.worker)
    say(f"seed {arguments.seed}: {', '.join(fault.name for fault in faults)}")
    report.FOLDER.mkdir(exist_ok=True)
    start = time.monotonic()
    mounts = any(fault.mounts for fault in faults)
    async with installation(
        worker=arguments.worker, slots=arguments.slots, mounts=mounts
    ) as system:
        journal = report.FOLDER / f"{arguments.seed}.journal"
        async with scene(system, seed=arguments.seed, journal=journal) as stage:
            await endure(stage, faults, minutes=arguments.minutes, rate=arguments.rate)
            await conclude(stage, outcome, patience=arguments.patience)
        say("stopping")
        if outcome.breaches:
            report.keep(system, arguments.seed)
    outcome.seconds = time.monotonic() - start
    return outcome


if __name__ == "__main__":
    raise SystemExit(main())
