"""Which part has used how much CPU, the processes that have ended included."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator

import psutil

from tests.benchmarks.installation import Installation
from tests.benchmarks.stock import Stock

GATEWAY, WORKER, TEMPLATES = "gateway", "worker", "templates"
RUNS, SERVER, DATABASE = "run processes", "Prefect server", "PostgreSQL"
CLIENT = "this benchmark's own process"
PARTS = (GATEWAY, WORKER, TEMPLATES, RUNS, SERVER, DATABASE)


def processes(system: Installation) -> Iterator[tuple[str, psutil.Process]]:
    """Each living process of the installation with the part that it belongs to."""
    for part in (GATEWAY, WORKER, SERVER, DATABASE):
        for process in _trees(system.roots(part)):
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                yield _part_of_worker(process) if part == WORKER else part, process


def used(system: Installation, stock: Stock | None = None) -> Counter[str]:
    """Seconds of CPU by part since the start; of stock too, for whose runs and their parent."""
    found: Counter[str] = Counter({CLIENT: time.process_time()})
    for part, process in processes(system):
        _add(found, process, part, RUNS if part == WORKER else part)
    if stock is not None:
        found.subtract({part: found[part] for part in (GATEWAY, WORKER, TEMPLATES, RUNS)})
        _add(found, stock.process, WORKER, RUNS)
        for process in stock.process.children(recursive=True):
            _add(found, process, RUNS, RUNS)
    return found


def _add(found: Counter[str], process: psutil.Process, own: str, of_ended: str) -> None:
    # The time of a child that was waited for is the parent's; of a zombie it is still its own.
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        found[own] += times.user + times.system
        found[of_ended] += times.children_user + times.children_system


def _trees(roots: list[psutil.Process]) -> Iterator[psutil.Process]:
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield from (root, *root.children(recursive=True))


def _part_of_worker(process: psutil.Process) -> str:
    """A run leads a session of its own; templates stay in that of the worker, which forks them."""
    command = process.cmdline()
    if command and "prefect_phantom.flows.process.warm.template" not in command:
        return WORKER
    return RUNS if os.getsid(process.pid) == process.pid else TEMPLATES
