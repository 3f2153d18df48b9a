"""Action runs and app runs: recorded before an action starts, completed when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from asyncpg import Record
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import AssetNotFound, ForeignStartKey, NoAssets
from prefect_phantom.adapters.store.database.database import Database, compact_json
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.runs.attempts import check, hold, token_hash
from prefect_phantom.adapters.store.tables.tables import action_runs, app_runs, assets

Status = Literal["success", "failed"]
KNOWN = (
    *(assets.c[name] for name in ("id", "name", "app", "settings", "secrets")),
    assets.c.limit_name.label("limit"),
)
NAMES = ("id", "name", "app", "settings", "secrets", "limit")
"""What a run is told of an asset: of secrets the blocks that hold them."""


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
    """How one asset's part ended: per parameter set its parameter, status, message, data.

    `entries` is JSON text of what callers see of them, `results` of all.
    """

    id: int
    status: Status
    message: str
    exception_occured: bool
    entries: str
    results: str


async def start(
    database: Database, token: str, request: ActionStart
) -> tuple[int, list[AppRunStart]]:
    """Record the start of an action, if the attempt may still act. Durable when this returns.

    Raises:
        Superseded: the attempt is stale, or its run has ended or is being cancelled.
        NoAssets: no asset of the app is configured.
        AssetNotFound: a named asset does not exist.
    """
    while True:
        rows = await database.fetch_all(_START, token_hash=token_hash(token), **_values(request))
        if rows:
            return rows[0]["action_run_id"], [_started(row, request.app) for row in rows]
        if (started := await _started_before(database, token, request)) is not None:
            return started


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
    while True:
        held = await database.fetch(
            _END,
            token_hash=token_hash(token),
            action_run_id=action_run_id,
            status=status,
            message=message,
            ids=[end.id for end in ends],
            statuses=[end.status for end in ends],
            messages=[end.message for end in ends],
            exceptions=[end.exception_occured for end in ends],
            entries=[end.entries for end in ends],
            results=[end.results for end in ends],
        )
        if held is not None:
            return
        await check(database, token)


async def _started_before(
    database: Database, token: str, request: ActionStart
) -> tuple[int, list[AppRunStart]] | None:
    """What an earlier request with the same key has recorded. Raises what speaks against a start.

    None when nothing does any more.
    """
    async with database.begin() as connection:
        held = await hold(connection, token)
        query = (
            select(
                *(app_runs.c.action_run_id, app_runs.c.id.label("app_run_id")),
                *(app_runs.c.asset_id, app_runs.c.asset_name, app_runs.c.playbook_run_id, *KNOWN),
            )
            .join(action_runs, action_runs.c.id == app_runs.c.action_run_id)
            .join(assets, assets.c.id == app_runs.c.asset_id, isouter=True)
            .where(action_runs.c.start_key == request.start_key)
        )
        rows = (await connection.execute(query.order_by(app_runs.c.id))).mappings().all()
        if rows and rows[0]["playbook_run_id"] != held.id:
            raise ForeignStartKey
        if rows:
            return rows[0]["action_run_id"], [_started(row, request.app) for row in rows]
        if request.needs_asset:
            await _check_assets(connection, request)
        return None


def _values(request: ActionStart) -> dict[str, object]:
    waiting = [
        {"parameter": parameter, "status": "failed", "message": ""}
        for parameter in request.parameters
    ]
    return {
        "start_key": request.start_key,
        "name": request.name,
        "action": request.action,
        "app": request.app,
        "type": request.type,
        "assets": request.assets,
        "least": max(1, len(set(request.assets or ()))) if request.needs_asset else 0,
        # What a reader sees should the action never report back.
        "entries": compact_json(waiting),
    }


def _started(row: Record | Mapping[Any, Any], app: str) -> AppRunStart:
    if row["asset_id"] is None:
        return AppRunStart(row["app_run_id"], None)
    if row["id"] is None:
        raise AssetNotFound(row["asset_name"], app)
    return AppRunStart(row["app_run_id"], {name: row[name] for name in NAMES})


async def _check_assets(connection: AsyncConnection, request: ActionStart) -> None:
    query = select(assets.c.name).where(assets.c.app == request.app, assets.c.disabled.is_(False))
    found = set(await connection.scalars(query))
    missing = [name for name in request.assets or () if name not in found]
    if missing:
        raise AssetNotFound(missing[0], request.app)
    if not found or request.assets == []:
        raise NoAssets(request.app, request.action)


# An attempt that may act no longer finds no `held`, so that nothing is made. Parameters of a SELECT
# have no type but the one that they are given.
_START = Prepared(
    text(
        """
        WITH held AS (
          SELECT id, attempt, container_id FROM playbook_runs
          WHERE attempt_token_hash = :token_hash AND cancel_time IS NULL AND end_time IS NULL
          FOR UPDATE
        ), chosen AS (
          SELECT id, name, app, settings, secrets, limit_name FROM assets
          WHERE CAST(:least AS integer) > 0 AND app = :app AND NOT disabled
            AND (CAST(:assets AS text[]) IS NULL OR name = ANY (CAST(:assets AS text[])))
        ), made AS (
          INSERT INTO action_runs
            (playbook_run_id, container_id, attempt, start_key, name, action, app, type)
          SELECT id, container_id, attempt, CAST(:start_key AS uuid), CAST(:name AS text),
            CAST(:action AS text), CAST(:app AS text), CAST(:type AS text)
          FROM held WHERE (SELECT count(*) FROM chosen) >= CAST(:least AS integer)
          ON CONFLICT (start_key) DO NOTHING
          RETURNING id, playbook_run_id, container_id
        ), begun AS (
          INSERT INTO app_runs (action_run_id, playbook_run_id, container_id,
            asset_id, asset_name, app, action, entries)
          SELECT made.id, playbook_run_id, container_id, chosen.id,
            coalesce(chosen.name, CAST(:app AS text)), CAST(:app AS text), CAST(:action AS text),
            CAST(CAST(:entries AS text) AS json)
          FROM made LEFT JOIN chosen ON true ORDER BY chosen.id
          RETURNING action_run_id, id AS app_run_id, asset_id, asset_name
        )
        SELECT begun.*, chosen.id, chosen.name, chosen.app, settings, secrets, limit_name AS limit
        FROM begun LEFT JOIN chosen ON chosen.id = asset_id ORDER BY app_run_id
        """
    )
)
_END = Prepared(
    text(
        """
        WITH held AS (
          SELECT id, attempt, container_id FROM playbook_runs
          WHERE attempt_token_hash = :token_hash AND cancel_time IS NULL AND end_time IS NULL
          FOR UPDATE
        ), closed AS (
          UPDATE action_runs SET status = :status, message = :message, close_time = now()
          FROM held
          WHERE action_runs.id = :action_run_id AND playbook_run_id = held.id
            AND action_runs.status = 'running'
          RETURNING action_runs.id
        ), parts AS (
          UPDATE app_runs SET status = part.status, message = part.message,
            exception_occured = part.exception, entries = CAST(part.entries AS json),
            result_data = CAST(part.results AS json), end_time = now()
          FROM closed, unnest(CAST(:ids AS bigint[]), CAST(:statuses AS text[]),
            CAST(:messages AS text[]), CAST(:exceptions AS boolean[]), CAST(:entries AS text[]),
            CAST(:results AS text[])) AS part (id, status, message, exception, entries, results)
          WHERE app_runs.id = part.id AND app_runs.action_run_id = closed.id
        )
        SELECT id FROM held
        """
    )
)
