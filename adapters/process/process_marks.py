"""By what a process is known later: variables that whatever it starts inherits.

Only root sees the environment of a process that is not dumpable. So those are started with the same
marks as options of the interpreter, which everybody sees and what they fork has too.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import psutil

from prefect_phantom.flows.process.undumpable import SOUGHT

HOME_VARIABLE = "PREFECT_PHANTOM_HOME"
PART_VARIABLE, WORKER_VARIABLE = SOUGHT
"""Of a part of `up`, set by the supervisor alone, since users export `HOME_VARIABLE`. Of all that a
worker started, its name in its installation."""
MARKS = (HOME_VARIABLE, PART_VARIABLE, WORKER_VARIABLE)
OPTION = "-X"


def options(environment: Mapping[str, str]) -> list[str]:
    """The marks of an environment as options of the interpreter, which makes nothing of them."""
    marks = [f"{name}={environment[name]}" for name in MARKS if name in environment]
    return [word for mark in marks for word in (OPTION, mark)]


def environment_of(process: psutil.Process) -> dict[str, str]:
    """What a process was started with; of one that is closed to us, its marks alone.

    Raises:
        psutil.Error: it has ended, or is another user's.

    """
    try:
        return process.environ()
    except psutil.AccessDenied:
        words = process.cmdline()
        marks = (word for option, word in pairwise(words) if option == OPTION)
        return dict(mark.split("=", 1) for mark in marks if mark.startswith(MARKS) and "=" in mark)
