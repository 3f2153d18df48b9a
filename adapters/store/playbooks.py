"""Playbooks: what the repositories hold, each with an integer id that callers may rely on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Row, Text, bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import Invalid, PlaybookNotFound
from adapters.store import inputs
from adapters.store.database import Database
from adapters.store.served_request import about
from adapters.store.tables import playbooks, repositories

LARGEST_ID = 2**63 - 1
LARGEST_PLAYBOOK = 2**31 - 1
"""Largest id that can be given to a playbook; clients keep ids in 32 bits."""
logger = logging.getLogger("prefect_phantom.playbooks")


@dataclass(frozen=True, slots=True)
class FoundPlaybook:
    """A playbook as its repository has it now. `error` is not empty when it does not import."""

    repository: str
    name: str
    folder: str | None
    entrypoint: str | None
    description: str = ""
    category: str = ""
    labels: Sequence[str] = ()
    tags: Sequence[str] = ()
    parameter_schema: dict[str, Any] | None = None
    isolation: str = "fork"
    restartable: bool = False
    timeout_seconds: float | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    error: str = ""


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


_columns = [playbooks.c[name] for name in Playbook.__dataclass_fields__]


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


async def read(database: Database, playbook_id: int) -> Playbook:
    """Read one playbook.

    Raises:
        PlaybookNotFound: no playbook has this id.
    """
    async with database.read() as connection:
        return await find(connection, playbook_id, repositories=())


async def find(
    connection: AsyncConnection, playbook: int | str, *, repositories: Sequence[str]
) -> Playbook:
    """Find a playbook as callers name it: id, ``repository/name``, or a bare name.

    A bare name is looked up in `repositories`, in their order; names are case-sensitive.

    Raises:
        PlaybookNotFound: with the id or name as it was sent.
    """
    query = select(*_columns).where(playbooks.c.id == PLAYBOOK_ID)
    row = (await connection.execute(query, reference(playbook, repositories))).one_or_none()
    if row is None:
        raise PlaybookNotFound(playbook)
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
        PlaybookNotFound: no playbook has `playbook_id`.
        Invalid: `new_id` is not positive, or belongs to another playbook.
    """
    if not 0 < new_id <= LARGEST_PLAYBOOK:
        message = f"A playbook id must be between 1 and {LARGEST_PLAYBOOK}, not {new_id}"
        raise Invalid(message)
    try:
        async with database.begin() as connection:
            query = update(playbooks).where(playbooks.c.id == playbook_id).values(id=new_id)
            if not (await connection.execute(query)).rowcount:
                raise PlaybookNotFound(playbook_id)
            await _move_sequence(connection, new_id)
            about(new_id)
    except IntegrityError as error:
        message = f"Another playbook already has the id {new_id}"
        raise Invalid(message) from error


async def set_active(database: Database, playbook_id: int, active: bool | None) -> None:
    """Let automation start a playbook, or no longer; None leaves it as it is.

    Raises `PlaybookNotFound`, also when nothing is to be changed.
    """
    query = update(playbooks).where(playbooks.c.id == playbook_id)
    if active is None:
        query = query.values(active=playbooks.c.active)
    else:
        query = query.values(active=active, update_time=func.now())
    async with database.begin() as connection:
        if not (await connection.execute(query)).rowcount:
            raise PlaybookNotFound(playbook_id)
        about(playbook_id)


async def save_found(
    database: Database,
    found: Sequence[FoundPlaybook],
    *,
    ids: Mapping[str, object],
    configured: Sequence[str] = (),
) -> None:
    """Store what the repositories hold now; ids of known playbooks stay.

    A file that no longer imports makes the playbooks that it held broken. A playbook that is gone
    from its repository is marked so in `error`, and keeps its id and runs, should it come back.

    Args:
        database: Where to store.
        found: All that was found, of every repository.
        ids: Ids to give to playbooks when they are first seen, by ``repository/name``. What
            cannot be an id is reported and left out.
        configured: Repositories that are known although nothing may have been found in them.
    """
    wanted_ids = _usable(ids)
    async with database.begin() as connection:
        # Serialises replicas that start at once; readers are not held up.
        await connection.execute(text("LOCK TABLE playbooks IN SHARE ROW EXCLUSIVE MODE"))
        present = {playbook.repository for playbook in found}
        await _save_repositories(connection, present.union(configured))
        known = [_playbook(row) for row in await connection.execute(select(*_columns))]
        names = {(row.repository, row.name) for row in known}
        seen: set[tuple[str, str]] = set()
        # Those with an id of their own come first, or the sequence might give it to another.
        for playbook in sorted(found, key=lambda each: _key(each) not in wanted_ids):
            held = [row for row in known if playbook.error and _holds(playbook, row)]
            for row in held:
                await _mark(connection, row.id, playbook.error)
                seen.add((row.repository, row.name))
            if not held and playbook.name.isdigit():
                logger.error("%s is left out: digits alone would read as an id", _key(playbook))
            elif not held:
                key = (playbook.repository, playbook.name)
                wanted = wanted_ids.get(_key(playbook)) if key not in names else None
                await _save(connection, playbook, known=key in names, wanted=wanted)
                seen.add(key)
        for row in known:
            if (row.repository, row.name) not in seen:
                gone = f"The playbook is no longer in the repository {row.repository}"
                await _mark(connection, row.id, gone)


async def _save_repositories(connection: AsyncConnection, names: set[str]) -> None:
    """Give new repositories their ids."""
    known = {row.name for row in await connection.execute(select(repositories.c.name))}
    for name in sorted(names - known):
        await connection.execute(insert(repositories).values(name=name))


def _usable(ids: Mapping[str, object]) -> dict[str, int]:
    usable = {
        name: number
        for name, number in ids.items()
        if isinstance(number, int) and 0 < number <= LARGEST_PLAYBOOK
    }
    for name in ids.keys() - usable.keys():
        logger.error("%r cannot be the id of %s", ids[name], name)
    return usable


def _key(playbook: FoundPlaybook) -> str:
    return f"{playbook.repository}/{playbook.name}"


def _holds(broken: FoundPlaybook, row: Playbook) -> bool:
    """Whether the file that no longer imports is the one that `row` was read from."""
    return (
        row.repository == broken.repository
        and row.folder == broken.folder
        and (row.entrypoint or "").partition(":")[0] == broken.entrypoint
    )


async def _mark(connection: AsyncConnection, playbook_id: int, error: str) -> None:
    await connection.execute(
        update(playbooks)
        .where(playbooks.c.id == playbook_id, playbooks.c.error != error)
        .values(error=error, update_time=func.now())
    )


async def _save(
    connection: AsyncConnection, playbook: FoundPlaybook, *, known: bool, wanted: int | None
) -> None:
    values: dict[str, Any] = {
        "folder": playbook.folder,
        "entrypoint": playbook.entrypoint,
        "description": playbook.description,
        "category": playbook.category,
        "labels": list(playbook.labels),
        "tags": list(playbook.tags),
        "parameter_schema": playbook.parameter_schema or {},
        "playbook_type": "automation" if playbook.input_schema is None else "data",
        "input_schema": playbook.input_schema,
        "output_schema": playbook.output_schema,
        "input_spec": inputs.specification(playbook.input_schema),
        "output_spec": inputs.specification(playbook.output_schema),
        "timeout_seconds": playbook.timeout_seconds,
        "isolation": playbook.isolation,
        "restartable": playbook.restartable,
        "error": playbook.error.replace("\0", "\ufffd"),
    }
    if known:
        await connection.execute(
            update(playbooks)
            .where(playbooks.c.repository == playbook.repository, playbooks.c.name == playbook.name)
            .values(**values, update_time=func.now())
        )
        return
    if wanted is not None:
        holder = select(playbooks.c.name).where(playbooks.c.id == wanted)
        if (taken := (await connection.execute(holder)).scalar()) is not None:
            logger.error("%s cannot have id %s: %s has it", _key(playbook), wanted, taken)
        else:
            values["id"] = wanted
            await _move_sequence(connection, wanted)
    await connection.execute(
        insert(playbooks).values(repository=playbook.repository, name=playbook.name, **values)
    )


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


async def _move_sequence(connection: AsyncConnection, past: int) -> None:
    await connection.execute(
        text(
            "SELECT setval(pg_get_serial_sequence('playbooks', 'id'),"
            " greatest(:past, (SELECT last_value FROM playbooks_id_seq)))"
        ),
        {"past": past},
    )
