"""The process that started this one: its end is the end of a pipe that only it can write to.

The kernel closes the pipe whatever the parent died of, SIGKILL included.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress

PIPES = "PREFECT_PHANTOM_PARENT_PIPES"
"""Variable with three descriptors: the parent's pipe; one that is held open by it and by every part
that still needs this process; and one to say over that this process is ready."""
FOLLOWERS_SECONDS = 30.0
"""How long after its parent's end a process goes on for those that need it."""
STOP_SECONDS = 15.0
"""A process that has not stopped by then is killed."""


class Parent:
    """Whoever started this process; nobody where it has left no pipes."""

    def __init__(self) -> None:
        self._pipes = _pipes()

    def say_ready(self) -> None:
        """Say that this process does its work from now on: to the parent, and in its log."""
        if self._pipes is not None:
            with suppress(OSError):
                os.write(self._pipes[2], b".")
        print("ready", flush=True)

    def stop_after(
        self, stop: Callable[[], object] | None = None, seconds: float = STOP_SECONDS
    ) -> None:
        """Once the parent and all that need this process have ended, call `stop`; then kill it.

        `stop` is called in a thread, and without it SIGTERM is sent.
        """
        if self._pipes is not None:
            stop = stop or (lambda: os.kill(os.getpid(), signal.SIGTERM))
            arguments = (*self._pipes[:2], stop, seconds)
            threading.Thread(target=_follow, args=arguments, name="parent", daemon=True).start()


def _pipes() -> list[int] | None:
    """The descriptors, if they came along: the variable alone may have been copied."""
    text = os.environ.pop(PIPES, "")
    try:
        pipes = [int(number) for number in text.split(",")]
        if not all(stat.S_ISFIFO(os.fstat(pipe).st_mode) for pipe in pipes):
            return None
        if not all(os.get_inheritable(pipe) for pipe in pipes):  # made here, by us
            return None
    except (ValueError, OSError):
        return None
    for pipe in pipes:
        os.set_inheritable(pipe, False)
    return pipes


def _follow(parent: int, followers: int, stop: Callable[[], object], seconds: float) -> None:
    os.read(parent, 1)  # nobody ever writes
    select.select([followers], [], [], FOLLOWERS_SECONDS)
    stop()
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)
