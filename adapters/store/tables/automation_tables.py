"""The tables of what starts by itself and of what runs write, as the migrations leave them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from prefect_phantom.adapters.store.tables.columns import metadata, time

case_changes = Table(
    "case_changes",
    metadata,
    Column(
        "playbook_run_id",
        BigInteger,
        ForeignKey("playbook_runs.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    ),
    Column("key", Uuid, primary_key=True),
    Column("object_id", BigInteger, nullable=False),
    time("create_time"),
)
"""What runs have changed, by the key that the run gave the change: one that is asked for again is
answered with the id that it made, and not made again."""

scheduled_starts = Table(
    "scheduled_starts",
    metadata,
    Column("flow_run_id", Uuid, primary_key=True),
    Column(
        "playbook_run_ids",
        ARRAY(BigInteger),
        nullable=False,
        server_default=text("'{}'::bigint[]"),
    ),
    time("create_time"),
    Index(None, "create_time"),
)
"""Which runs a flow run of ``for_each_container`` started, so that it starts none twice."""
