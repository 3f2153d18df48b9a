"""PostgreSQL's own programs that write a database into a stream, and back.

They are not closed to others of their user, as our own are. So they see nothing of our environment
but how to reach the server, and the password in a file that has no name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from sqlalchemy import make_url

from prefect_phantom.adapters.process.private_program import OF_POSTGRESQL
from prefect_phantom.adapters.store.database.database import database_url
from prefect_phantom.adapters.supervisor.failure import BackupFailed
from prefect_phantom.adapters.supervisor.home.home import PRIVATE_FILE
from prefect_phantom.adapters.supervisor.parts.environment import SYSTEM_NAMES

CHUNK_BYTES = 1024 * 1024


def dump(binaries: Path, server: str, name: str, snapshot: str, to: IO[bytes]) -> None:
    """Write the database `name` as it was in `snapshot`. Raises `BackupFailed`."""
    options = ["--format=custom", f"--snapshot={snapshot}", "--no-owner", "--no-privileges"]
    command = [str(binaries / "pg_dump"), *options]
    with tempfile.TemporaryFile() as words, _password(server) as password:
        environment = _environment(server, name, password)
        process = _start(command, environment, password, words, stdout=subprocess.PIPE)
        with process:
            read = cast("IO[bytes]", process.stdout)
            to.write(read.read(1))
            for descriptor in password:  # it has connected, and needs no other connection
                os.truncate(descriptor, 0)
            shutil.copyfileobj(read, to, CHUNK_BYTES)
        _require_success(process, words, f"The database {name} cannot be read")


def load(binaries: Path, server: str, name: str, source: IO[bytes]) -> None:
    """Fill the empty database `name` from what `dump` has written. Raises `BackupFailed`."""
    options = ["--no-owner", "--no-privileges", "--single-transaction", f"--dbname={name}"]
    command = [str(binaries / "pg_restore"), *options]
    with tempfile.TemporaryFile() as words, _password(server) as password:
        environment = _environment(server, name, password)
        process = _start(command, environment, password, words, stdin=subprocess.PIPE)
        try:
            with process:
                shutil.copyfileobj(source, cast("IO[bytes]", process.stdin), CHUNK_BYTES)
        except BrokenPipeError:
            process.wait()  # it says below why it takes no more
        _require_success(process, words, f"The database {name} cannot be written")


def _start(
    command: Sequence[str],
    environment: Mapping[str, str],
    password: Sequence[int],
    words: IO[bytes],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """The program under way; what it complains of goes to `words`. Raises `BackupFailed`."""
    try:
        return subprocess.Popen(  # noqa: S603 - no shell; the words are ours
            command, env=environment, pass_fds=password, stdin=stdin, stdout=stdout, stderr=words
        )
    except OSError as error:
        raise BackupFailed(f"{command[0]} cannot be started ({error.strerror})") from error


@contextmanager
def _password(server: str) -> Iterator[Sequence[int]]:
    """The descriptor of a file for PostgreSQL's client to read it from; nothing without one."""
    url = make_url(server)
    text = url.password or url.query.get("password") or os.environ.get("PGPASSWORD")
    if not text:
        yield ()
        return
    descriptor = os.memfd_create("password")
    try:
        os.fchmod(descriptor, PRIVATE_FILE)  # it reads no file that is open to others
        escaped = re.sub(r"([\\:])", r"\\\1", str(text))
        os.write(descriptor, f"*:*:*:*:{escaped}\n".encode())
        yield (descriptor,)
    finally:
        os.close(descriptor)


def _environment(server: str, name: str, password: Sequence[int]) -> Mapping[str, str]:
    """How the programs reach the server."""
    url = database_url(server, name)
    query = {key: value for key, value in url.query.items() if isinstance(value, str)}
    inherited = {
        key: value
        for key, value in os.environ.items()
        if (key in SYSTEM_NAMES or key.startswith(("LC_", "PG"))) and key not in OF_POSTGRESQL
    }
    values = {
        "PGHOST": query.get("host") or url.host,
        "PGPORT": query.get("port") or url.port,
        "PGUSER": url.username or query.get("user"),
        "PGSSLMODE": query.get("sslmode") or query.get("ssl"),
        "PGDATABASE": name,
        "PGPASSFILE": f"/dev/fd/{password[0]}" if password else None,
    }
    return inherited | {key: str(value) for key, value in values.items() if value}


def _require_success(process: subprocess.Popen[bytes], words: IO[bytes], sentence: str) -> None:
    if process.returncode:
        words.seek(0)
        lines = words.read().decode(errors="replace").strip().splitlines()
        raise BackupFailed(f"{sentence}: {lines[0] if lines else process.returncode}")
