"""What a run logs and prints, kept for the gateway, where callers read it as the run's log."""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypedDict

from prefect_phantom.flows.inside.log.log_format import message_of
from prefect_phantom.flows.inside.secrets.redaction import Redaction

LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
"""Where Prefect's run logger, and so what is printed, ends up."""
SECONDS = 1.0
"""How long lines of a run that goes on are kept, to be sent together."""
MOST_LINES = 10_000
MOST_IN_A_BATCH = 1_000
LONGEST_LINE = 10_000
MOST_CHARACTERS = 2_000_000
TOO_MUCH = "The log ends here: a run keeps 10,000 lines or 2 million characters"
ERROR, DEBUG = 0, 1
"""The contract's `message_type`."""


class Line(TypedDict):
    """A line as the runtime API takes it; `place` is its number in this attempt."""

    place: int
    time: str
    message_type: int
    message: str


class RunLog(logging.Handler):
    """Keeps the lines of one run until they have been sent, without secrets of its assets.

    A short run sends them with its end. Those of a long one go every second, by a timer that there
    is only while lines wait: `send` takes a batch and returns whether the gateway has it.

    An error that a playbook logs is one (`message_type` 0). What an action logs never is: a failed
    action that the playbook copes with is no error of the run. `redaction` gives what takes the
    secrets that the run has read so far out of a line.
    """

    def __init__(
        self,
        send: Callable[[list[Line]], bool],
        redaction: Callable[[], Redaction] = lambda: Redaction(()),
    ) -> None:
        super().__init__()
        self._send = send
        self._redaction = redaction
        self._process_id = os.getpid()
        self._kept: list[Line] = []
        self._place = self._characters = 0
        self._full = self._closed = False
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()
        self._sending = threading.Lock()

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Keep what is logged within this block."""
        loggers = [logging.getLogger(name) for name in LOGGERS]
        for logger in loggers:
            logger.addHandler(self)
            logger.addFilter(self._redact)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(self._redact)
                logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, unless Prefect's engine says it, which logs each state of each task."""
        if record.module.endswith("engine") or os.getpid() != self._process_id:
            return
        is_error = record.levelno >= logging.ERROR and record.name == LOGGERS[0]
        self._add(ERROR if is_error else DEBUG, message_of(record), record.created)

    def _redact(self, record: logging.LogRecord) -> bool:
        """Take secrets out of a record, before Prefect's handlers see it, too."""
        redaction = self._redaction()
        said = message_of(record)
        if record.exc_info and record.exc_info[1] and redaction.in_traceback(record.exc_info[1]):
            said += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
            record.exc_info = record.exc_text = None
        record.msg, record.args = redaction.text(said), None
        return True

    def add_exception(self, error: BaseException) -> None:
        """Keep the traceback of the exception that ends the run."""
        text = self._redaction().text("".join(traceback.format_exception(error)))
        # The end says what happened.
        shown = text if len(text) <= LONGEST_LINE else f"...{text[3 - LONGEST_LINE :]}"
        with self._guard:
            self._keep(ERROR, shown, time.time())

    def rest(self) -> list[Line]:
        """What the gateway may not have yet, to be sent with the run's end. Nothing follows it."""
        with self._sending, self._guard:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            return self._kept

    def _add(self, message_type: int, message: str, seconds: float) -> None:
        message = message[:LONGEST_LINE]
        with self._guard:
            if self._closed or self._full:
                return
            self._characters += len(message)
            self._full = self._place >= MOST_LINES or self._characters > MOST_CHARACTERS
            self._keep(message_type, TOO_MUCH if self._full else message, seconds)
            if self._timer is None:
                self._start_timer()

    def _keep(self, message_type: int, message: str, seconds: float) -> None:
        self._place += 1
        stamp = datetime.fromtimestamp(seconds, UTC).isoformat()
        self._kept.append(
            {
                "place": self._place,
                "time": stamp,
                "message_type": message_type,
                "message": message,
            }
        )

    def _start_timer(self) -> None:
        self._timer = threading.Timer(SECONDS, self._send_some)
        self._timer.daemon = True
        self._timer.start()

    def _send_some(self) -> None:
        with self._sending:
            with self._guard:
                batch = [] if self._closed else self._kept[:MOST_IN_A_BATCH]
            taken = not batch or self._send(batch)
            with self._guard:
                if taken:
                    del self._kept[: len(batch)]
                self._timer = None
                if self._kept and not self._closed:
                    self._start_timer()
