"""Prefect's own command line, for its server: with a garbage collector that leaves its code alone.

``python -m adapters.prefect server start``. What importing the server makes, some 300,000 objects,
is there for good, yet each full collection would look at all of it, for 0.2 s in which the server
answers nobody: a tenth of its time under load.
"""

from __future__ import annotations

import gc
import importlib

from prefect.cli import app

YOUNG_OBJECTS = 10_000
"""How many objects are made before the young ones are looked at; most are gone by then."""

if __name__ == "__main__":
    importlib.import_module("prefect.server.api.server")  # the command would do it in the end
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    app()
