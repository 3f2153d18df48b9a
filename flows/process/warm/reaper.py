"""What processes are to each other: parent of what was left, or known by their name."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

SET_NAME = 15
SET_CHILD_SUBREAPER = 36
_KEPT: list[Callable[[], None]] = []


def keep_until_end(end: Callable[[], None]) -> None:
    """Have `end` called when a run has ended: it ends what was kept running for it."""
    _KEPT.append(end)


def end_kept() -> None:
    """End what was kept running for the run."""
    for end in _KEPT:
        end()


def become_reaper() -> None:
    """Become the parent of whatever descendant loses its own."""
    _control(SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """Give this process, and whatever it forks from now on, a name of at most 15 bytes."""
    _control(SET_NAME, ctypes.c_char_p(name.encode()))


def _control(option: int, value: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def has_children() -> bool:
    """Whether a child of this process is alive. Those that have ended are collected."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True
