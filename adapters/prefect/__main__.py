"""Prefect's own command line, as our parts start it: ``server start`` and ``worker start``.

Either ends with whoever started it. The server has a garbage collector that leaves its code alone:
what importing it makes, some 300,000 objects, is there for good, yet each full collection would
look at all of it, for 0.2 s in which the server answers nobody: a tenth of its time under load. A
worker is killed with its parent, since the guardian answers for its runs. The process worker gives
each of its runs a ticket, and the runtime key to none.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys

from prefect.cli import app

from prefect_phantom.adapters.process.parent import Parent
from prefect_phantom.flows.process.undumpable import become_undumpable

YOUNG_OBJECTS = 10_000
"""How many objects are made before the young ones are looked at; most are gone by then."""

if __name__ == "__main__":
    become_undumpable()
    if sys.argv[1] == "server":
        Parent().stop_after()
        importlib.import_module("prefect.server.api.server")  # the command would do it in the end
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS)
    else:
        Parent().stop_after(lambda: os.kill(os.getpid(), signal.SIGKILL))
        if "process" in sys.argv:
            importlib.import_module("prefect_phantom.adapters.worker.process_worker").use()
    app()
