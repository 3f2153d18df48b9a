"""The signals that mean stop."""

from __future__ import annotations

import asyncio
import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Ctrl-C, ``kill``, a terminal that is closed, and Ctrl-\\."""


def stop_event() -> asyncio.Event:
    """An event that the first of them sets; further ones change nothing.

    One that was ignored when the process began stays so, such as SIGHUP under ``nohup``.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
    return stop
