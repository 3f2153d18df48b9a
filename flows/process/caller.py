"""Whoever started this program: its end is the end of a pipe that only it can write to."""

from __future__ import annotations

import os
import select
import signal
import sys


def end_with_caller(pipe: int) -> None:
    """Go on in a child that ends, with all it starts, when it is done or `pipe` is at its end.

    This process itself imports nothing of what others have written, so nothing of that can keep it
    from seeing the end. Without threads: whoever goes on may fork.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(pipe)
        return
    ended = os.pidfd_open(child)
    # What it forks and leaves to itself must not keep whoever reads our output waiting.
    os.close(sys.stdout.fileno())
    select.select([pipe, ended], [], [])
    # Before the child is collected, since its number is its group's until then.
    for kill in (os.kill, os.killpg):
        try:
            kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)
