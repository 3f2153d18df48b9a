"""What the repositories hold now, written into the table of playbooks; ids of known ones stay."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, case, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.repositories import Repositories
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks.playbooks import LARGEST_PLAYBOOK, move_sequence
from prefect_phantom.adapters.store.starts import inputs
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks, repositories

ALONE = text("LOCK TABLE playbooks IN SHARE ROW EXCLUSIVE MODE")
"""Serialises gateways that store playbooks at once; readers are not held up."""
NONE = Repositories()
GONE = "The playbook is no longer in the repository {}"
logger = logging.getLogger("prefect_phantom.playbooks")


@dataclass(frozen=True, slots=True)
class FoundPlaybook:
    """A playbook as its repository has it now, or a file that does not import, as `error` says."""

    repository: str
    name: str
    folder: str | None
    entrypoint: str
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
    digest: str = ""
    """Of the contents of its folder."""

    @property
    def key(self) -> tuple[str, str]:
        """Repository and name."""
        return self.repository, self.name

    @property
    def file(self) -> str:
        """Its file within the folder."""
        return self.entrypoint.partition(":")[0]

    @property
    def path(self) -> str:
        """Its file, as people find it."""
        return self.file if self.folder is None else f"{self.folder}/{self.file}"


async def save_found(
    database: Database,
    found: Sequence[FoundPlaybook],
    repositories: Repositories = NONE,
) -> None:
    """`save` in a transaction of its own."""
    async with database.begin() as connection:
        await connection.execute(ALONE)
        await save(connection, found, repositories)


async def save(
    connection: AsyncConnection, found: Sequence[FoundPlaybook], told: Repositories
) -> None:
    """Store what the repositories hold now; the caller holds `ALONE`.

    A file that no longer imports makes the playbooks that it held broken. Of several playbooks with
    one name all are broken, and runs go on with the one that had the name before. A playbook that
    is gone says so in `error`, and keeps its id and runs, should it come back.

    Args:
        connection: Of the transaction.
        found: All that was found, of every repository.
        told: Its `ids` count for playbooks that are first seen; what cannot be an id is reported
            and left out.
    """
    present = {playbook.repository for playbook in found}
    await save_repositories(connection, present.union(told.names))
    columns = (playbooks.c[name] for name in ("id", "repository", "name", "folder", "entrypoint"))
    rows = list(await connection.execute(select(*columns)))
    known = {(row.repository, row.name): row for row in rows}
    whole, broken = _divided(found, known)
    wanted = _usable(told.ids)
    seen = set()
    # Those with an id of their own come first, or the sequence might give it to another.
    for playbook in sorted(whole, key=lambda each: _full_name(each) not in wanted):
        await _save(connection, playbook, known, wanted)
        seen.add(playbook.key)
    names = _Names({each.key for each in whole}, rows)
    for file in broken:
        held = [row for row in rows if _holds(file, row) and (row.repository, row.name) not in seen]
        for row in held:
            await _mark(connection, row.id, file.error)
            seen.add((row.repository, row.name))
        if not held:
            listed = replace(file, name=names.choose(file), entrypoint=file.file)
            await _save(connection, listed, known, wanted)
            seen.add(listed.key)
    await _note_gone(connection, [row for key, row in known.items() if key not in seen])


def _divided(
    found: Iterable[FoundPlaybook], known: Mapping[tuple[str, str], Row[Any]]
) -> tuple[list[FoundPlaybook], list[FoundPlaybook]]:
    """The playbooks, one of each name, and the files that are broken, with their errors."""
    whole: list[FoundPlaybook] = []
    broken: list[FoundPlaybook] = []
    by_key: defaultdict[tuple[str, str], list[FoundPlaybook]] = defaultdict(list)
    for playbook in found:
        if playbook.error:
            broken.append(playbook)
        else:
            by_key[playbook.key].append(playbook)
    unread = tuple(broken)
    for key, alike in by_key.items():
        row = known.get(key)
        # A file that cannot be read at the moment still has the name that it had.
        before = [] if row is None or _is_file(row) else [f for f in unread if _holds(f, row)]
        if len(alike) + len(before) == 1:
            whole += alike
            continue
        error = _ambiguous(key[1], [*alike, *before])
        for playbook in alike:
            had_it = row is not None and (row.folder, row.entrypoint) == (
                playbook.folder,
                playbook.entrypoint,
            )
            (whole if had_it else broken).append(replace(playbook, error=error))
    return whole, broken


def _ambiguous(name: str, alike: Sequence[FoundPlaybook]) -> str:
    paths = sorted({playbook.path for playbook in alike})
    if len(paths) == 1:
        paths = sorted(f"{each.folder}/{each.entrypoint}" for each in alike)
    names = f"{', '.join(paths[:-1])} and {paths[-1]}"
    return f'{names} define one playbook "{name}": give each a name of its own'


class _Names:
    """Under which names broken files are listed: their own, unless a playbook is called so."""

    def __init__(self, whole: Iterable[tuple[str, str]], rows: Iterable[Row[Any]]) -> None:
        self._taken = {*whole, *((row.repository, row.name) for row in rows if not _is_file(row))}

    def choose(self, file: FoundPlaybook) -> str:
        stem = file.file.removesuffix(".py")
        # Digits alone would read as an id.
        choices = [*([] if stem.isdigit() else [stem]), file.file, file.path]
        name = next(
            (each for each in choices if (file.repository, each) not in self._taken), file.path
        )
        self._taken.add((file.repository, name))
        return name


def _is_file(row: Row[Any]) -> bool:
    """Whether it stands for a file that was never imported."""
    return (row.entrypoint or "").endswith(".py")


def _holds(broken: FoundPlaybook, row: Row[Any]) -> bool:
    """Whether the file that is broken is the one that `row` was read from."""
    return (row.repository, row.folder, (row.entrypoint or "").partition(":")[0]) == (
        broken.repository,
        broken.folder,
        broken.file,
    )


async def save_repositories(connection: AsyncConnection, names: AbstractSet[str]) -> None:
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


def _full_name(playbook: FoundPlaybook) -> str:
    return f"{playbook.repository}/{playbook.name}"


async def _mark(connection: AsyncConnection, playbook_id: int, error: str) -> None:
    whole = or_(playbooks.c.error == "", playbooks.c.earlier_code)
    since = case(
        (or_(whole, playbooks.c.gone_time.is_not(None)), func.now()), else_=playbooks.c.broken_time
    )
    await connection.execute(
        update(playbooks)
        .where(playbooks.c.id == playbook_id)
        .values(
            error=error,
            broken_time=since,
            earlier_code=False,
            gone_time=None,
            update_time=func.now(),
        )
    )


async def _note_gone(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
    """Note that these are gone; what was only ever the name of a broken file is forgotten."""
    files = [row.id for row in rows if _is_file(row)]
    has_runs = exists().where(runs.c.playbook_id == playbooks.c.id)
    await connection.execute(delete(playbooks).where(playbooks.c.id.in_(files), ~has_runs))
    await connection.execute(
        update(playbooks)
        .where(playbooks.c.id.in_([row.id for row in rows]), playbooks.c.gone_time.is_(None))
        .values(
            error=GONE.format("") + playbooks.c.repository,
            broken_time=None,
            earlier_code=False,
            gone_time=func.now(),
            update_time=func.now(),
        )
    )


async def _save(
    connection: AsyncConnection,
    playbook: FoundPlaybook,
    known: Mapping[tuple[str, str], Row[Any]],
    wanted: Mapping[str, int],
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
        "digest": playbook.digest,
        "broken_time": None,
        "gone_time": None,
        # One that has its code and is broken all the same goes on for as long as it has it.
        "earlier_code": bool(playbook.error) and playbook.entrypoint != playbook.file,
    }
    if (row := known.get(playbook.key)) is not None:
        await connection.execute(
            update(playbooks)
            .where(playbooks.c.id == row.id)
            .values(**values, update_time=func.now())
        )
        return
    number = wanted.get(_full_name(playbook))
    if number is not None:
        holder = select(playbooks.c.name).where(playbooks.c.id == number)
        if (taken := (await connection.execute(holder)).scalar()) is not None:
            logger.error("%s cannot have id %s: %s has it", _full_name(playbook), number, taken)
        else:
            values["id"] = number
            await move_sequence(connection, number)
    await connection.execute(
        insert(playbooks).values(repository=playbook.repository, name=playbook.name, **values)
    )
