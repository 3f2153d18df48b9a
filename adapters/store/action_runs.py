"""Action runs and app runs: recorded before an action starts, completed when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import Invalid
from adapters.store.attempts import HeldRun, hold
from adapters.store.database import Database
from adapters.store.tables import action_runs, app_runs, assets

Status = Literal["success", "failed"]
KNOWN = (
    assets.c.id,
    assets.c.name,
    assets.c.app,
    assets.c.settings,
    assets.c.secrets,
    assets.c.limit_name,
)
NAMES = ("id", "name", "app", "settings", "secrets", "limit")
"""What a run is told of an asset: of secrets the blocks that hold them."""
NO_ASSET = 'Asset "{name}" of app {app} not found'


@dataclass(frozen=True, slots=True)
class ActionStart:
    """A call of an action, about to begin. `start_key` recognises a repeated request."""

    start_key: UUID
    action: str
    app: str
    type: str
    name: str
    parameters: list[dict[str, Any]]
    assets: list[str] | None
    needs_asset: bool


@dataclass(frozen=True, slots=True)
class AppRunStart:
    """The part of an action run that one asset does; `asset` is None for an app without any."""

    id: int
    asset: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AppRunEnd:
    """How one asset's part ended: per parameter set its parameter, status, message, data."""

    id: int
    status: Status
    message: str
    exception_occured: bool
    results: list[dict[str, Any]]


async def start(
    database: Database, token: str, request: ActionStart
) -> tuple[int, list[AppRunStart]]:
    """Record the start of an action, if the attempt may still act. Durable when this returns.

    Raises:
        Superseded: the attempt is stale, or its run has ended or is being cancelled.
        Invalid: no asset of the app is configured, or a named one does not exist.
    """
    async with database.begin() as connection:
        held = await hold(connection, token)
        chosen: list[dict[str, Any] | None] = [None]
        if request.needs_asset:
            chosen = await _assets(connection, request)
        known = await connection.execute(
            select(action_runs.c.id).where(
                action_runs.c.start_key == request.start_key,
                action_runs.c.playbook_run_id == held.id,
            )
        )
        action_run_id = known.scalar() or await _insert(connection, held, request, chosen)
        rows = await connection.execute(
            select(app_runs.c.id, app_runs.c.asset_name, app_runs.c.asset_id, *KNOWN)
            .join(assets, assets.c.id == app_runs.c.asset_id, isouter=True)
            .where(app_runs.c.action_run_id == action_run_id)
            .order_by(app_runs.c.id)
        )
        return action_run_id, [_started(row, request.app) for row in rows]


async def end(
    database: Database,
    token: str,
    action_run_id: int,
    *,
    status: Status,
    message: str,
    ends: list[AppRunEnd],
) -> None:
    """Complete an action run. One that is complete already stays as it is.

    Raises:
        Superseded: the attempt is stale, or its run has ended or is being cancelled.
    """
    async with database.begin() as connection:
        held = await hold(connection, token)
        closed = await connection.execute(
            update(action_runs)
            .where(
                action_runs.c.id == action_run_id,
                action_runs.c.playbook_run_id == held.id,
                action_runs.c.status == "running",
            )
            .values(status=status, message=message, close_time=func.now())
        )
        if not closed.rowcount:
            return
        for part in ends:
            await connection.execute(
                update(app_runs)
                .where(app_runs.c.id == part.id, app_runs.c.action_run_id == action_run_id)
                .values(
                    status=part.status,
                    message=part.message,
                    exception_occured=part.exception_occured,
                    entries=[
                        {key: result[key] for key in ("parameter", "status", "message")}
                        for result in part.results
                    ],
                    result_data=part.results,
                    end_time=func.now(),
                )
            )


def _started(row: Row[Any], app: str) -> AppRunStart:
    app_run_id, asset_name, asset_id, *known = row
    if asset_id is None:
        return AppRunStart(app_run_id, None)
    if known[0] is None:
        raise Invalid(NO_ASSET.format(name=asset_name, app=app))
    return AppRunStart(app_run_id, dict(zip(NAMES, known, strict=True)))


async def _insert(
    connection: AsyncConnection,
    held: HeldRun,
    request: ActionStart,
    chosen: list[dict[str, Any] | None],
) -> int:
    inserted = await connection.execute(
        insert(action_runs)
        .values(
            playbook_run_id=held.id,
            container_id=held.container_id,
            start_key=request.start_key,
            attempt=held.attempt,
            name=request.name,
            action=request.action,
            app=request.app,
            type=request.type,
        )
        .returning(action_runs.c.id)
    )
    action_run_id = int(inserted.scalar_one())
    waiting = [
        {"parameter": parameter, "status": "failed", "message": ""}
        for parameter in request.parameters
    ]
    await connection.execute(
        insert(app_runs),
        [
            {
                "action_run_id": action_run_id,
                "playbook_run_id": held.id,
                "container_id": held.container_id,
                "asset_id": asset["id"] if asset else None,
                "asset_name": asset["name"] if asset else request.app,
                "app": request.app,
                "action": request.action,
                # What a reader sees should the action never report back.
                "entries": waiting,
            }
            for asset in chosen
        ],
    )
    return action_run_id


async def _assets(connection: AsyncConnection, request: ActionStart) -> list[dict[str, Any] | None]:
    query = select(assets.c.id, assets.c.name).where(
        assets.c.app == request.app, assets.c.disabled.is_(False)
    )
    if request.assets is not None:
        query = query.where(assets.c.name.in_(request.assets))
    found = {row.name: row.id for row in await connection.execute(query.order_by(assets.c.id))}
    missing = [name for name in request.assets or [] if name not in found]
    if missing or not found:
        message = (
            NO_ASSET.format(name=missing[0], app=request.app)
            if missing
            else f"No asset of app {request.app} is configured, so {request.action} cannot run"
        )
        raise Invalid(message)
    return [{"id": found[name], "name": name} for name in found]
