"""Making a home from the file of a backup, and settling what was under way when it was made."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Literal

import asyncpg

from prefect_phantom.adapters.prefect import restored as restored_prefect
from prefect_phantom.adapters.settings import PHANTOM_DATABASE, PREFECT_DATABASE, Settings
from prefect_phantom.adapters.store.database.database import (
    Database,
    create_database,
    database_url,
    drop_database,
    dsn,
)
from prefect_phantom.adapters.store.runs import restored
from prefect_phantom.adapters.store.runs.restored import Settled
from prefect_phantom.adapters.supervisor.backup.archive_reading import Reading, read
from prefect_phantom.adapters.supervisor.backup.dump import load
from prefect_phantom.adapters.supervisor.backup.manifest import Manifest
from prefect_phantom.adapters.supervisor.failure import BackupFailed
from prefect_phantom.adapters.supervisor.home.home import PRIVATE_FILE, PRIVATE_FOLDER, Home
from prefect_phantom.adapters.supervisor.home.leftover import end_leftovers
from prefect_phantom.adapters.supervisor.postgres.alone import postgres_alone
from prefect_phantom.adapters.supervisor.postgres.postgres import own_binaries

Waiting = Literal["run", "fail"]


async def restore(
    settings: Settings, file: Path, *, waiting: Waiting | None = None
) -> tuple[Manifest, Settled]:
    """Make the home of `settings` from `file`, or from standard input when that is `PIPE`.

    It is there as a whole or not at all. An archive is trusted like code: what it holds decides
    what the new installation runs, and who may log in to it.

    `waiting` says whether runs that were not over at the backup may still be carried out. What ran
    on after its backup may have carried them out, so by default they fail then, and run when
    nothing ran.

    Raises:
        BackupFailed, CannotStart: with the sentence to show.
    """
    home = Home(settings.home)
    _refuse_used(home)
    with read(file) as archive:
        manifest = archive.manifest
        manifest.refuse_newer()
        draft = Home(home.path.with_name(f".{home.path.name}.restoring"))
        await _clear(draft)
        try:
            draft.prepare()
            _write_files(draft, archive)
            if not manifest.stopped:
                # A worker ends what one of its name and key has left: that of the first home may
                # be alive, and on this machine.
                draft.runtime_key_file.unlink(missing_ok=True)
            filling = _Filling(archive, waiting or ("run" if manifest.stopped else "fail"))
            if settings.database_url is not None:
                async with filling.undone_on_failure(settings.database_url):
                    settled = await filling.fill(settings.database_url)
                    draft.path.rename(home.path)
            else:
                with draft.lock():
                    async with postgres_alone(draft) as server:
                        settled = await filling.fill(server)
                draft.path.rename(home.path)
        finally:
            await _clear(draft)
    return manifest, settled


def _refuse_used(home: Home) -> None:
    if home.lock_file.exists():
        with home.lock():  # raises when something works on it
            pass
    if home.path.exists() and (not home.path.is_dir() or any(home.path.iterdir())):
        raise BackupFailed(f"{home.path} is not empty: restore into a new folder with --home")


async def _clear(draft: Home) -> None:
    """Remove what a restore that was broken off has left."""
    if draft.path.exists():
        await end_leftovers(draft.path)
        await asyncio.to_thread(shutil.rmtree, draft.path)


def _write_files(home: Home, archive: Reading) -> None:
    for name, content in archive.files():
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise BackupFailed(f"The backup names a file outside of the home: {name}")
        file = home.path / inside
        file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        file.touch(PRIVATE_FILE)
        file.write_bytes(content)


class _Filling:
    """Fills the databases on a server from an archive."""

    def __init__(self, archive: Reading, waiting: Waiting) -> None:
        self._archive = archive
        self._manifest = archive.manifest
        self._waiting = waiting
        self._made: list[str] = []
        self._found: list[str] = []

    @asynccontextmanager
    async def undone_on_failure(self, server: str) -> AsyncIterator[None]:
        """Drop the databases that were made here when the block fails; others are named."""
        try:
            yield
        except BaseException as error:
            left = list(self._found)
            for name in self._made:
                try:
                    await drop_database(server, name)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    left.append(name)
            if left and isinstance(error, Exception):
                raise BackupFailed(
                    f"{error}; the database {' and '.join(left)} on that server may hold a part of"
                    " the backup: drop it"
                ) from error
            raise

    async def fill(self, server: str) -> Settled:
        try:
            for name in self._manifest.databases:
                if await create_database(server, name):
                    self._made.append(name)
                    continue
                await _refuse_full(server, name)
            for name in self._manifest.databases:
                if name not in self._made:
                    self._found.append(name)
                with self._archive.dump(f"{name}.dump") as entry:
                    await asyncio.to_thread(load, own_binaries(), server, name, entry)
            self._archive.require_whole()
            return await self._settle(server)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise BackupFailed(f"PostgreSQL cannot be used ({error})") from error

    async def _settle(self, server: str) -> Settled:
        """Have both databases agree about runs whose processes are not there any more."""
        database = await Database.open(server, PHANTOM_DATABASE)
        try:
            await restored.free_worker_names(database)
            if not self._manifest.stopped:
                await restored.leave_out_ids(database)
            own_prefect = PREFECT_DATABASE in self._manifest.databases
            if self._waiting == "fail":
                reason = (
                    f"Restored from a backup of {self._manifest.time:%Y-%m-%d %H:%M:%S} UTC: what"
                    " the run did after that is not known; start the playbook once more if need be"
                )
                settled = await restored.end_open(database, reason)
            else:
                settled = Settled(failed=0)
            if own_prefect:
                connection = await asyncpg.connect(dsn(database_url(server, PREFECT_DATABASE)))
                try:
                    await restored_prefect.free_slots(connection)
                    if self._waiting == "fail":
                        await restored_prefect.delete_overdue(connection)
                    unfinished = await restored_prefect.unfinished(connection)
                    await restored.compare_again(database, unfinished)
                    offered = await restored.offered(database)
                    present = await restored_prefect.present(connection, offered)
                    await restored.queue_again(database, set(offered) - present)
                finally:
                    await connection.close()
            return settled
        finally:
            await database.close()


async def _refuse_full(server: str, name: str) -> None:
    connection = await asyncpg.connect(dsn(database_url(server, name)))
    try:
        if await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"):
            raise BackupFailed(
                f"The database {name} on that server is not empty: drop it, or name another server"
            )
    finally:
        await connection.close()
