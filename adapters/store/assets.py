"""Assets: what an app needs to know of one target, such as host and port of a server.

Nothing secret is kept here: what is stored is shown to everybody who may look.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import AssetExists, EntryNotFound
from adapters.store.database import Database
from adapters.store.served_request import about
from adapters.store.tables import assets


def missing(identifier: int | str) -> EntryNotFound:
    """The error for an asset that does not exist."""
    return EntryNotFound("Asset", identifier)


def missing_app(identifier: int | str) -> EntryNotFound:
    """The error for an app of which there is no asset."""
    return EntryNotFound("App", identifier)


async def create(database: Database, name: str, values: Mapping[str, object]) -> int:
    """Make an asset of the app in ``values["app"]``, by its name, or by its id if it has an asset.

    Returns its id. Raises `AssetExists`, and `EntryNotFound` for the id of no app.
    """
    try:
        async with database.begin() as connection:
            values = await _with_app(connection, values)
            query = insert(assets).values(name=name, **values).returning(assets.c.id)
            made: int = (await connection.execute(query)).scalar_one()
            about(made)
    except IntegrityError as error:
        raise AssetExists(name) from error
    return made


async def change(database: Database, asset_id: int, values: Mapping[str, object]) -> None:
    """Replace what is named of an asset, its settings as a whole.

    Raises `EntryNotFound` for the asset and for the id of no app, and `AssetExists`.
    """
    try:
        async with database.begin() as connection:
            values = await _with_app(connection, values)
            query = update(assets).where(assets.c.id == asset_id)
            done = await connection.execute(
                query.values(update_time=func.now(), version=assets.c.version + 1, **values)
            )
            if not done.rowcount:
                raise missing(asset_id)
            about(asset_id)
    except IntegrityError as error:
        raise AssetExists(str(values.get("name"))) from error


async def _with_app(
    connection: AsyncConnection, values: Mapping[str, object]
) -> Mapping[str, object]:
    """`values` with the name of the app that is named by its id, which is its first asset's."""
    app = values.get("app")
    if not isinstance(app, int):
        return values
    first = select(assets.c.app).group_by(assets.c.app).having(func.min(assets.c.id) == app)
    name: str | None = await connection.scalar(first)
    if name is None:
        raise missing_app(app)
    return {**values, "app": name}
