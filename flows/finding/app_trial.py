"""Trying, in a process of its own, what importing an app of others does."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from prefect_phantom.flows.finding.app_places import places

_fork = multiprocessing.get_context("fork")


def refusals(seconds: float) -> dict[str, str]:
    """Why modules that did not ship must not be imported in this process, by their names.

    One that hangs or ends its process would otherwise keep all apps from being described.
    """
    tried = {place.name: _tried(place.load, seconds) for place in places() if not place.shipped}
    return {name: reason for name, reason in tried.items() if reason}


def _tried(load: Callable[[], object], seconds: float) -> str:
    receiver, sender = _fork.Pipe(duplex=False)
    process = _fork.Process(target=_load, args=(load, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            return f"Importing it took longer than {seconds:g} s"
        receiver.recv()
    except EOFError:
        process.join()
        return f"Importing it ended the process with exit code {process.exitcode}"
    else:
        return ""
    finally:
        process.kill()
        process.join()
        receiver.close()


def _load(load: Callable[[], object], sender: Connection) -> None:
    # What it raises is told where it is imported to be used.
    with suppress(Exception, SystemExit):
        load()
    sender.send("back")
