"""The embedded PostgreSQL, as the supervisor runs it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.home.leftover import (
    DATABASE_PART,
    end_leftovers,
    find_leftovers,
)
from prefect_phantom.adapters.supervisor.logs.logs import Logs
from prefect_phantom.adapters.supervisor.parts.environment import postgres_environment
from prefect_phantom.adapters.supervisor.parts.part import Part, State
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from prefect_phantom.adapters.supervisor.postgres.alone import postgres_alone
from prefect_phantom.adapters.supervisor.postgres.postgres import Postgres

STOP_SECONDS = 10


@pytest.fixture
def home() -> Iterator[Home]:
    # Not below pytest's temporary folder: the path of a socket may not be longer than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="home-"))
    home = Home(folder)
    home.prepare()
    yield home
    shutil.rmtree(folder)


class Reports:
    """What the part told of itself."""

    def __init__(self) -> None:
        self.states: asyncio.Queue[State] = asyncio.Queue()

    def __call__(self, _part: str, state: State, _words: str) -> None:
        self.states.put_nowait(state)

    async def until(self, state: State) -> None:
        async with asyncio.timeout(60):
            while await self.states.get() != state:
                pass


@asynccontextmanager
async def running(home: Home) -> AsyncIterator[tuple[Postgres, Reports]]:
    """PostgreSQL on `home`, stopped at the end of the block, with nothing left of it."""
    postgres = Postgres(home, postgres_environment(home, os.environ))
    reports = Reports()
    await postgres.prepare()
    logs = Logs({}, print)
    await logs.start()
    part = Part(postgres.definition(), home.path, reports, Pipes([DATABASE_PART]), logs)
    await part.start()
    await reports.until(State.READY)
    try:
        yield postgres, reports
    finally:
        await part.stop(asyncio.get_running_loop().time() + STOP_SECONDS)
        await logs.close()
    assert find_leftovers(home.path) == []


async def _ask(postgres: Postgres, question: str) -> object:
    connection = await asyncpg.connect(postgres.url, database="postgres")
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def _postmaster(postgres: Postgres) -> int:
    return int((postgres.data / "postmaster.pid").read_text().splitlines()[0])


async def test_it_listens_on_its_socket_alone_and_has_what_prefect_needs(home: Home) -> None:
    async with running(home) as (postgres, _):
        assert await _ask(postgres, "SHOW listen_addresses") == ""
        assert await _ask(postgres, "SHOW server_encoding") == "UTF8"
        found = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
        assert await _ask(postgres, found) == 1


async def test_it_is_restarted_after_a_kill_and_has_lost_nothing(home: Home) -> None:
    async with running(home) as (postgres, reports):
        await _ask(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(_postmaster(postgres), signal.SIGKILL)
        await reports.until(State.ENDED)
        await reports.until(State.READY)
        assert await _ask(postgres, "SELECT answer FROM kept") == 42


async def test_what_another_start_left_is_shut_down_gently(home: Home) -> None:
    postgres = Postgres(home, postgres_environment(home, os.environ))
    await postgres.prepare()
    definition = postgres.definition()
    with definition.log.open() as log:
        left = await asyncio.create_subprocess_exec(
            *definition.command,
            env=dict(definition.environment),
            stderr=log,
            start_new_session=True,
        )
    while not await definition.ready():
        await asyncio.sleep(0.05)
    assert await end_leftovers(home.path) > 1
    assert await left.wait() == 0
    assert "database system is shut down" in definition.log.path.read_text()


async def test_what_a_killed_initdb_left_is_made_anew(home: Home) -> None:
    (home.postgres / "data.draft").mkdir()
    (home.postgres / "data.draft" / "PG_VERSION").write_text("half")
    async with running(home) as (postgres, _):
        assert await _ask(postgres, "SELECT 1") == 1


async def test_a_home_with_a_long_path_has_its_socket_elsewhere(home: Home) -> None:
    long = Home(home.path / ("long" * 25))
    long.prepare()
    async with running(long) as (postgres, _):
        assert postgres.sockets.stat().st_mode & 0o777 == 0o700
        assert not postgres.sockets.is_relative_to(long.path)
    postgres.sockets.rmdir()


async def test_a_socket_folder_that_others_can_enter_is_refused(home: Home) -> None:
    (home.postgres / "socket").mkdir()
    (home.postgres / "socket").chmod(0o777)
    with pytest.raises(CannotStart, match="was made by somebody else"):
        await Postgres(home, postgres_environment(home, os.environ)).prepare()


async def test_root_without_user_namespaces_is_told_the_way_out(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CannotStart, match="or name a PostgreSQL server with --database-url"):
        await Postgres(home, postgres_environment(home, os.environ)).prepare()


async def test_a_server_that_cannot_start_says_why(home: Home) -> None:
    postgres = Postgres(home, postgres_environment(home, os.environ))
    await postgres.prepare()
    (postgres.data / "PG_VERSION").write_text("9\n")
    logs = Logs({}, print)
    await logs.start()
    part = Part(postgres.definition(), home.path, Reports(), Pipes([DATABASE_PART]), logs)
    with pytest.raises(CannotStart, match=r"PostgreSQL cannot start: .*FATAL: .*--database-url"):
        await part.start()
    await logs.close()


async def test_what_writes_its_log_alone_is_not_ended_as_a_part_of_it(home: Home) -> None:
    async with postgres_alone(home):
        leftovers = find_leftovers(home.path)
        parts = {
            each.part
            for each in leftovers
            if "log_writer" in " ".join(psutil.Process(each.pid).cmdline())
        }
        for each in leftovers:
            each.close()
    assert parts == {"logs"}
