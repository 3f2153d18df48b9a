"""How the parts log."""

from __future__ import annotations

import logging


def log_to_stderr() -> None:
    """Log from here on; called after the import of Prefect, which sets logging up its own way."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # One line per request of the Prefect client says nothing that the loops do not say better.
    logging.getLogger("httpx").setLevel(logging.WARNING)
