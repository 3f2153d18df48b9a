"""The list of the lines of a run's log."""

from __future__ import annotations

from sqlalchemy import Text, cast

from prefect_phantom.adapters.store.listing.field import integer, reference, text, time
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.tables import run_log

RUN_LOG = Resource(
    name="log",
    source=run_log,
    thing="Line",
    title=lambda row: cast(row.c.id, Text),
    fields={
        "id": integer("id"),
        "time": time("time"),
        "message_type": integer("message_type"),
        "message": text("message"),
        "playbook_run": reference("playbook_run_id", "playbook_run"),
    },
)
