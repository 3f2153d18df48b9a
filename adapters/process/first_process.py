"""What the first process of a container has to do beside its own work."""

from __future__ import annotations

import os
import signal
import sys

from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS


def leave_first_process() -> None:
    """Go on in a child, if this is the first process of its container; else do nothing.

    The first process becomes the parent of all that lose theirs, and must collect them when they
    end. It stays behind for that, passes signals on to the child, and ends with its exit code. An
    init of Docker's would do the same, and show its environment to everybody of its user.
    """
    if os.getpid() != 1:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    child = os.fork()
    if child:
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if not child:
        return
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            sys.exit(code if code >= 0 else 128 - code)
