"""How the parts log."""

from __future__ import annotations

import logging

from prefect_phantom.flows.inside.log.log_format import format_all, formatter


def log_to_stderr() -> None:
    """Log from here on; called after the import of Prefect, which sets logging up its own way."""
    # Nothing of this stands in our lines, and there is a line for each request.
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    format_all()
    # One line per request of the Prefect client says nothing that the loops do not say better.
    logging.getLogger("httpx").setLevel(logging.WARNING)
