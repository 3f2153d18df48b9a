"""Prefect's own command line, as our parts start it: ``python -m adapters.prefect server start``.

The server has a garbage collector that leaves its code alone: what importing it makes, some 300,000
objects, is there for good, yet each full collection would look at all of it, for 0.2 s in which the
server answers nobody: a tenth of its time under load. The process worker gives each of its runs a
ticket, and the runtime key to none.
"""

from __future__ import annotations

import gc
import importlib
import sys

from prefect.cli import app

YOUNG_OBJECTS = 10_000
"""How many objects are made before the young ones are looked at; most are gone by then."""

if __name__ == "__main__":
    if sys.argv[1] == "server":
        importlib.import_module("prefect.server.api.server")  # the command would do it in the end
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS)
    elif "process" in sys.argv:
        importlib.import_module("adapters.prefect.process_worker").use()
    app()
