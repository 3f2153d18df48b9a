"""States of a playbook run in SQL, each as the partial index of its name has it.

PostgreSQL uses a partial index where the statement has the index's own words.
"""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import TextClause, text

RUN_STATES: Final = {
    # Its call is to be made in Prefect; the second one is also of runs that are being cancelled.
    "queued": "status = 'running' AND claim_time IS NULL AND flow_run_id IS NULL",
    "not_dispatched": "end_time IS NULL AND claim_time IS NULL AND flow_run_id IS NULL",
    # Given to Prefect, and begun by no process yet.
    "waiting": "status = 'running' AND claim_time IS NULL AND dispatch_time IS NOT NULL",
    # A process has it.
    "held": "end_time IS NULL AND claim_id IS NOT NULL",
}
"""What is true of the rows of ``playbook_runs`` in a state."""


def run_statement(sql: str) -> TextClause:
    """A statement in which ``{queued}`` and the like say which state runs are in."""
    return text(re.sub(r"\{(\w+)\}", lambda found: RUN_STATES[found[1]], sql))
