"""The guardian itself: it listens to its owner, renews, and ends what may not go on."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from .guarded_run import GuardedRun, clock
from .lease import Lease, Lost, Refused, Unreachable
from .process_tree import LOOK_SECONDS, is_frozen
from .question import Question

RENEW_SECONDS = 10.0
RETRY_SECONDS = 2.0
REPORT_SECONDS = 60.0
"""How long the gateway is tried to be told of runs whose owner is gone."""
LONGEST_LINE = 4096
"""Of the log, in bytes: so much a pipe takes at once when it can be written to."""


class Guardian:
    """Guards the runs of one owner, until that is gone.

    Nothing that its loop does may take long: it ends the runs whose lease is about to be over.
    """

    def __init__(self, connection: socket.socket, orders: dict[str, Any]) -> None:
        self.connection = connection
        self.watched: list[int] = orders["watched"]
        self.lease = Lease(orders["url"], orders["key"], orders["worker"])
        self.runs: dict[str, GuardedRun] = {}
        self.renewal = 0.0
        self.told = os.eventfd(0, os.EFD_CLOEXEC)
        self.renewing: Question[set[str]] | None = None
        self.renewed: dict[str, GuardedRun] = {}
        """The runs that it is asked for at the moment."""
        self.reports: list[Question[None]] = []
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
            selector.register(self.told, selectors.EVENT_READ, data="told")
            while True:
                happened = {key.data for key, _ in selector.select(self.next_look())}
                if "told" in happened:
                    os.eventfd_read(self.told)
                if "gone" in happened or ("owner" in happened and not self.listen()):
                    return self.finish()
                self.look()

    def next_look(self) -> float | None:
        """How long nothing has to be done; None when there is nothing to guard."""
        if any(run.is_ending() for run in self.runs.values()):
            return LOOK_SECONDS
        if not self.runs:
            return None
        renewal = self.renewal if self.renewing is None else self.renewing.deadline
        first = min(renewal, *(run.end for run in self.runs.values()))
        return max(0.0, first - clock())

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
            if not self.runs and self.renewal:
                self.renewal = clock() + RENEW_SECONDS
            # The very first time it is renewed at once, to hear in good time where that is done.
            self.runs[order["run"]] = GuardedRun(
                order["run"], order["process_id"], order["grace_seconds"]
            )
        elif "ended" in order:
            self.runs.pop(order["ended"], None)
        elif "ping" in order:
            answer = {"pong": order["ping"]}
            with suppress(ConnectionError):  # gone since it asked, as the next look will show
                self.connection.sendall(json.dumps(answer).encode() + b"\n")

    def look(self) -> None:
        """Renew the lease when it is time, and end what may not go on."""
        if self.renewing is not None and self.renewing.is_over():
            again = RENEW_SECONDS if self.end_renewal(self.renewing) else RETRY_SECONDS
            self.renewal = self.renewing.asked + again
            self.renewing = None
        if self.runs and self.renewing is None and clock() >= self.renewal:
            self.begin_renewal()
        for run in self.runs.values():
            if run.is_over():
                run.begin_end()
        over = {name: run for name, run in self.runs.items() if run.is_ended()}
        if over:
            self.report(over)
            for name in over:
                del self.runs[name]

    def begin_renewal(self) -> None:
        """Ask for the lease of the runs whose process lives."""
        self.renewed = {name: run for name, run in self.runs.items() if run.tree.is_alive()}
        alive = list(self.renewed)
        self.renewing = Question(lambda: self.lease.renew(alive), self.told)

    def end_renewal(self, question: Question[set[str]]) -> bool:
        """Do what the gateway has answered; False when it has to be asked again."""
        try:
            stop = question.answer()
        except Lost:
            # Nobody can end the runs in the database either while it does not answer.
            stop = set()
        except Unreachable as error:
            say(f"The lease was not renewed: {error}")
            return False
        except Refused as error:
            # Not asked for again before its time: the runs end when their lease does.
            say(f"The lease was refused: {error}")
            return True
        frozen = any(is_frozen(process_id) for process_id in self.watched)
        for name, run in self.renewed.items():
            run.renew(question.asked)
            if name in stop:
                run.refuse(at_once=frozen)
        return True

    def report(self, runs: dict[str, GuardedRun]) -> None:
        """Tell the gateway that the processes of these runs are gone, once."""
        gone = {name: run.process_id for name, run in runs.items()}

        def tell() -> None:
            try:
                self.lease.gone(gone)
            except (Unreachable, Refused) as error:
                # Their lease runs out, which says the same later.
                say(f"The end of runs was not reported: {error}")

        self.reports = [report for report in self.reports if not report.is_over()]
        self.reports.append(Question(tell, self.told))

    def finish(self) -> None:
        """End every run that is left, and tell the gateway until it has understood.

        Of a run that had ended before, its own report or its lease tells.
        """
        # An owner that is gone may have told of runs that nobody has listened to yet.
        while select.select([self.connection], [], [], 0)[0] and self.listen():
            pass
        living = {name: run for name, run in self.runs.items() if run.tree.is_alive()}
        for run in self.runs.values():
            run.begin_end()
        for run in self.runs.values():
            run.wait_ended()
        for report in self.reports:
            report.wait()
        end = clock() + REPORT_SECONDS
        while living and clock() < end:
            try:
                self.lease.gone({name: run.process_id for name, run in living.items()})
            except Refused as error:
                say(f"The end of runs was refused: {error}")
                return
            except Unreachable:
                time.sleep(RETRY_SECONDS)
            else:
                return


def say(message: str) -> None:
    """Write a line of the log, in the form of all others."""
    if os.environ.get("PREFECT_PHANTOM_LOG_FORMAT") == "json":
        line = {"time": datetime.now(UTC).isoformat(), "level": "WARNING", "message": message}
        message = json.dumps({**line, "logger": "guardian", "process_id": os.getpid()})
    said = f"{message}\n".encode()[:LONGEST_LINE]
    # A log that cannot be written, or that nobody reads, is no reason to leave the runs alone.
    with suppress(OSError, ValueError):
        if select.select([], [sys.stderr], [], 0)[1]:
            os.write(sys.stderr.fileno(), said)


def main(descriptor: int) -> None:
    """Guard until the owner, at the other side of the socket `descriptor`, is gone."""
    # It ends when what it guards for does, and not before.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    with connection.makefile("rb", buffering=0) as lines:
        orders = json.loads(lines.readline())
    Guardian(connection, orders).guard()
