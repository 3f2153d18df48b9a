"""Statements for the paths that callers wait on: compiled once, prepared once per connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Delete, Insert, Select, TextClause, Update, make_url

_DIALECT = make_url("postgresql+asyncpg://").get_dialect()()


class Prepared:
    """A statement of SQLAlchemy's in the form that asyncpg takes: a text and values by place.

    SQLAlchemy spends more on running a short statement than PostgreSQL does. Those that are run
    for each request go to the driver itself, by `Database.fetch`; `statement` can still be run in
    a transaction with others.
    """

    def __init__(self, statement: Select[Any] | Insert | Update | Delete | TextClause) -> None:
        self.statement = statement
        compiled: Any = statement.compile(
            dialect=_DIALECT, compile_kwargs={"render_postcompile": True}
        )
        self.text = str(compiled)
        self._places: list[str] = compiled.positiontup
        self._constants: dict[str, Any] = compiled.params

    def values(self, given: dict[str, object]) -> list[object]:
        """What is `given` for the statement's bind parameters, in the order of their places."""
        return [given[name] if name in given else self._constants[name] for name in self._places]
