"""The guardian: a small process beside runs, which answers for them when nobody else can.

``python -I flows/guardian.py FD`` is started by a worker, or by a run that has a stock worker: a
process of its own, outside every run's session and of the standard library alone, so that
neither a playbook that holds the interpreter's lock nor a frozen worker can hold it up. It

- renews the lease of all runs that it was told of, in one call;
- ends a run, with all that it started, whose lease is lost or that may not go on;
- ends all of them when the other side of its socket is gone, and tells the gateway.

Lines of JSON over the socket FD. First what to guard for: ``{url, key, worker, watched}``, then
``{run, process_id, grace_seconds}``, ``{ended}`` and ``{ping}``, which is answered by ``{pong}``.
`watched` are processes: with the end of one of them all is over.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import selectors
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

FLOW_RUN = "PREFECT__FLOW_RUN_ID"
LEASE_SECONDS = 60.0
"""How long the gateway lets a run go on without hearing of it."""
RENEW_SECONDS = 10.0
MARGIN_SECONDS = 5.0
"""A run is ended this much, and its grace, before the lease is over by the database's clock."""
LONGEST_GRACE_SECONDS = 20.0
"""The grace of a run whose lease is lost, at most: two renewals may fail before."""
ANSWER_SECONDS = 5.0
RETRY_SECONDS = 2.0
REPORT_SECONDS = 60.0
"""How long the gateway is tried to be told of runs whose owner is gone."""
LONGEST_NAME = 15
LOOK_SECONDS = 0.02
ROUNDS = 100
"""How often a tree that starts processes faster than they can be killed is looked at again."""


def process_name(flow_run_id: str) -> str:
    """The name that a run's process gives itself, as far as the kernel keeps one.

    Whatever it forks has that name too, until it executes another program.
    """
    return f"run-{flow_run_id.replace('-', '')}"[:LONGEST_NAME]


def clock() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Unreachable(Exception):
    """The gateway does not answer, or not as it should."""


class Lost(Exception):
    """The gateway answers that the database does not."""


class Lease:
    """Calls of the runtime API about the runs of one worker."""

    def __init__(self, url: str, key: str, worker: str) -> None:
        self._server = urlsplit(url)
        self._path = f"{self._server.path}/runtime/workers/{quote(worker, safe='')}"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def renew(self, flow_run_ids: list[str]) -> set[str]:
        """Renew the lease of these flow runs; return those that may not go on.

        Raises:
            Lost: the database does not answer, so that nobody can judge the runs.
            Unreachable: the gateway does not answer.
        """
        return set(self._post("lease", {"flow_run_ids": flow_run_ids})["stop"])

    def gone(self, processes: dict[str, int]) -> None:
        """Tell that the process of each of these flow runs has ended.

        Raises:
            Unreachable: nobody was told.
        """
        runs = [{"flow_run_id": name, "process_id": number} for name, number in processes.items()]
        try:
            self._post("gone", {"runs": runs})
        except Lost as error:
            raise Unreachable(str(error)) from error

    def _post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        secure = self._server.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._server.netloc, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", f"{self._path}/{what}", json.dumps(body), self._headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise Lost(text)
            if answer.status != HTTPStatus.OK:
                raise Unreachable(text)
            content: dict[str, Any] = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(repr(error)) from error
        finally:
            connection.close()
        return content


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


class Run:
    """A run to guard, by the process that leads it."""

    def __init__(self, flow_run_id: str, process_id: int, grace_seconds: float) -> None:
        self.process_id = process_id
        self.grace = min(grace_seconds, LONGEST_GRACE_SECONDS)
        self.tree = Tree(process_id, flow_run_id)
        self.end = self.deadline(clock())
        """When it has to be dead, unless the lease is renewed before."""
        self.refused: float | None = None
        """Since when the gateway says that it may not go on."""
        self.ending: threading.Thread | None = None

    def deadline(self, renewed: float) -> float:
        """Until when a lease that was renewed then is good."""
        return renewed + LEASE_SECONDS - self.grace - MARGIN_SECONDS

    def begin_end(self) -> None:
        """End its processes, in a thread of its own."""
        self.ending = threading.Thread(target=self.tree.end, args=(self.grace,))
        self.ending.start()


class Guardian:
    """Guards the runs of one owner, until that is gone."""

    def __init__(self, connection: socket.socket, orders: dict[str, Any]) -> None:
        self.connection = connection
        self.watched: list[int] = orders["watched"]
        self.lease = Lease(orders["url"], orders["key"], orders["worker"])
        self.runs: dict[str, Run] = {}
        self.renewal = 0.0
        self.rest = b""

    def guard(self) -> None:
        """Work until the owner is gone; then end what is left, and report it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ, data="owner")
            for process_id in self.watched:
                try:
                    selector.register(os.pidfd_open(process_id), selectors.EVENT_READ, data="gone")
                except ProcessLookupError:
                    return self.finish()
            while True:
                events = selector.select(self.next_look())
                if any(key.data == "gone" for key, _ in events) or (events and not self.listen()):
                    return self.finish()
                if self.runs:
                    self.look()

    def next_look(self) -> float | None:
        """How long nothing has to be done; None when there is nothing to guard."""
        if any(run.ending is not None for run in self.runs.values()):
            return LOOK_SECONDS
        return max(0.0, self.renewal - clock()) if self.runs else None

    def listen(self) -> bool:
        """Read what the owner says; False when it is gone."""
        try:
            received = self.connection.recv(65536)
        except ConnectionError:
            return False
        *lines, self.rest = (self.rest + received).split(b"\n")
        for line in lines:
            self.obey(json.loads(line))
        return bool(received)

    def obey(self, order: dict[str, Any]) -> None:
        """One line of the owner's."""
        if "run" in order:
            if not self.runs:
                self.renewal = clock() + RENEW_SECONDS
            self.runs[order["run"]] = Run(order["run"], order["process_id"], order["grace_seconds"])
        elif "ended" in order:
            self.runs.pop(order["ended"], None)
        elif "ping" in order:
            answer = {"pong": order["ping"]}
            with suppress(ConnectionError):  # gone since it asked, as the next look will show
                self.connection.sendall(json.dumps(answer).encode() + b"\n")

    def look(self) -> None:
        """Renew the lease when it is time, and end what may not go on."""
        if clock() >= self.renewal:
            self.renewal = clock() + (RENEW_SECONDS if self.renew() else RETRY_SECONDS)
        for run in self.runs.values():
            if run.ending is None and self.is_over(run):
                run.begin_end()
        over = {name: run for name, run in self.runs.items() if self.is_ended(run)}
        if over:
            self.report(over)
            for name in over:
                del self.runs[name]

    def renew(self) -> bool:
        """Renew the lease of the runs whose process lives; False when it has to be tried again."""
        sent = clock()
        alive = [name for name, run in self.runs.items() if run.tree.is_alive()]
        try:
            stop = self.lease.renew(alive)
        except Lost:
            # Nobody can end the runs in the database either while it does not answer.
            stop = set()
        except Unreachable as error:
            print(f"The lease was not renewed: {error}", file=sys.stderr, flush=True)
            return False
        for name in alive:
            run = self.runs[name]
            run.end = run.deadline(sent)
            if name in stop:
                run.refused = run.refused or clock()
                # The worker is told as well, and its SIGTERM must not come twice.
                self.renewal = min(self.renewal, clock() + run.grace + MARGIN_SECONDS)
        return True

    def is_over(self, run: Run) -> bool:
        """Whether the run has to be ended here, since its worker does not."""
        if clock() >= run.end:
            return True
        if run.refused is None:
            return False
        frozen = any(is_frozen(process_id) for process_id in self.watched)
        return frozen or clock() >= run.refused + run.grace + MARGIN_SECONDS - 1

    @staticmethod
    def is_ended(run: Run) -> bool:
        """Whether the run was ended here, with all of its processes."""
        return run.ending is not None and not run.ending.is_alive()

    def report(self, runs: dict[str, Run]) -> None:
        """Tell the gateway that the processes of these runs are gone, once."""
        try:
            self.lease.gone({name: run.process_id for name, run in runs.items()})
        except Unreachable as error:
            # Their lease runs out, which says the same later.
            print(f"The end of runs was not reported: {error}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """End every run that is left, and tell the gateway until it has understood.

        Of a run that had ended before, its own report or its lease tells.
        """
        # An owner that is gone may have told of runs that nobody has listened to yet.
        while select.select([self.connection], [], [], 0)[0] and self.listen():
            pass
        living = {name: run for name, run in self.runs.items() if run.tree.is_alive()}
        for run in self.runs.values():
            if run.ending is None:
                run.begin_end()
        for run in self.runs.values():
            if run.ending is not None:
                run.ending.join()
        end = clock() + REPORT_SECONDS
        while living and clock() < end:
            try:
                self.lease.gone({name: run.process_id for name, run in living.items()})
            except Unreachable:
                time.sleep(RETRY_SECONDS)
            else:
                return


def main() -> None:
    """Guard until the owner is gone."""
    # It ends when what it guards for does, and not before.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    with connection.makefile("rb", buffering=0) as lines:
        orders = json.loads(lines.readline())
    Guardian(connection, orders).guard()


if __name__ == "__main__":
    main()
