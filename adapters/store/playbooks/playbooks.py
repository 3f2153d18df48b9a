"""Playbooks: what the repositories hold, each with an integer id that callers may rely on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Float,
    Label,
    Row,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.errors import BadPlaybookId, NotFound, PlaybookIdTaken
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.tables import playbooks

LARGEST_PLAYBOOK = 2**31 - 1
"""Largest id that can be given to a playbook; clients keep ids in 32 bits."""
SETTLING_LOCK = 0x50485047  # "PHPG": held by the gateway that pauses and resumes deployments
GONE_SECONDS = 10
"""A file that is gone for less may be about to be moved, or its folder to be mounted."""
BROKEN_SECONDS = 60
"""One that does not import for less may be half saved, or an installation be under way; or its
worker was too busy to import it in time, and tries again."""
PAUSED = "paused"
"""Stands for the digest of what is registered while a playbook's deployment is paused."""
logger = logging.getLogger("prefect_phantom.playbooks")


@dataclass(frozen=True, slots=True)
class Playbook:
    """A row of the table, as it was found."""

    id: int
    repository: str
    name: str
    description: str
    category: str
    labels: list[str]
    tags: list[str]
    active: bool
    disabled: bool
    playbook_type: str
    folder: str | None
    entrypoint: str | None
    parameter_schema: dict[str, Any]
    input_schema: dict[str, Any] | None
    version: int
    error: str
    deployment_id: UUID | None
    registered_digest: str
    isolation: str
    registered_isolation: str
    digest: str
    earlier_code: bool
    gone_time: datetime | None
    gone_seconds: float | None
    broken_seconds: float | None
    paused_schedules: list[UUID] | None
    paused_before: bool

    @property
    def startable(self) -> bool:
        """Whether its runs can be carried out."""
        return not self.error or self.earlier_code

    @property
    def deployment_digest(self) -> str:
        """What its deployment in Prefect is to say; `registered_digest` is what it does say."""
        said = (self.folder, self.entrypoint, self.description, self.parameter_schema)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def may_come_back(self) -> bool:
        """Whether its file is gone, or does not import any more, only since a moment."""
        gone, broken = self.gone_seconds, self.broken_seconds
        return (gone is not None and gone < GONE_SECONDS) or (
            broken is not None and broken < BROKEN_SECONDS
        )


def _seconds_since(name: str) -> Label[Any]:
    since = playbooks.c[f"{name}_time"]
    return cast(func.extract("epoch", func.now() - since), Float).label(f"{name}_seconds")


_seconds = {f"{name}_seconds": _seconds_since(name) for name in ("gone", "broken")}
_columns = [
    _seconds[name] if name in _seconds else playbooks.c[name]
    for name in Playbook.__dataclass_fields__
]
LASTING = and_(
    playbooks.c.error != "",
    ~playbooks.c.earlier_code,
    *(
        func.coalesce(since < func.now() - timedelta(seconds=seconds), true())
        for since, seconds in (
            (playbooks.c.gone_time, GONE_SECONDS),
            (playbooks.c.broken_time, BROKEN_SECONDS),
        )
    ),
)
"""SQL condition: it is not `Playbook.startable`, and not only for a moment."""


def _playbook(row: Row[Any]) -> Playbook:
    return Playbook(*row)


_spelling = (
    func.unnest(
        bindparam("playbook_repositories", type_=ARRAY(Text)),
        bindparam("playbook_names", type_=ARRAY(Text)),
    )
    .table_valued("repository", "name", with_ordinality="place")
    .render_derived(name="spelling")
)
_named = playbooks.alias("named")
PLAYBOOK_ID = func.coalesce(
    bindparam("playbook_number", type_=BigInteger),
    select(_named.c.id)
    .join(
        _spelling,
        (_named.c.repository == _spelling.c.repository) & (_named.c.name == _spelling.c.name),
    )
    .order_by(_spelling.c.place)
    .limit(1)
    .scalar_subquery(),
)
"""SQL expression for the id of the playbook that `reference` names: the first that exists."""


async def read_all(database: Database) -> list[Playbook]:
    """Every playbook, by repository and name."""
    query = select(*_columns).order_by(playbooks.c.repository, playbooks.c.name)
    async with database.read() as connection:
        return [_playbook(row) for row in await connection.execute(query)]


async def read_gone(database: Database) -> list[Playbook]:
    """The playbooks that are gone, and those that are paused in Prefect since they were."""
    is_it = or_(playbooks.c.gone_time.is_not(None), playbooks.c.paused_schedules.is_not(None))
    async with database.read() as connection:
        rows = await connection.execute(select(*_columns).where(is_it).order_by(playbooks.c.id))
        return [_playbook(row) for row in rows]


async def read_version(database: Database) -> object:
    """A value that is another one whenever something of a playbook has changed."""
    query = select(func.count(), func.max(playbooks.c.update_time))
    async with database.read() as connection:
        return tuple((await connection.execute(query)).one())


async def read(database: Database, playbook_id: int) -> Playbook:
    """Read one playbook.

    Raises:
        NotFound: no playbook has this id.
    """
    async with database.read() as connection:
        return await find(connection, playbook_id, repositories=())


async def find(
    connection: AsyncConnection, playbook: int | str, *, repositories: Sequence[str]
) -> Playbook:
    """Find a playbook as callers name it: id, ``repository/name``, or a bare name.

    A bare name is looked up in `repositories`, in their order; names are case-sensitive.

    Raises:
        NotFound: with the id or name as it was sent.
    """
    query = select(*_columns).where(playbooks.c.id == PLAYBOOK_ID)
    row = (await connection.execute(query, reference(playbook, repositories))).one_or_none()
    if row is None:
        raise NotFound("Playbook", playbook)
    return _playbook(row)


def reference(playbook: int | str, repositories: Sequence[str]) -> dict[str, Any]:
    """The bind parameters of `PLAYBOOK_ID` for a playbook as callers name it."""
    number: int | None = None
    spellings: list[tuple[str, str]] = []
    if isinstance(playbook, int) or (playbook.isascii() and playbook.isdigit()):
        # More digits than any id has would be refused by PostgreSQL, or by int itself.
        number = int(playbook) if len(str(playbook)) < len(str(LARGEST_ID)) else 0
    elif "\0" not in playbook:  # PostgreSQL cannot even be asked for such a name
        # A bare name may itself hold a slash, since Phantom allowed it.
        repository, _, name = playbook.partition("/")
        spellings = [(repository, name), *((each, playbook) for each in repositories)]
    return {
        "playbook_number": number,
        "playbook_repositories": [repository for repository, _ in spellings],
        "playbook_names": [name for _, name in spellings],
    }


async def set_id(database: Database, playbook_id: int, new_id: int) -> None:
    """Give a playbook the id that callers have written down. Its runs follow.

    Raises:
        NotFound: no playbook has `playbook_id`.
        BadPlaybookId: `new_id` is not positive, or too large.
        PlaybookIdTaken: `new_id` belongs to another playbook.
    """
    if not 0 < new_id <= LARGEST_PLAYBOOK:
        raise BadPlaybookId(new_id, LARGEST_PLAYBOOK)
    try:
        async with database.begin() as connection:
            query = update(playbooks).where(playbooks.c.id == playbook_id).values(id=new_id)
            if not (await connection.execute(query)).rowcount:
                raise NotFound("Playbook", playbook_id)
            await move_sequence(connection, new_id)
            about(new_id)
    except IntegrityError as error:
        raise PlaybookIdTaken(new_id) from error


async def set_active(database: Database, playbook_id: int, active: bool | None) -> None:
    """Let automation start a playbook, or no longer; None leaves it as it is.

    Raises `NotFound`, also when nothing is to be changed.
    """
    query = update(playbooks).where(playbooks.c.id == playbook_id)
    if active is None:
        query = query.values(active=playbooks.c.active)
    else:
        query = query.values(active=active, update_time=func.now())
    async with database.begin() as connection:
        if not (await connection.execute(query)).rowcount:
            raise NotFound("Playbook", playbook_id)
        about(playbook_id)


async def record_deployment(
    database: Database, playbook_id: int, deployment_id: UUID, *, digest: str, isolation: str
) -> None:
    """Remember the Prefect deployment of a playbook, and what was registered there."""
    async with database.begin() as connection:
        await connection.execute(
            update(playbooks)
            .where(playbooks.c.id == playbook_id)
            .values(
                deployment_id=deployment_id,
                registered_digest=digest,
                registered_isolation=isolation,
            )
        )


async def read_deployed(database: Database, deployment_ids: Sequence[UUID]) -> list[Playbook]:
    """The playbooks of those deployments that are ours."""
    query = select(*_columns).where(playbooks.c.deployment_id.in_(deployment_ids))
    async with database.read() as connection:
        return [_playbook(row) for row in await connection.execute(query)]


@asynccontextmanager
async def settling(database: Database) -> AsyncIterator[bool]:
    """Whether this gateway is the one that pauses and resumes deployments, as long as it does."""
    query = text("SELECT pg_try_advisory_xact_lock(:lock)")
    # Prefect is asked meanwhile, and nothing is locked but this.
    async with database.begin(asks_others=True) as connection:
        yield bool((await connection.execute(query, {"lock": SETTLING_LOCK})).scalar())


async def note_pausing(
    database: Database, playbook_id: int, schedules: Sequence[UUID], *, before: bool
) -> None:
    """Remember what was active in Prefect before it is paused for a playbook that is gone."""
    async with database.begin() as connection:
        await connection.execute(
            update(playbooks)
            .where(playbooks.c.id == playbook_id)
            .values(paused_schedules=list(schedules), paused_before=before)
        )


async def note_paused(database: Database, playbook_id: int) -> None:
    """All of it is paused. What is registered is to be written anew when it comes back."""
    async with database.begin() as connection:
        await connection.execute(
            update(playbooks)
            .where(playbooks.c.id == playbook_id, playbooks.c.gone_time.is_not(None))
            .values(registered_digest=PAUSED)
        )


async def note_resumed(database: Database, playbook_id: int) -> None:
    """Nothing is paused any more for a playbook that was gone."""
    async with database.begin() as connection:
        await connection.execute(
            update(playbooks)
            .where(playbooks.c.id == playbook_id)
            .values(paused_schedules=None, paused_before=False)
        )


async def move_sequence(connection: AsyncConnection, past: int) -> None:
    """Have the next ids be given out beyond `past`."""
    await connection.execute(
        text(
            "SELECT setval(pg_get_serial_sequence('playbooks', 'id'),"
            " greatest(:past, (SELECT last_value FROM playbooks_id_seq)))"
        ),
        {"past": past},
    )
