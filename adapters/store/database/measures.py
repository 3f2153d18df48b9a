"""How much there is to do: counted as it happens in this process, or read from the tables."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter
from sqlalchemy import text

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import workers
from prefect_phantom.adapters.store.playbooks.workers import KnownWorker

RUNS_ACCEPTED = Counter(
    "prefect_phantom_runs_accepted",
    "Runs stored by this process: asked for over REST, begun in Prefect, or by themselves.",
    ["origin"],
    registry=None,
)
RUNS_ENDED = Counter(
    "prefect_phantom_runs_ended",
    "Runs ended by this process: success, failed or cancelled.",
    ["status"],
    registry=None,
)
for _origin in ("rest", "prefect", "automation"):
    RUNS_ACCEPTED.labels(_origin)
for _status in ("success", "failed", "cancelled"):
    RUNS_ENDED.labels(_status)
"""Both count when the row is written. Should its transaction fail after that, because the database
is lost at its commit, they are one too high."""


def count_end(status: str, cancelled: str) -> None:
    """Count an ended run; `cancelled` is what it says of a cancel, empty for none."""
    RUNS_ENDED.labels("cancelled" if cancelled else status).inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Open runs by where they are, and the workers. A run is in one of the first four."""

    queued: int
    """In our table and not yet in Prefect."""
    waiting: int
    """In Prefect and not started."""
    running: int
    """Held by a process."""
    suspended: int
    """Given back by its process, to be started again."""
    cancelling: int
    """Of all these: a cancel was asked for and is not yet carried out."""
    oldest_seconds: float
    """Age of the oldest run that has not started; 0 when there is none."""
    workers: list[KnownWorker]


# One scan of the partial index of unsettled runs: what has ended and is settled costs nothing.
_OPEN_RUNS = text(
    """
    SELECT count(*) FILTER (WHERE claim_time IS NULL AND flow_run_id IS NULL) AS queued,
           count(*) FILTER (WHERE claim_time IS NULL AND flow_run_id IS NOT NULL) AS waiting,
           count(*) FILTER (WHERE claim_id IS NOT NULL) AS running,
           count(*) FILTER (WHERE claim_id IS NULL AND claim_time IS NOT NULL) AS suspended,
           count(*) FILTER (WHERE cancel_time IS NOT NULL) AS cancelling,
           coalesce(extract(epoch FROM
             now() - min(start_time) FILTER (WHERE claim_time IS NULL)), 0)::float AS oldest_seconds
    FROM playbook_runs WHERE NOT settled AND end_time IS NULL
    """
)


async def read(database: Database) -> Measures:
    """Read them; whichever gateway is asked says the same."""
    async with database.read() as connection:
        row = (await connection.execute(_OPEN_RUNS)).mappings().one()
        return Measures(**row, workers=await workers.read_all(connection))
