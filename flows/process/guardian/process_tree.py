"""The processes of a run: the one that leads it, and whatever that has started."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FLOW_RUN = "PREFECT__FLOW_RUN_ID"
LONGEST_NAME = 15
LOOK_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
"""In how many a second the kernel counts when a process was started."""
ROUNDS = 100
"""How often a tree that starts processes faster than they can be killed is looked at again."""


def process_name(flow_run_id: str) -> str:
    """The name that a run's process gives itself, as far as the kernel keeps one.

    Whatever it forks has that name too, until it executes another program.
    """
    return f"run-{flow_run_id.replace('-', '')}"[:LONGEST_NAME]


@dataclass(frozen=True)
class Process:
    """A line of ``/proc/<id>/stat``. `start` tells it from a later one of the same id."""

    id: int
    name: str
    state: str
    parent: int
    group: int
    session: int
    start: int

    def age(self) -> float:
        """Seconds since it was started, whatever is done to the machine's date meanwhile."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.start / TICKS


def read(process_id: int) -> Process | None:
    """The process of this id, if there is one."""
    with suppress(OSError):
        text = Path(f"/proc/{process_id}/stat").read_bytes().decode(errors="replace")
        # The name comes second, in parentheses, and may hold anything.
        head, _, rest = text.rpartition(")")
        fields = rest.split()
        numbers = [int(fields[place]) for place in (1, 2, 3, 19)]
        return Process(process_id, head.partition("(")[2], fields[0], *numbers)
    return None


def is_frozen(process_id: int) -> bool:
    """Whether the process is stopped, as by SIGSTOP."""
    process = read(process_id)
    return process is not None and process.state in "Tt"


class Tree:
    """The process that leads a run, its descendants, and what is in a session of one of them."""

    def __init__(self, leader: int, flow_run_id: str) -> None:
        self._leader = leader
        self._variable = f"{FLOW_RUN}={flow_run_id}".encode()
        self._name = process_name(flow_run_id)
        process = read(leader)
        self._seen = {} if process is None else {leader: process.start}

    def is_alive(self) -> bool:
        """Whether the leader lives."""
        process = read(self._leader)
        return (
            process is not None
            and process.start == self._seen.get(self._leader)
            and process.state not in "ZX"
        )

    def end(self, grace_seconds: float) -> None:
        """Ask all of it to end (SIGTERM), and after the grace make it (SIGKILL)."""
        self._signal(signal.SIGTERM)
        self._wait(grace_seconds)
        for _ in range(ROUNDS):
            if not self._signal(signal.SIGKILL):
                return
            time.sleep(LOOK_SECONDS)

    def _signal(self, number: signal.Signals) -> int:
        """Signal every living process of the tree; return how many there were."""
        living = self._living()
        for process in living:
            with suppress(ProcessLookupError):
                os.kill(process.id, number)
        return len(living)

    def _living(self) -> list[Process]:
        processes = _processes()
        for process in processes.values():
            if self._is_marked(process):
                self._seen[process.id] = process.start
        # The number of one that has ended stays its session's, while somebody is in that.
        tree = {
            number
            for number, start in self._seen.items()
            if number not in processes or processes[number].start == start
        }
        grown = True
        while grown:
            more = {
                process.id
                for process in processes.values()
                if process.id not in tree and (process.parent in tree or process.session in tree)
            }
            tree |= more
            grown = bool(more)
        # Under a stock worker this process is a child of the run's.
        living = [processes[number] for number in tree if number in processes]
        living = [each for each in living if each.state not in "ZX" and each.id != os.getpid()]
        self._seen |= {process.id: process.start for process in living}
        return living

    def _is_marked(self, process: Process) -> bool:
        """Whether the run started it, whatever became of those in between."""
        if process.name == self._name:
            return True
        with suppress(OSError):
            return self._variable in Path(f"/proc/{process.id}/environ").read_bytes().split(b"\0")
        return False

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self._leader)
            try:
                select.select([descriptor], [], [], seconds)
            finally:
                os.close(descriptor)
        while self._living() and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)


def _processes() -> dict[int, Process]:
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {number: process for number in numbers if (process := read(number))}
