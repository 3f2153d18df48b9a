"""A time limit that also ends what waits in a system call."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from prefect.utilities.timeout import timeout

from prefect_phantom.flows.failure import TimedOut

SIGNAL = signal.SIGVTALRM
"""Not SIGALRM: Prefect uses that for the time limits of tasks, and could not while we do."""


@contextmanager
def time_limit(seconds: float | None, sentence: str) -> Iterator[None]:
    """Raise `TimedOut` with `sentence` inside a block that takes longer than `seconds`.

    In the main thread a signal interrupts what waits. In any other the block is left as soon as it
    does something again. Blocks may stand in each other.
    """
    if seconds is None:
        yield
    elif threading.current_thread() is threading.main_thread():
        with _by_signal(seconds, sentence):
            yield
    else:
        try:
            with timeout(seconds, TimedOut):
                yield
        except TimedOut as error:
            raise TimedOut(sentence) from error


@contextmanager
def _by_signal(seconds: float, sentence: str) -> Iterator[None]:
    deadline = time.monotonic() + seconds

    def expire(number: int, frame: FrameType | None) -> None:
        if time.monotonic() >= deadline:
            # Here too: this may come so late in the block that nothing below is reached.
            signal.signal(SIGNAL, before)
            raise TimedOut(sentence)
        if callable(before):
            before(number, frame)  # the block around this one

    before = signal.signal(SIGNAL, expire)
    process_thread = threading.main_thread().ident or 0
    timer = threading.Timer(seconds, signal.pthread_kill, (process_thread, SIGNAL))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        try:
            timer.cancel()
            timer.join()  # or its signal might find the handler gone, and end the process
        finally:
            signal.signal(SIGNAL, before)
