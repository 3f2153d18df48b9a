"""The end of the process that started this one, as the end of a pipe that only it can write to.

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

PIPES = "PREFECT_PHANTOM_PARENT_PIPES"
"""Variable with two descriptors: the parent's pipe, and one that is held open by it and by every
part that still needs this process."""
FOLLOWERS_SECONDS = 30.0
"""How long after its parent's end a process goes on for those that need it."""
STOP_SECONDS = 15.0
"""A process that has not stopped by then is killed."""


def stop_after_parent(
    stop: Callable[[], object] | None = None, seconds: float = STOP_SECONDS
) -> None:
    """Once the parent and all that need this process have ended, call `stop`; soon after, kill it.

    `stop` is called in a thread, and without it SIGTERM is sent. Where no parent has left a pipe,
    nothing is done.
    """
    pipes = _pipes()
    if pipes is None:
        return
    stop = stop or (lambda: os.kill(os.getpid(), signal.SIGTERM))
    arguments = (*pipes, stop, seconds)
    threading.Thread(target=_follow, args=arguments, name="parent", daemon=True).start()


def _pipes() -> tuple[int, int] | None:
    """The two descriptors, if they came along: the variable alone may have been copied."""
    text = os.environ.pop(PIPES, "")
    try:
        parent, followers = map(int, text.split(","))
        if not all(stat.S_ISFIFO(os.fstat(each).st_mode) for each in (parent, followers)):
            return None
    except (ValueError, OSError):
        return None
    for descriptor in (parent, followers):
        os.set_inheritable(descriptor, False)
    return parent, followers


def _follow(parent: int, followers: int, stop: Callable[[], object], seconds: float) -> None:
    os.read(parent, 1)  # nobody ever writes
    select.select([followers], [], [], FOLLOWERS_SECONDS)
    stop()
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)
