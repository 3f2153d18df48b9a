"""What workers say of themselves and of the playbooks that they have. Times are UTC."""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, ForeignKey, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from prefect_phantom.adapters.store.tables.columns import (
    flag,
    identifier,
    json,
    metadata,
    time,
    words,
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("work_pool", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("taken", Integer, nullable=False),
    Column("start_time", DateTime(timezone=True), nullable=False),
    time("seen_time"),
)
"""What each worker last said of itself. ``taken`` of its ``slots`` are in use; ``version`` is that
of our program; ``start_time`` is by the worker's clock, ``seen_time`` by the database's."""

worker_names = Table(
    "worker_names",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Uuid, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("process_id", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("connection", Uuid, nullable=False),
    Column("held_until", DateTime(timezone=True), nullable=False),
    Column("refused_hostname", Text),
    Column("refused_time", DateTime(timezone=True)),
)
"""Which worker has which name, by which connection, and where another of that name was last
refused. ``process`` says which process of which machine it is, for workers beside it."""

playbook_reports = Table(
    "playbook_reports",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    flag("lasting"),
    json("empty_folders", "[]"),
    flag("holds"),
    time("report_time"),
    time("seen_time"),
    Column("app_secrets", JSONB(none_as_null=True)),
)
"""What each worker has found. ``report_time`` is since when it has these contents, ``seen_time``
when it last said so; one that is ``lasting`` says so once. ``holds`` marks what ``playbooks`` was
made of. ``app_secrets`` is ``{app: [setting]}``, what the apps there declare secret, and
null until the worker has said so."""

reported_playbooks = Table(
    "reported_playbooks",
    metadata,
    identifier(),
    Column(
        "worker", Text, ForeignKey("playbook_reports.worker", ondelete="CASCADE"), nullable=False
    ),
    Column("repository", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("folder", Text),
    Column("entrypoint", Text, nullable=False),
    Column("digest", Text, nullable=False),
    words("error"),
    Column("description", JSON, nullable=False),
    Index(None, "worker", "repository", "name"),
)
"""The playbooks of a report, and its files that do not import, each as its worker describes it,
with the fields that it asks for in their order."""
