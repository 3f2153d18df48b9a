"""The tables of who may do what, and who did. Times are UTC; ids are integers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from prefect_phantom.adapters.store.tables.columns import (
    flag,
    identifier,
    metadata,
    reference,
    time,
    words,
)

users = Table(
    "users",
    metadata,
    identifier(),
    Column("username", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False, server_default=text("'normal'")),
    Column("password_hash", Text),
    flag("administrator"),
    flag("disabled"),
    time("create_time"),
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
    identifier(),
    Column("name", Text, nullable=False, unique=True),
    words("description"),
    Column("permissions", ARRAY(Text), nullable=False),
    flag("immutable"),
    time("create_time"),
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
    identifier(),
    time("time"),
    Column("user_id", BigInteger),
    Column("ip_address", Text),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("object_id", BigInteger),
    Column("status", Integer, nullable=False),
    words("message"),
    Index(None, "time", postgresql_using="brin"),
)
"""Changes and requests for runs, and what was refused. A trigger refuses any change of a row.

It refers to no other table: it says what was so, whatever becomes of that later.
"""

tokens = Table(
    "tokens",
    metadata,
    identifier(),
    reference("user_id", "users.id", cascade=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    time("create_time"),
    time("expire_time", now=False),
)
"""SHA-256 of each 256-bit token; the token itself is shown once and never stored."""
