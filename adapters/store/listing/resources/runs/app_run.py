"""What is listed of app runs: fields and order of a recorded one.

`exception_occured` is the vendor's own spelling. `result_data` may be large: it is expensive.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Text, cast, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    boolean,
    column,
    constant,
    document,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.tables import app_runs, assets


def _summary(row: FromClause) -> ColumnElement[Any]:
    """How many sets of parameters there were, and how many of them succeeded."""
    entries = func.json_array_elements(row.c.entries).table_valued("value").alias("entry")
    succeeded: ColumnElement[bool] = literal_column("entry.value ->> 'status' = 'success'")
    total = func.count().label("total")
    counts = select(total, func.count().filter(succeeded).label("successful")).select_from(entries)
    counted = counts.correlate(row).lateral("counted")
    summary = func.jsonb_build_object(
        *(literal("total_objects", Text), counted.c.total),
        *(literal("total_objects_successful", Text), counted.c.successful),
        type_=JSONB(),
    )
    return select(summary).select_from(counted).scalar_subquery()


APP_RUN = Resource(
    name="app_run",
    source=app_runs,
    thing="App run",
    title=lambda row: cast(row.c.id, Text),
    fields={
        "status": text("status"),
        "node_guid": constant(Kind.TEXT),
        "action_run": reference("action_run_id", "action_run"),
        "extra_data": constant(Kind.JSON, []),
        "container": reference("container_id", "container"),
        "app_name": text("app"),
        "start_time": time("start_time"),
        "app": constant(Kind.INTEGER),
        "effective_user": constant(Kind.INTEGER),
        "result_data": document("result_data", expensive=True),
        "playbook_run": reference("playbook_run_id", "playbook_run"),
        "asset": integer("asset_id"),
        "version": integer("version"),
        "action": text("action"),
        "result_summary": Field(Kind.JSON, _summary),
        "message": text("message"),
        "app_version": constant(Kind.TEXT),
        "exception_occured": boolean("exception_occured"),
        "id": integer("id"),
        "end_time": time("end_time"),
    },
    pretty={
        "app": column("app"),
        "asset": lambda row: (
            select(assets.c.name).where(assets.c.id == row.c.asset_id).scalar_subquery()
        ),
    },
)
