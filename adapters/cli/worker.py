"""``worker``: that part alone, as `up` starts it."""

from __future__ import annotations

import asyncio
import sys

from adapters.cli.log import log_to_stderr
from adapters.prefect.worker import run_worker
from adapters.settings import Settings


def worker() -> None:
    """Run playbooks; settings come from the environment."""
    log_to_stderr()
    sys.exit(asyncio.run(run_worker(Settings())))
