"""Whose figures stand side by side."""

from __future__ import annotations

OURS, REUSED, FLOOR = "ours", "ours, reused", "bare floor"
SERVE_10, WORKER_10 = "flow.serve, 10 s poll", "process worker, 10 s poll"
SERVE_1, WORKER_1 = "flow.serve, 1 s poll", "process worker, 1 s poll"

DEFAULT_POLL = (SERVE_10, WORKER_10)
"""Stock Prefect as it is installed. The faster of the two counts."""
SECOND_POLL = (SERVE_1, WORKER_1)
"""Stock Prefect that polls every second. The faster of the two counts."""
STOCK = (*DEFAULT_POLL, *SECOND_POLL)
