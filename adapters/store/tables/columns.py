"""What the columns of all tables are made of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

DEFAULT_SEVERITY = "medium"
"""Of containers and artifacts that come without any."""
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def identifier() -> Column[int]:
    """The id that callers see: an integer, given by the database."""
    return Column("id", BigInteger, Identity(), primary_key=True)


def reference(name: str, target: str, *, null: bool = False, cascade: bool = False) -> Column[int]:
    """The id of a row of another table; it follows when that id is changed."""
    key = ForeignKey(target, onupdate="CASCADE", ondelete="CASCADE" if cascade else None)
    return Column(name, BigInteger, key, nullable=null)


def time(name: str, *, now: bool = True) -> Column[datetime]:
    """A moment, by default the one of the insert."""
    if now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
    return Column(name, DateTime(timezone=True), nullable=True)


def words(name: str, default: str | None = "") -> Column[str]:
    """A text, empty by default; without a default it may be null."""
    return Column(
        name,
        Text,
        nullable=default is None,
        server_default=None if default is None else text(f"'{default}'"),
    )


def flag(name: str, *, default: bool = False) -> Column[bool]:
    """A boolean."""
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def number(name: str, default: int) -> Column[int]:
    """An integer."""
    return Column(name, Integer, nullable=False, server_default=text(str(default)))


def json(name: str, default: str) -> Column[object]:
    """A JSON value; `default` is its text."""
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))


def partial(name: str, *columns: str, where: str) -> Index:
    """An index of some rows only."""
    return Index(name, *columns, postgresql_where=text(where))
