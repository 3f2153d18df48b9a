"""Giving way to others of this machine."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

MOST = 19
"""The kernel knows no more."""


def give_way(by: int) -> None:
    """Make this thread, and those that it starts from now on, so much nicer, where that is allowed.

    A service may be kept from it (systemd's ``@resources``), and then works as it is.
    """
    thread = threading.get_native_id()
    with suppress(OSError):
        nice = os.getpriority(os.PRIO_PROCESS, thread) + by
        os.setpriority(os.PRIO_PROCESS, thread, min(nice, MOST))
