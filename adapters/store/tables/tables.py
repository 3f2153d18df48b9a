"""Every table of what is run, as the migrations leave it. Times are UTC; ids are integers."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from prefect_phantom.adapters.store.tables.case_fields import ArtifactFields, ContainerFields
from prefect_phantom.adapters.store.tables.columns import (
    flag,
    identifier,
    json,
    metadata,
    number,
    partial,
    reference,
    time,
    words,
)
from prefect_phantom.adapters.store.tables.run_states import RUN_STATES
from prefect_phantom.adapters.store.tables.written import columns

containers = Table(
    "containers",
    metadata,
    identifier(),
    *columns(ContainerFields),
    Column("hash", Text, nullable=False),
    time("create_time"),
    time("artifact_update_time"),
    time("container_update_time"),
    number("version", 1),
    UniqueConstraint("source_data_identifier"),
    Index(None, "hash"),
    *(Index(None, name, "id") for name in ("label", "status", "owner_id", "create_time")),
)

artifacts = Table(
    "artifacts",
    metadata,
    identifier(),
    reference("container_id", "containers.id", cascade=True),
    *columns(ArtifactFields),
    Column("hash", Text, nullable=False),
    time("create_time"),
    time("update_time"),
    number("version", 1),
    UniqueConstraint("container_id", "source_data_identifier"),
    Index(None, "container_id", "id"),
    Index(None, "hash"),
    Index(None, "source_data_identifier"),
    Index(None, "cef", postgresql_using="gin", postgresql_ops={"cef": "jsonb_path_ops"}),
)

playbooks = Table(
    "playbooks",
    metadata,
    identifier(),
    Column("repository", Text, nullable=False),
    Column("name", Text, nullable=False),
    words("description"),
    words("category"),
    json("labels", "[]"),
    json("tags", "[]"),
    flag("active"),
    flag("disabled"),
    flag("restartable"),
    words("playbook_type", "automation"),
    Column("folder", Text),
    Column("entrypoint", Text),
    json("parameter_schema", "{}"),
    Column("input_schema", JSONB(none_as_null=True)),
    Column("output_schema", JSONB(none_as_null=True)),
    json("input_spec", "[]"),
    json("output_spec", "[]"),
    Column("timeout_seconds", Float),
    words("error"),
    Column("deployment_id", Uuid, unique=True),
    words("registered_digest"),
    time("create_time"),
    time("update_time"),
    number("version", 1),
    words("isolation", "fork"),
    words("registered_isolation"),
    words("digest"),
    flag("earlier_code"),
    time("broken_time", now=False),
    time("gone_time", now=False),
    Column("paused_schedules", ARRAY(Uuid)),
    flag("paused_before"),
    Column("work_queue_id", Uuid),
    UniqueConstraint("repository", "name"),
    CheckConstraint("name !~ '^[0-9]+$'", name="name_not_a_number"),
    CheckConstraint("isolation IN ('fork', 'reused')", name="isolation"),
)
"""What was found in the repositories. ``error`` is not empty for one that does not import.

``input_schema`` and ``output_schema`` are JSON schemas, null where nothing is declared;
``input_spec`` and ``output_spec`` say the same in the vendor's form. ``digest`` is that of the
contents of its folder. ``earlier_code`` says that runs of a broken one go on with the code that it
had. ``broken_time`` is set while its file, which did, does not import, ``gone_time`` while it is
gone; ``paused_schedules`` are then those that were active in Prefect when its deployment was paused
for that, and ``paused_before`` whether that was paused already."""

repositories = Table(
    "repositories",
    metadata,
    identifier(),
    Column("name", Text, nullable=False, unique=True),
)
"""The repositories that playbooks were ever found in, with ids for callers to filter by."""

assets = Table(
    "assets",
    metadata,
    identifier(),
    Column("name", Text, nullable=False, unique=True),
    Column("app", Text, nullable=False),
    words("description"),
    json("settings", "{}"),
    flag("disabled"),
    time("create_time"),
    time("update_time"),
    number("version", 1),
    json("secrets", "{}"),
    Column("action_limit", Integer),
    Column("limit_name", Text),
    Index(None, "app"),
)
"""Settings of an app for one target, such as host and port of a WHOIS server.

``secrets`` is ``{setting: name of the Prefect block that holds it}``; ``limit_name`` is that of the
global concurrency limit in Prefect that holds ``action_limit``."""

playbook_runs = Table(
    "playbook_runs",
    metadata,
    identifier(),
    reference("playbook_id", "playbooks.id"),
    reference("container_id", "containers.id"),
    reference("owner_id", "users.id", null=True),
    reference("effective_user_id", "users.id", null=True),
    reference("parent_run_id", "playbook_runs.id", null=True),
    # What it was asked to do.
    Column("scope", Text, nullable=False),
    Column("scope_artifact_ids", ARRAY(BigInteger)),
    Column("after_artifact", BigInteger, nullable=False, server_default=text("0")),
    Column("last_artifact", BigInteger, nullable=False, server_default=text("0")),
    Column("inputs", JSON(none_as_null=True)),
    Column("ip_address", Text),
    number("log_level", 1),
    flag("test_mode"),
    number("version", 1),
    # What became of it.
    words("status", "running"),
    words("message"),
    Column("result", JSON),
    Column("outputs", JSON),
    words("cancelled"),
    time("start_time"),
    time("update_time"),
    time("end_time", now=False),
    time("cancel_time", now=False),
    reference("cancelled_by_id", "users.id", null=True),
    # Its way through Prefect.
    Column("dispatch_key", Uuid, nullable=False, server_default=func.gen_random_uuid()),
    time("queue_time"),
    time("dispatch_time", now=False),
    Column("flow_run_id", Uuid, unique=True),
    flag("settled"),
    # The attempt that holds it.
    number("attempt", 0),
    Column("claim_id", Uuid),
    Column("attempt_token_hash", LargeBinary, unique=True),
    time("claim_time", now=False),
    time("lease_expire_time", now=False),
    flag("restarting"),
    Column("worker", Text),
    Column("hostname", Text),
    Column("process_id", Integer),
    Column("process_start", Float),
    Column("machine", Text),
    # What its caller, or the gateway, calls the request.
    Column("request_id", Text),
    # W3C trace context of its acceptance, where spans are sent.
    Column("traceparent", Text),
    # The playbooks that brought about what it starts for, if it started by itself.
    Column("automation_chain", ARRAY(BigInteger)),
    CheckConstraint("status IN ('running', 'success', 'failed')", name="status"),
    CheckConstraint("scope IN ('all', 'new', 'artifacts')", name="scope"),
    Index("ix_playbook_runs_mark", "container_id", "playbook_id", "last_artifact"),
    Index(None, "playbook_id"),
    partial(
        "ix_playbook_runs_queue",
        *("queue_time", "id"),
        where=RUN_STATES["queued"],
    ),
    partial(
        "ix_playbook_runs_queue_of_playbook",
        *("playbook_id", "queue_time", "id"),
        where=RUN_STATES["not_dispatched"],
    ),
    partial(
        "ix_playbook_runs_standing",
        "dispatch_time",
        where=RUN_STATES["waiting"],
    ),
    partial("ix_playbook_runs_unsettled", "id", where="NOT settled"),
    partial("ix_playbook_runs_held", "worker", where=RUN_STATES["held"]),
    # What lists are filtered and sorted by.
    Index(None, "container_id", "id"),
    Index("ix_playbook_runs_container_status_time", "container_id", "status", "start_time", "id"),
    Index(None, "start_time", "id"),
    partial("ix_playbook_runs_not_success", "status", "id", where="status <> 'success'"),
    partial(
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

scope_marks = Table(
    "scope_marks",
    metadata,
    *(
        Column(
            f"{name}_id",
            BigInteger,
            ForeignKey(f"{name}s.id", onupdate="CASCADE", ondelete="CASCADE"),
            primary_key=True,
        )
        for name in ("container", "playbook")
    ),
    Column("last_artifact", BigInteger, nullable=False),
)
"""What retention keeps of removed runs of scope ``all`` and ``new``: the newest artifact that a
playbook has had on a container, so that it is never new to that playbook again."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("playbook_run_id", BigInteger),
    time("create_time"),
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
    flag("paused"),
    time("unreachable_time", now=False),
)
"""What Prefect last said of a work pool: its online workers and its slots (null: no limit), and
since when Prefect has not answered (null: it does). Written only when something has changed."""

action_runs = Table(
    "action_runs",
    metadata,
    identifier(),
    reference("playbook_run_id", "playbook_runs.id", cascade=True),
    reference("container_id", "containers.id"),
    Column("start_key", Uuid, nullable=False, unique=True),
    number("attempt", 1),
    Column("name", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("app", Text, nullable=False),
    words("type", "generic"),
    words("status", "running"),
    words("message"),
    time("create_time"),
    time("close_time", now=False),
    number("version", 1),
    CheckConstraint("status IN ('running', 'success', 'failed')", name="status"),
    Index(None, "playbook_run_id", "id"),
    Index(None, "container_id", "id"),
    Index(None, "create_time", "id"),
)
"""One per call of an action, or per map of it."""

app_runs = Table(
    "app_runs",
    metadata,
    identifier(),
    reference("action_run_id", "action_runs.id", cascade=True),
    reference("playbook_run_id", "playbook_runs.id", cascade=True),
    reference("container_id", "containers.id"),
    # No reference: what an asset did stays known when it is deleted.
    Column("asset_id", BigInteger),
    Column("asset_name", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("action", Text, nullable=False),
    words("status", "running"),
    words("message"),
    flag("exception_occured"),
    Column("entries", JSON, nullable=False, server_default=text("'[]'::json")),
    Column("result_data", JSON, nullable=False, server_default=text("'[]'::json")),
    time("start_time"),
    time("end_time", now=False),
    number("version", 1),
    CheckConstraint("status IN ('running', 'success', 'failed')", name="status"),
    Index(None, "action_run_id", "id"),
    Index(None, "playbook_run_id"),
    Index(None, "container_id", "id"),
)
"""One per asset of an action run. ``entries`` is ``[{parameter, status, message}]``, one per
parameter set; ``result_data`` adds ``data`` and ``summary`` and may be large."""

held_slots = Table(
    "held_slots",
    metadata,
    reference("playbook_run_id", "playbook_runs.id", cascade=True),
    Column("attempt", Integer, nullable=False),
    Column("leases", ARRAY(Uuid), nullable=False),
    PrimaryKeyConstraint("playbook_run_id", "attempt"),
)
"""The leases of the slots that an attempt holds in limits of Prefect, as it told last."""

run_log = Table(
    "run_log",
    metadata,
    identifier(),
    reference("playbook_run_id", "playbook_runs.id", cascade=True),
    time("time"),
    number("message_type", 1),
    Column("message", Text, nullable=False),
    Column("attempt", Integer),
    Column("place", Integer),
    UniqueConstraint("playbook_run_id", "attempt", "place"),
    Index(None, "playbook_run_id", "id"),
)
"""Lines of a run's log; ``message_type`` 0 is an error, 1 is debug, as published clients read.
``place`` counts the lines of an attempt, so that one that is sent again is known; a line that the
gateway writes has none."""
