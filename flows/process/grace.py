"""The grace of a run: the time between being asked to end and being made to."""

from __future__ import annotations

import os

GRACE_SECONDS = 5.0
"""Unless a setting, a pool or a deployment says another. Prefect's own process worker has 30 s."""
VARIABLE = "PREFECT_PHANTOM_GRACE_SECONDS"


def told_grace_seconds() -> float:
    """The grace that this process was started with."""
    return float(os.environ.get(VARIABLE, GRACE_SECONDS))
