"""A home that nothing runs on: written to a file, and made anew, also by another PostgreSQL."""

from __future__ import annotations

import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import anyio
import asyncpg
import pytest
from sqlalchemy import func, select

from prefect_phantom.adapters.settings import PHANTOM_DATABASE, Settings
from prefect_phantom.adapters.store.case import new_containers
from prefect_phantom.adapters.store.database.database import (
    Database,
    create_database,
    database_url,
    dsn,
)
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.supervisor.backup.archive import create
from prefect_phantom.adapters.supervisor.backup.backup import back_up
from prefect_phantom.adapters.supervisor.backup.restore import _Filling, restore
from prefect_phantom.adapters.supervisor.failure import BackupFailed, CannotStart, HomeInUse
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.postgres.alone import postgres_alone
from tests.integration.shop import Shop
from tests.system import OWN_ENVIRONMENT, PROGRAM

OTHERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
"""Other versions of PostgreSQL, as Debian installs them."""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not below pytest's temporary folder: the path of a socket may not be longer than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="kept-"))
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def opened(home: Home, binaries: Path | None = None) -> AsyncIterator[Database]:
    """Our database on the PostgreSQL of `home`, with nothing else running."""
    async with postgres_alone(home, binaries) as server:
        database = await Database.open(server, PHANTOM_DATABASE)
        try:
            yield database
        finally:
            await database.close()


async def make_home(folder: Path, binaries: Path | None = None) -> tuple[Home, dict[str, int]]:
    """A home with a run in each of the places where one can be."""
    home = Home(folder / "old")
    home.prepare()
    home.write(home.certificate, "certificate")
    assert home.runtime_key
    async with opened(home, binaries) as database:
        hunt = FoundPlaybook("local", "hunt", folder="/p", entrypoint="hunt.py:hunt")
        await save_found(database, [hunt])
        new = ContainerFields(name="incident", label="events")
        container_id, _ = await new_containers.create(database, new)
        shop = Shop(database, container_id)
        ids = {"queued": await shop.accept()}
        ids["offered"] = (await shop.hand_over()).playbook_run_id
        ids["claimed"] = (await shop.claim()).playbook_run_id
        ids["cancelling"] = (await shop.claim()).playbook_run_id
        await shop.cancel(ids["cancelling"])
        ids["cancelled"] = await shop.accept()
        await shop.cancel(ids["cancelled"])
    return home, ids


async def read(database: Database, ids: dict[str, int]) -> dict[str, tuple[str, str, bool, bool]]:
    """Of each run: status, message, whether it was claimed, whether it was dispatched."""
    columns = (
        runs.c.id, runs.c.status, runs.c.message,
        runs.c.claim_id.is_not(None), runs.c.dispatch_time.is_not(None),
    )  # fmt: skip
    async with database.read() as connection:
        rows = {row[0]: tuple(row[1:]) for row in await connection.execute(select(*columns))}
    return {name: rows[run_id] for name, run_id in ids.items()}


def member(file: Path, name: str) -> bytes:
    """The content of a file in an archive."""
    with tarfile.open(file) as archive:
        opened = archive.extractfile(name)
        assert opened is not None
        return opened.read()


@dataclass(frozen=True)
class Kept:
    """A home that was stopped, its runs, and the file of its backup."""

    home: Home
    ids: dict[str, int]
    before: dict[str, tuple[str, str, bool, bool]]
    file: Path


@pytest.fixture(scope="module")
async def kept() -> AsyncIterator[Kept]:
    # Not below pytest's temporary folder: the path of a socket may not be longer than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="kept-"))
    home, ids = await make_home(folder)
    async with opened(home) as database:
        before = await read(database, ids)
    manifest = await back_up(Settings(home=home.path), folder / "backup")
    assert manifest.stopped
    yield Kept(home, ids, before, folder / "backup")
    shutil.rmtree(folder)


async def test_a_stopped_home_goes_on_where_it_was(kept, folder):
    new = Home(folder / "new")
    await restore(Settings(home=new.path), kept.file)
    assert new.certificate.read_text() == "certificate"
    assert new.runtime_key == kept.home.runtime_key
    assert stat.S_IMODE(new.runtime_key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    async with opened(new) as database:
        assert await read(database, kept.ids) == kept.before
        async with database.read() as connection:
            highest = await connection.scalar(select(func.max(runs.c.id)))
        assert highest == kept.ids["cancelled"]


async def test_nothing_of_it_is_carried_out_when_it_may_have_been_already(kept, folder):
    new = Home(folder / "new")
    _, settled = await restore(Settings(home=new.path), kept.file, waiting="fail")
    assert settled.failed == 4
    async with opened(new) as database:
        found = await read(database, kept.ids)
    for name in ("queued", "offered", "claimed"):
        status, message, claimed, _ = found[name]
        assert (status, claimed) == ("failed", False)
        assert message.startswith("Restored from a backup of 20")
    for name in ("cancelling", "cancelled"):
        assert found[name][:2] == ("failed", "Cancelled by operator")


async def test_what_is_no_whole_backup_leaves_no_home(kept, folder):
    bad, target = folder / "bad", folder / "new"
    content = bytearray(kept.file.read_bytes())

    async def refused(reason: str) -> None:
        with pytest.raises(BackupFailed, match=reason):
            await restore(Settings(home=target), bad)

    await refused("cannot be read")
    bad.write_bytes(content[: len(content) // 2])
    await refused("damaged")
    bad.write_bytes(b"")
    await refused("is no backup")
    manifest = member(kept.file, "manifest.json").decode()
    bad.unlink()
    with create(bad) as newer:
        text = manifest.replace('"schema_revision": "0', '"schema_revision": "9')
        newer.add("manifest.json", text.encode())
    await refused("of a newer version of prefect-phantom")
    content[len(content) // 3] ^= 0xFF
    bad.write_bytes(content)
    await refused("damaged|cannot be written")
    without_digests = bytes(content[: content.rindex(b"sha256sums")])
    bad.write_bytes(without_digests)
    await refused("damaged|cannot be written")
    assert [each.name for each in folder.iterdir()] == ["bad"]


@pytest.mark.attack(
    "a disk that is read while a backup is made and restored through a pipe that encrypts",
    "nothing of the backup is on it in plain",
)
async def test_a_backup_passes_through_a_pipe_and_is_on_no_disk_in_plain(kept, folder):
    scratch, sealed = folder / "scratch", folder / "sealed"
    scratch.mkdir()
    environment = OWN_ENVIRONMENT | {"TMPDIR": str(scratch), "FILE": str(sealed)}
    # Stands for `age --encrypt` and `age --decrypt`.
    flip = "tr '\\000-\\377' '\\200-\\377\\000-\\177'"
    for words, home in (
        (f'\'{PROGRAM}\' backup - --home "$HOME_FOLDER" | {flip} > "$FILE"', kept.home.path),
        (f'{flip} < "$FILE" | \'{PROGRAM}\' restore - --home "$HOME_FOLDER"', folder / "new"),
    ):
        done = await anyio.run_process(
            ["bash", "-o", "pipefail", "-c", words],
            env=environment | {"HOME_FOLDER": str(home), "LC_ALL": "C"},
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
    assert kept.home.runtime_key.encode() not in sealed.read_bytes()
    assert [each for each in scratch.rglob("*") if each.is_file()] == []
    new = Home(folder / "new")
    assert new.runtime_key == kept.home.runtime_key
    async with opened(new) as database:
        assert await read(database, kept.ids) == kept.before


async def test_a_pipe_that_is_closed_early_is_told_in_a_sentence(kept):
    done = await anyio.run_process(
        ["bash", "-c", f"'{PROGRAM}' backup - --home '{kept.home.path}' | true; exit $PIPESTATUS"],
        env=OWN_ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.decode().startswith("Standard output cannot be written to (Broken pipe)")
    assert len(done.stderr.splitlines()) == 1


async def test_a_backup_of_an_earlier_version_is_restored(kept, folder):
    old = folder / "old.zip"
    with tarfile.open(kept.file) as archive, zipfile.ZipFile(old, "w") as zipped:
        for entry in archive:
            content = archive.extractfile(entry).read()
            name = entry.name.partition(".dump/")
            assert not name[1] or name[2] == "000001"
            zipped.writestr(f"{name[0]}.dump" if name[1] else entry.name, content)
    new = Home(folder / "new")
    await restore(Settings(home=new.path), old)
    async with opened(new) as database:
        assert await read(database, kept.ids) == kept.before


async def test_only_an_empty_home_that_nobody_uses_is_restored_into(kept, folder):
    settings = Settings(home=kept.home.path)
    with pytest.raises(BackupFailed, match="is not empty"):
        await restore(settings, kept.file)
    with kept.home.lock(), pytest.raises(HomeInUse):
        await restore(settings, kept.file)
    with pytest.raises(BackupFailed, match="is no home of prefect-phantom"):
        await back_up(Settings(home=folder / "none"), folder / "other")
    with pytest.raises(BackupFailed, match="is there already"):
        await back_up(settings, kept.file)


async def test_databases_on_a_server_of_the_users_own_are_restored_where_there_are_none(
    kept, folder, own_postgres_url
):
    settings = Settings(home=folder / "new", database_url=own_postgres_url)
    content = kept.file.read_bytes()
    (folder / "bad").write_bytes(content[: content.rindex(b"sha256sums")])
    with pytest.raises(BackupFailed):  # only now that both databases are filled
        await restore(settings, folder / "bad")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(dsn(database_url(own_postgres_url, PHANTOM_DATABASE)))
    await restore(settings, kept.file)
    database = await Database.open(own_postgres_url, PHANTOM_DATABASE)
    assert (await read(database, kept.ids))["queued"][0] == "running"
    await database.close()
    with pytest.raises(BackupFailed, match="database phantom on that server is not empty"):
        await restore(Settings(home=folder / "third", database_url=own_postgres_url), kept.file)
    # Its gateway may run anywhere: nobody can say that nothing did.
    assert not (await back_up(settings, folder / "again")).stopped


@pytest.mark.skipif(not OTHERS, reason="needs another PostgreSQL, such as Debian's postgresql-15")
async def test_a_home_of_another_major_version_is_refused_and_carried_over(folder):
    binaries = OTHERS[-1].parent
    home, ids = await make_home(folder, binaries)
    with pytest.raises(CannotStart, match=f"was made by PostgreSQL {binaries.parent.name} and "):
        async with postgres_alone(home):
            pass
    file, new = folder / "backup", Home(folder / "new")
    manifest = await back_up(Settings(home=home.path), file, binaries=binaries)
    assert manifest.postgresql.startswith(binaries.parent.name)
    await restore(Settings(home=new.path), file)
    assert (new.postgres / "data" / "PG_VERSION").read_text() != binaries.parent.name
    async with opened(new) as database:
        assert (await read(database, ids))["queued"][0] == "running"


async def test_a_database_that_nothing_was_written_to_is_not_said_to_hold_a_part(own_postgres_url):
    for name in ("empty", "full"):
        await create_database(own_postgres_url, name)
    connection = await asyncpg.connect(dsn(database_url(own_postgres_url, "full")))
    await connection.execute("CREATE TABLE something ()")
    await connection.close()
    archive = SimpleNamespace(manifest=SimpleNamespace(databases=["empty", "full"]))
    filling = _Filling(archive, None)
    with pytest.raises(BackupFailed, match="database full on that server is not") as raised:
        async with filling.undone_on_failure(own_postgres_url):
            await filling.fill(own_postgres_url)
    assert "may hold a part" not in str(raised.value)
