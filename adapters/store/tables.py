"""Every table, as the migrations leave it. Times are UTC; ids are integers, as callers expect."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(), primary_key=True)


def _reference(name: str, target: str, *, null: bool = False, cascade: bool = False) -> Column[int]:
    key = ForeignKey(target, onupdate="CASCADE", ondelete="CASCADE" if cascade else None)
    return Column(name, BigInteger, key, nullable=null)


def _time(name: str, *, now: bool = True) -> Column[datetime]:
    if now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
    return Column(name, DateTime(timezone=True), nullable=True)


def _text(name: str, default: str | None = "") -> Column[str]:
    return Column(
        name,
        Text,
        nullable=default is None,
        server_default=None if default is None else text(f"'{default}'"),
    )


def _flag(name: str, *, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def _number(name: str, default: int) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text(str(default)))


def _json(name: str, default: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=text(where))


users = Table(
    "users",
    metadata,
    _id(),
    Column("username", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False, server_default=text("'normal'")),
    Column("password_hash", Text),
    _flag("administrator"),
    _flag("disabled"),
    _time("create_time"),
    Column("allowed_ips", ARRAY(Text)),
    CheckConstraint("type IN ('normal', 'automation')", name="type"),
)
"""People (``normal``, with an argon2 password) and programs (``automation``, with tokens).

``allowed_ips`` are networks from which the user may call; null is any. ``administrator`` is kept
by a trigger, for gateways of a version without roles.
"""

roles = Table(
    "roles",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("description"),
    Column("permissions", ARRAY(Text), nullable=False),
    _flag("immutable"),
    _time("create_time"),
)
"""Named sets of permissions. Those that are shipped are ``immutable``."""

user_roles = Table(
    "user_roles",
    metadata,
    Column(
        "user_id",
        BigInteger,
        ForeignKey("users.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    ),
    Column(
        "role_id",
        BigInteger,
        ForeignKey("roles.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    ),
    Index(None, "role_id"),
)
"""Who has which roles. A user may do what any of them permits."""

audit = Table(
    "audit",
    metadata,
    _id(),
    _time("time"),
    Column("user_id", BigInteger),
    Column("ip_address", Text),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("object_id", BigInteger),
    Column("status", Integer, nullable=False),
    _text("message"),
    Index(None, "time", postgresql_using="brin"),
)
"""Changes and requests for runs, and what was refused. A trigger refuses any change of a row.

It refers to no other table: it says what was so, whatever becomes of that later.
"""

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _reference("user_id", "users.id", cascade=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    _time("create_time"),
    _time("expire_time", now=False),
)
"""SHA-256 of each 256-bit token; the token itself is shown once and never stored."""

containers = Table(
    "containers",
    metadata,
    _id(),
    _text("name"),
    _text("label"),
    Column("description", Text),
    _text("status", "new"),
    _text("severity", "medium"),
    _text("sensitivity", "amber"),
    _text("container_type", "default"),
    Column("source_data_identifier", Text, nullable=False, unique=True),
    Column("external_id", Text),
    Column("kill_chain", Text),
    _reference("owner_id", "users.id", null=True),
    _json("tags", "[]"),
    _json("custom_fields", "{}"),
    _json("data", "{}"),
    Column("hash", Text, nullable=False),
    _time("create_time"),
    _time("start_time"),
    _time("end_time", now=False),
    _time("due_time", now=False),
    _time("open_time", now=False),
    _time("close_time", now=False),
    _time("artifact_update_time"),
    _time("container_update_time"),
    _number("version", 1),
    Index(None, "hash"),
    *(Index(None, name, "id") for name in ("label", "status", "owner_id", "create_time")),
)

artifacts = Table(
    "artifacts",
    metadata,
    _id(),
    _reference("container_id", "containers.id", cascade=True),
    _text("name"),
    _text("label"),
    Column("type", Text),
    Column("description", Text),
    _text("severity", "medium"),
    Column("source_data_identifier", Text, nullable=False),
    Column("external_id", Text),
    Column("kill_chain", Text),
    _reference("owner_id", "users.id", null=True),
    _json("cef", "{}"),
    _json("cef_types", "{}"),
    _json("data", "{}"),
    _json("tags", "[]"),
    Column("hash", Text, nullable=False),
    _time("create_time"),
    _time("start_time"),
    _time("end_time", now=False),
    _time("update_time"),
    _number("version", 1),
    UniqueConstraint("container_id", "source_data_identifier"),
    Index(None, "container_id", "id"),
    Index(None, "hash"),
    Index(None, "source_data_identifier"),
    Index(None, "cef", postgresql_using="gin", postgresql_ops={"cef": "jsonb_path_ops"}),
)

playbooks = Table(
    "playbooks",
    metadata,
    _id(),
    Column("repository", Text, nullable=False),
    Column("name", Text, nullable=False),
    _text("description"),
    _text("category"),
    _json("labels", "[]"),
    _json("tags", "[]"),
    _flag("active"),
    _flag("disabled"),
    _flag("restartable"),
    _text("playbook_type", "automation"),
    Column("folder", Text),
    Column("entrypoint", Text),
    _json("parameter_schema", "{}"),
    _text("error"),
    Column("deployment_id", Uuid, unique=True),
    _text("registered_digest"),
    _time("create_time"),
    _time("update_time"),
    _number("version", 1),
    _text("isolation", "fork"),
    _text("registered_isolation"),
    UniqueConstraint("repository", "name"),
    CheckConstraint("name !~ '^[0-9]+$'", name="name_not_a_number"),
    CheckConstraint("isolation IN ('fork', 'reused')", name="isolation"),
)
"""What was found in the repositories. ``error`` is not empty for one that does not import."""

repositories = Table(
    "repositories",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
)
"""The repositories that playbooks were ever found in, with ids for callers to filter by."""

assets = Table(
    "assets",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("app", Text, nullable=False),
    _text("description"),
    _json("settings", "{}"),
    _flag("disabled"),
    _time("create_time"),
    _time("update_time"),
    _number("version", 1),
    Index(None, "app"),
)
"""Settings of an app for one target, such as host and port of a WHOIS server."""

playbook_runs = Table(
    "playbook_runs",
    metadata,
    _id(),
    _reference("playbook_id", "playbooks.id"),
    _reference("container_id", "containers.id"),
    _reference("owner_id", "users.id", null=True),
    _reference("effective_user_id", "users.id", null=True),
    _reference("parent_run_id", "playbook_runs.id", null=True),
    # What it was asked to do.
    Column("scope", Text, nullable=False),
    Column("scope_artifact_ids", ARRAY(BigInteger)),
    Column("after_artifact", BigInteger, nullable=False, server_default=text("0")),
    Column("last_artifact", BigInteger, nullable=False, server_default=text("0")),
    Column("inputs", JSON(none_as_null=True)),
    Column("ip_address", Text),
    _number("log_level", 1),
    _flag("test_mode"),
    _number("version", 1),
    # What became of it.
    _text("status", "running"),
    _text("message"),
    Column("result", JSON),
    Column("outputs", JSON),
    _text("cancelled"),
    _time("start_time"),
    _time("update_time"),
    _time("end_time", now=False),
    _time("cancel_time", now=False),
    _reference("cancelled_by_id", "users.id", null=True),
    # Its way through Prefect.
    Column(
        "dispatch_key", Uuid, nullable=False, unique=True, server_default=func.gen_random_uuid()
    ),
    _time("queue_time"),
    _time("dispatch_time", now=False),
    Column("flow_run_id", Uuid, unique=True),
    _flag("settled"),
    # The attempt that holds it.
    _number("attempt", 0),
    Column("claim_id", Uuid),
    Column("attempt_token_hash", LargeBinary, unique=True),
    _time("claim_time", now=False),
    _time("lease_expire_time", now=False),
    _flag("restarting"),
    Column("worker", Text),
    Column("hostname", Text),
    Column("process_id", Integer),
    Column("process_start", Float),
    CheckConstraint("status IN ('running', 'success', 'failed')", name="status"),
    CheckConstraint("scope IN ('all', 'new', 'artifacts')", name="scope"),
    Index("ix_playbook_runs_mark", "container_id", "playbook_id", "last_artifact"),
    Index(None, "playbook_id"),
    _partial(
        "ix_playbook_runs_queue",
        *("queue_time", "id"),
        where="status = 'running' AND claim_time IS NULL AND flow_run_id IS NULL",
    ),
    _partial(
        "ix_playbook_runs_standing",
        "dispatch_time",
        where="status = 'running' AND claim_time IS NULL AND dispatch_time IS NOT NULL",
    ),
    _partial("ix_playbook_runs_unsettled", "id", where="NOT settled"),
    _partial("ix_playbook_runs_held", "worker", where="end_time IS NULL AND claim_id IS NOT NULL"),
    # What lists are filtered and sorted by.
    Index("ix_playbook_runs_container_status_time", "container_id", "status", "start_time", "id"),
    Index(None, "start_time", "id"),
    _partial("ix_playbook_runs_not_success", "status", "id", where="status <> 'success'"),
    _partial(
        "ix_playbook_runs_parent_run_id",
        *("parent_run_id", "id"),
        where="parent_run_id IS NOT NULL",
    ),
)
"""One row per run, whichever way it began. The row is the truth; Prefect is one witness.

- queued: ``flow_run_id`` and ``dispatch_time`` are null; the earliest ``queue_time`` is next
- being created in Prefect: ``dispatch_time`` is set, ``flow_run_id`` is null
- in Prefect, not started: ``claim_time`` is null
- running: ``claim_id`` names the process that holds it, ``attempt`` is its fencing number
- restarting: its worker was gone, and Prefect has yet to schedule it again
- cancel under way: ``cancel_time`` and ``cancelled`` are set, ``status`` still running
- final: ``end_time`` is set; a trigger refuses any further change of what callers see
- settled: Prefect has been brought to, or seen in, a final state as well
"""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("playbook_run_id", BigInteger),
    _time("create_time"),
    Index(None, "create_time"),
)
"""Which run a caller's key got. ``playbook_run_id`` is null only within the transaction that makes
the row; it is the answer that was given, whatever becomes of the run, so it refers to no row."""

dispatch_status = Table(
    "dispatch_status",
    metadata,
    Column("work_pool", Text, primary_key=True),
    Column("workers", Integer),
    Column("slots", Integer),
    _flag("paused"),
    _time("unreachable_time", now=False),
)
"""What Prefect last said of a work pool: its online workers and its slots (null: no limit), and
since when Prefect has not answered (null: it does). Written only when something has changed."""

action_runs = Table(
    "action_runs",
    metadata,
    _id(),
    _reference("playbook_run_id", "playbook_runs.id", cascade=True),
    _reference("container_id", "containers.id"),
    Column("start_key", Uuid, nullable=False, unique=True),
    _number("attempt", 1),
    Column("name", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("app", Text, nullable=False),
    _text("type", "generic"),
    _text("status", "running"),
    _text("message"),
    _time("create_time"),
    _time("close_time", now=False),
    _number("version", 1),
    CheckConstraint("status IN ('running', 'success', 'failed')", name="status"),
    Index(None, "playbook_run_id", "id"),
    Index(None, "container_id", "id"),
    Index(None, "create_time", "id"),
)
"""One per call of an action, or per map of it."""

app_runs = Table(
    "app_runs",
    metadata,
    _id(),
    _reference("action_run_id", "action_runs.id", cascade=True),
    _reference("playbook_run_id", "playbook_runs.id", cascade=True),
    _reference("container_id", "containers.id"),
    _reference("asset_id", "assets.id", null=True),
    Column("asset_name", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("action", Text, nullable=False),
    _text("status", "running"),
    _text("message"),
    _flag("exception_occured"),
    Column("entries", JSON, nullable=False, server_default=text("'[]'::json")),
    Column("result_data", JSON, nullable=False, server_default=text("'[]'::json")),
    _time("start_time"),
    _time("end_time", now=False),
    _number("version", 1),
    CheckConstraint("status IN ('running', 'success', 'failed')", name="status"),
    Index(None, "action_run_id", "id"),
    Index(None, "playbook_run_id"),
    Index(None, "container_id", "id"),
)
"""One per asset of an action run. ``entries`` is ``[{parameter, status, message}]``, one per
parameter set; ``result_data`` adds ``data`` and ``summary`` and may be large."""

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
    _time("seen_time"),
)
"""What each worker last said of itself. ``taken`` of its ``slots`` are in use; ``version`` is that
of our program; ``start_time`` is by the worker's clock, ``seen_time`` by the database's."""

run_log = Table(
    "run_log",
    metadata,
    _id(),
    _reference("playbook_run_id", "playbook_runs.id", cascade=True),
    _time("time"),
    _number("message_type", 1),
    Column("message", Text, nullable=False),
    Column("attempt", Integer),
    Column("place", Integer),
    UniqueConstraint("playbook_run_id", "attempt", "place"),
    Index(None, "playbook_run_id", "id"),
)
"""Lines of a run's log; ``message_type`` 0 is an error, 1 is debug, as published clients read.
``place`` counts the lines of an attempt, so that one that is sent again is known; a line that the
gateway writes has none."""
