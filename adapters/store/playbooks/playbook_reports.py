"""What each worker has found of playbooks. One report holds: of it the table of playbooks is made.

That is the newest of a worker that is there. One whose folders are all there goes before one with a
folder that is empty or missing, such as a mount that comes late. While no worker is there the last
one goes on to hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.repositories import Repositories
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.playbooks import found_playbooks
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook
from prefect_phantom.adapters.store.playbooks.workers import FORGOTTEN, OFFLINE_SECONDS
from prefect_phantom.adapters.store.tables.tables import playbooks
from prefect_phantom.adapters.store.tables.worker_tables import playbook_reports as reports
from prefect_phantom.adapters.store.tables.worker_tables import reported_playbooks as reported

NOTHING = ""
"""The digest of a worker that has yet to say what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a worker has found. `digest` is that of the contents of all its folders.

    One that is `lasting` comes from somebody who does not stay, and holds until the next report.
    """

    worker: str
    digest: str
    playbooks: Sequence[FoundPlaybook]
    empty_folders: Sequence[str] = ()
    lasting: bool = False
    app_secrets: Mapping[str, Sequence[str]] | None = None
    """What the apps there declare secret, by their names; None says nothing new of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownReport:
    """A report of a worker that is there, or the one that holds."""

    worker: str
    digest: str
    empty_folders: list[str]
    holds: bool
    report_time: datetime


async def keep(database: Database, report: Report, repositories: Repositories) -> None:
    """Keep a report in place of the one before of its worker, and make the table of what holds.

    Its time is that of the first report with these contents, so that a worker that starts again
    with old ones does not become the newest.
    """
    said = {
        "digest": report.digest,
        "lasting": report.lasting,
        "empty_folders": list(report.empty_folders),
        "seen_time": func.now(),
        **({} if report.app_secrets is None else {"app_secrets": dict(report.app_secrets)}),
    }
    row = upsert(reports).values(worker=report.worker, **said)
    since = func.coalesce(
        select(reports.c.report_time)
        .where(reports.c.worker == report.worker, reports.c.digest == report.digest)
        .scalar_subquery(),
        func.now(),
    )
    async with database.begin() as connection:
        await connection.execute(found_playbooks.ALONE)
        await connection.execute(
            row.on_conflict_do_update(
                index_elements=[reports.c.worker], set_={**said, "report_time": since}
            )
        )
        await connection.execute(delete(reported).where(reported.c.worker == report.worker))
        rows = [_row(report.worker, playbook) for playbook in report.playbooks]
        if rows:
            await connection.execute(insert(reported), rows)
        if await _choose(connection) == report.worker:
            await _hold(connection, report.worker, repositories)
        old = or_(reports.c.lasting, reports.c.seen_time < FORGOTTEN)
        others = (reports.c.worker != report.worker, ~reports.c.holds)
        await connection.execute(delete(reports).where(*others, old))


async def expect(database: Database, worker: str) -> None:
    """Note that a worker begins whose report is to come: until then it is given no run."""
    row = upsert(reports).values(worker=worker, digest=NOTHING)
    async with database.begin() as connection:
        await connection.execute(row.on_conflict_do_nothing())


async def renew(database: Database, worker: str, digest: str) -> bool:
    """Note that a worker is there with these contents; False when they are not known."""
    query = update(reports).where(reports.c.worker == worker, reports.c.digest == digest)
    async with database.begin() as connection:
        renewed = await connection.execute(query.values(seen_time=func.now()))
        return bool(renewed.rowcount)


async def settle(database: Database, repositories: Repositories) -> str | None:
    """Have another report hold when the worker of the one that did is gone; returns its worker."""
    async with database.read() as connection:
        if await _choose(connection) in {None, await _holding(connection)}:
            return None
    async with database.begin() as connection:
        await connection.execute(found_playbooks.ALONE)
        worker = await _choose(connection)
        if worker is None or worker == await _holding(connection):
            return None
        await _hold(connection, worker, repositories)
        return worker


def is_lacking(worker: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a worker has said what it has, and that is not the code of a row of playbooks."""
    other = reports.alias()
    has_it = (
        (reported.c.worker == worker)
        & (reported.c.repository == playbooks.c.repository)
        & (reported.c.name == playbooks.c.name)
        & (reported.c.entrypoint == playbooks.c.entrypoint)
        & reported.c.folder.is_not_distinct_from(playbooks.c.folder)
        & (reported.c.digest == playbooks.c.digest)
    )
    has_reported = exists().where(other.c.worker == worker)
    # A row without a digest was stored by a version that knew none.
    return (playbooks.c.digest != "") & has_reported & ~exists().where(has_it)


_LACKING = Prepared(
    select(reports.c.worker)
    .join(playbooks, true())
    .where(
        playbooks.c.id == bindparam("of_playbook", type_=BigInteger),
        is_lacking(reports.c.worker),
    )
)
_LACKED = Prepared(
    select(playbooks.c.deployment_id).where(
        playbooks.c.deployment_id == any_(bindparam("deployment_ids", type_=ARRAY(Uuid))),
        is_lacking(bindparam("of_worker", type_=Text)),
    )
)


async def lacking(database: Database, playbook_id: int) -> set[str]:
    """The workers that have other code of a playbook than the report which holds."""
    return {row["worker"] for row in await database.fetch_all(_LACKING, of_playbook=playbook_id)}


async def lacked(database: Database, worker: str, deployment_ids: Sequence[UUID]) -> list[UUID]:
    """Those of the deployments whose code this worker does not have as the report that holds."""
    rows = await database.fetch_all(_LACKED, of_worker=worker, deployment_ids=list(deployment_ids))
    return [row["deployment_id"] for row in rows]


async def app_secrets(database: Database) -> dict[str, set[str]] | None:
    """What any worker's apps declare secret, by their names; None before one has said so."""
    query = select(reports.c.app_secrets).where(reports.c.app_secrets.is_not(None))
    async with database.read() as connection:
        told = list((await connection.execute(query)).scalars())
    if not told:
        return None
    secrets: defaultdict[str, set[str]] = defaultdict(set)
    for each in told:
        for app, names in each.items():
            secrets[app].update(names)
    return dict(secrets)


async def read_all(database: Database) -> list[KnownReport]:
    """The reports of workers that are there, and the one that holds, by their workers' names."""
    columns = (reports.c[name] for name in KnownReport.__dataclass_fields__)
    query = select(*columns).where(or_(_stands(), reports.c.holds)).order_by(reports.c.worker)
    async with database.read() as connection:
        return [KnownReport(**row) for row in (await connection.execute(query)).mappings()]


def _stands() -> ColumnElement[bool]:
    online = text(f"now() - interval '{OFFLINE_SECONDS} seconds'")
    here = reports.c.lasting | (reports.c.seen_time >= online)
    return here & (reports.c.digest != NOTHING)


async def _choose(connection: AsyncConnection) -> str | None:
    """The worker whose report is to hold; None while the one that does goes on to."""
    whole = reports.c.empty_folders == text("'[]'::jsonb")
    query = (
        select(reports.c.worker)
        .where(_stands())
        .order_by(whole.desc(), reports.c.report_time.desc(), reports.c.worker)
    )
    return (await connection.execute(query.limit(1))).scalar()


async def _holding(connection: AsyncConnection) -> str | None:
    return (await connection.execute(select(reports.c.worker).where(reports.c.holds))).scalar()


async def _hold(connection: AsyncConnection, worker: str, repositories: Repositories) -> None:
    query = (
        select(reported.c.description).where(reported.c.worker == worker).order_by(reported.c.id)
    )
    found = [FoundPlaybook(**each) for each in (await connection.execute(query)).scalars()]
    await found_playbooks.save(connection, found, repositories)
    await connection.execute(update(reports).values(holds=reports.c.worker == worker))


def _row(worker: str, playbook: FoundPlaybook) -> dict[str, Any]:
    columns = ("repository", "name", "folder", "entrypoint", "digest", "error")
    return {
        "worker": worker,
        "description": asdict(playbook),
        **{name: getattr(playbook, name) for name in columns},
    }
