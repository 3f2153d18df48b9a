"""Being the parent of what was left: a worker of its runs, a reused process of what they start."""

from __future__ import annotations

import ctypes
import os

SET_CHILD_SUBREAPER = 36


def become_reaper() -> None:
    """Become the parent of whatever descendant loses its own."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def has_children() -> bool:
    """Whether a child of this process is alive. Those that have ended are collected."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True
