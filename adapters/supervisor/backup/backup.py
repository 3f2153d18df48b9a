"""Writing a home into one file, whether something runs on it or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from prefect_phantom.adapters.settings import PHANTOM_DATABASE, PREFECT_DATABASE, Settings
from prefect_phantom.adapters.store.database.database import database_url, dsn
from prefect_phantom.adapters.supervisor.backup.archive import HOME, MANIFEST, Writing, create
from prefect_phantom.adapters.supervisor.backup.dump import dump
from prefect_phantom.adapters.supervisor.backup.manifest import Manifest
from prefect_phantom.adapters.supervisor.failure import BackupFailed, HomeInUse
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.home.leftover import find_leftovers
from prefect_phantom.adapters.supervisor.postgres.alone import postgres_alone
from prefect_phantom.adapters.supervisor.postgres.postgres import own_binaries, socket_url

IN_ORDER = (PREFECT_DATABASE, PHANTOM_DATABASE)
"""Ours is the truth about a run, so its snapshot is the later one, if only by milliseconds: what
Prefect had not begun at its own, ours may say has ended; never the other way round."""
LEASES = "concurrency_leases"
"""Prefect's leases of slots: those of processes that a restored home does not have."""


async def back_up(settings: Settings, file: Path, *, binaries: Path | None = None) -> Manifest:
    """Write the home of `settings` to `file`, or to standard output when that is `PIPE`.

    `binaries` are the programs of another PostgreSQL, which has made the home's data folder.

    Raises:
        BackupFailed, CannotStart: with the sentence to show.
    """
    home = Home(settings.home)
    if settings.database_url is not None:
        return await _write(home, settings.database_url, file, stopped=False)
    if not (home.postgres / "data").is_dir():
        raise BackupFailed(f"{home.path} is no home of prefect-phantom: name one with --home")
    try:
        with home.lock():
            if not _left_alone(home):
                return await _write(home, socket_url(home), file, stopped=False)
            async with postgres_alone(home, binaries) as server:
                return await _write(home, server, file, stopped=True)
    except HomeInUse:
        return await _write(home, socket_url(home), file, stopped=False)


def _left_alone(home: Home) -> bool:
    """Whether nothing runs on the home any more, as it does when `up` was killed."""
    leftovers = find_leftovers(home.path)
    for leftover in leftovers:
        leftover.close()
    return not leftovers


async def _write(home: Home, server: str, file: Path, *, stopped: bool) -> Manifest:
    try:
        async with _snapshots(server) as snapshots:
            with create(file) as archive:
                ours = snapshots[PHANTOM_DATABASE][0]
                manifest = Manifest(
                    time=datetime.now(UTC),
                    stopped=stopped,
                    databases=list(snapshots),
                    prefect_phantom=version("prefect-phantom"),
                    prefect=version("prefect"),
                    postgresql=await ours.fetchval("SHOW server_version"),
                    schema_revision=await ours.fetchval("SELECT version_num FROM alembic_version"),
                    settings=_settings(home),
                )
                archive.add(MANIFEST, f"{manifest.model_dump_json(indent=2)}\n".encode())
                _write_files(home, archive)
                for name, (_, snapshot) in snapshots.items():
                    with archive.open(f"{name}.dump") as entry:
                        await asyncio.to_thread(dump, own_binaries(), server, name, snapshot, entry)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise BackupFailed(f"PostgreSQL cannot be used ({error})") from error
    return manifest


@asynccontextmanager
async def _snapshots(server: str) -> AsyncIterator[dict[str, tuple[asyncpg.Connection, str]]]:
    """Open all snapshots one right after the other, and hold them until the end of the block.

    A user's own Prefect server may have its database elsewhere: then there is ours alone.
    """
    async with AsyncExitStack() as stack:
        connections: list[tuple[str, asyncpg.Connection]] = []
        for name in IN_ORDER:
            with suppress(asyncpg.InvalidCatalogNameError):
                connection = await asyncpg.connect(dsn(database_url(server, name)))
                stack.push_async_callback(connection.close)
                connections.append((name, connection))
        if PHANTOM_DATABASE not in dict(connections):
            raise BackupFailed("There is no database phantom on that server")
        found = {}
        for name, connection in connections:
            transaction = connection.transaction(isolation="repeatable_read", readonly=True)
            await transaction.start()
            stack.push_async_callback(transaction.rollback)
            found[name] = connection, await connection.fetchval("SELECT pg_export_snapshot()")
        yield found


def _write_files(home: Home, archive: Writing) -> None:
    kept: Sequence[Path] = (
        home.certificate,
        home.certificate_key,
        home.operator_token_file,
        home.prefect_auth_file,
        home.runtime_key_file,
        home.whois_port_file,
    )
    for file in (*kept, *_files_of_prefect(home)):
        with suppress(FileNotFoundError):  # there are homes without it; Prefect's come and go
            archive.add(f"{HOME}{file.relative_to(home.path)}", _content(file))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read ({error.strerror})") from error


def _files_of_prefect(home: Home) -> Iterator[Path]:
    for file in sorted(home.prefect.rglob("*")):
        if LEASES not in file.parts and file.is_file() and not file.is_symlink():
            yield file


def _settings(home: Home) -> dict[str, str]:
    """What the home was last started with, for whoever sets the restored one up."""
    with suppress(FileNotFoundError):  # `up` was never started on it
        settings: dict[str, str] = json.loads(_content(home.settings_file))
        return settings
    return {}
