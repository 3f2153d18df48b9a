"""Tables of Prefect's work queues, as far as their rules hold for runs that wait here."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from prefect_phantom.adapters.store.tables.columns import flag, identifier, metadata, time, words

work_queues = Table(
    "work_queues",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("work_pool", Text, nullable=False),
    Column("name", Text, nullable=False),
    words("rule"),
    Column("room", Integer),
    flag("asks"),
    flag("paused"),
)
"""What Prefect last said. ``rule`` is why nothing of it may start now, in a sentence, or empty;
``room`` is how many more may (null: no limit); with ``asks``, Prefect is asked for each start."""

work_queue_pauses = Table(
    "work_queue_pauses",
    metadata,
    identifier(),
    Column("work_queue_id", Uuid, nullable=False),
    time("begin_time"),
    time("end_time", now=False),
    Index("ix_work_queue_pauses_work_queue_id", "work_queue_id"),
    Index(
        "ix_work_queue_pauses_open",
        "work_queue_id",
        unique=True,
        postgresql_where=text("end_time IS NULL"),
    ),
)
"""When nothing of a work queue could start because somebody had paused it, or its pool."""

former_work_queues = Table(
    "former_work_queues",
    metadata,
    Column(
        "playbook_id",
        BigInteger,
        ForeignKey("playbooks.id", onupdate="CASCADE", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("work_queue_id", Uuid, nullable=False),
    Column("end_time", DateTime(timezone=True), server_default=func.now(), primary_key=True),
)
"""Work queues that a playbook was in, each until ``end_time`` and since that of the one before."""
