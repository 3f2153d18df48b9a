"""Assets: what an app needs to know of one target, such as host and port of a server.

Nothing secret is kept here: secrets stand in Prefect, in blocks that are named here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import AssetExists, NotFound
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.tables import app_runs, assets
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

KNOWN = (
    assets.c.id,
    assets.c.name,
    assets.c.app,
    assets.c.settings,
    assets.c.secrets,
    assets.c.action_limit,
    assets.c.limit_name,
)


@dataclass(slots=True)
class OpenAsset:
    """An asset in the transaction that makes, changes or deletes it: nobody else does so now."""

    id: int
    name: str
    app: str
    former_app: str
    """The app that it was of before, if it is changed."""
    settings: Mapping[str, object]
    """Those that are stored, and are shown."""
    secrets: Mapping[str, str]
    """Names of settings, and of the blocks that hold their values."""
    action_limit: int | None
    limit_name: str | None
    _connection: AsyncConnection = field(repr=False)

    async def save(self, **columns: object) -> None:
        """Write columns, which are committed at the end of the transaction."""
        query = update(assets).where(assets.c.id == self.id)
        await self._connection.execute(query.values(**columns))

    async def delete(self) -> None:
        """Delete the row. What the asset did stays known."""
        await self._connection.execute(delete(assets).where(assets.c.id == self.id))


@asynccontextmanager
async def create(
    database: Database, name: str, values: Mapping[str, object]
) -> AsyncIterator[OpenAsset]:
    """Make an asset of the app in ``values["app"]``, by its name, or by its id if it has an asset.

    It is there when the block ends. Raises `AssetExists`, and `NotFound` for the id of no app.
    """
    async with database.begin(asks_others=True) as connection:
        values = await _with_app(connection, values)
        try:
            query = insert(assets).values(name=name, **values).returning(*KNOWN)
            row = (await connection.execute(query)).mappings().one()
        except IntegrityError as error:
            raise AssetExists(name) from error
        about(row["id"])
        yield OpenAsset(**row, former_app=row["app"], _connection=connection)


@asynccontextmanager
async def change(
    database: Database, asset_id: int, values: Mapping[str, object]
) -> AsyncIterator[OpenAsset]:
    """Replace what is named of an asset, its settings as a whole, when the block ends.

    Raises `NotFound` for the asset and for the id of no app, and `AssetExists`.
    """
    async with database.begin(asks_others=True) as connection:
        values = await _with_app(connection, values)
        former = select(assets.c.app).where(assets.c.id == asset_id).with_for_update()
        former_app: str | None = await connection.scalar(former)
        if former_app is None:
            raise NotFound("Asset", asset_id)
        try:
            query = update(assets).where(assets.c.id == asset_id)
            query = query.values(update_time=func.now(), version=assets.c.version + 1, **values)
            row = (await connection.execute(query.returning(*KNOWN))).mappings().one()
        except IntegrityError as error:
            raise AssetExists(str(values.get("name"))) from error
        about(asset_id)
        yield OpenAsset(**row, former_app=former_app, _connection=connection)


async def names(database: Database) -> list[tuple[str, str]]:
    """Name and app of each asset that actions may use, in the order in which they were made."""
    query = select(assets.c.name, assets.c.app).where(assets.c.disabled.is_(False))
    async with database.read() as connection:
        return [(row[0], row[1]) for row in await connection.execute(query.order_by(assets.c.id))]


async def limits(database: Database) -> list[tuple[str, int]]:
    """The limits that there are: their names in Prefect, and how many actions each allows."""
    query = select(assets.c.limit_name, assets.c.action_limit).where(
        assets.c.limit_name.is_not(None), assets.c.action_limit.is_not(None)
    )
    async with database.read() as connection:
        return [(row[0], row[1]) for row in await connection.execute(query.order_by(assets.c.id))]


async def is_at_work(database: Database, limit: str) -> bool:
    """Whether some run that has not ended acts on the asset with the limit of this name."""
    query = (
        select(app_runs.c.id)
        .join(runs, runs.c.id == app_runs.c.playbook_run_id)
        .join(assets, assets.c.id == app_runs.c.asset_id)
        .where(~runs.c.settled, runs.c.end_time.is_(None))
        .where(assets.c.limit_name == limit, app_runs.c.status == "running")
    )
    async with database.read() as connection:
        return (await connection.execute(query.limit(1))).first() is not None


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
        raise NotFound("App", app)
    return {**values, "app": name}
