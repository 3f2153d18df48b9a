"""Which PostgreSQL it is, and how far its schema has been brought."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text

from prefect_phantom.adapters.store.database.database import Database

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@dataclass(frozen=True, slots=True)
class Schema:
    """Version of the server; revision of the schema, and the newest that this program knows."""

    version: str
    revision: str
    head: str


def head() -> str:
    """The newest revision that this program knows."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


async def read(database: Database) -> Schema:
    """Read them."""
    query = text("SELECT current_setting('server_version'), version_num FROM alembic_version")
    async with database.read() as connection:
        version, revision = (await connection.execute(query)).one()
    return Schema(version.split()[0], revision, head())
