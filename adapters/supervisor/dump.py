"""PostgreSQL's own programs that write a database into a stream, and back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from adapters.store.database import database_url
from adapters.supervisor.failure import BackupFailed

CHUNK_BYTES = 1024 * 1024


def dump(binaries: Path, server: str, name: str, snapshot: str, to: IO[bytes]) -> None:
    """Write the database `name` as it was in `snapshot`. Raises `BackupFailed`."""
    command = [str(binaries / "pg_dump"), "--format=custom", f"--snapshot={snapshot}"]
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(  # noqa: S603 - no shell; the words are ours
            [*command, "--no-owner", "--no-privileges"],
            env=_environment(server, name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
        )
        with process:
            shutil.copyfileobj(cast("IO[bytes]", process.stdout), to, CHUNK_BYTES)
        _require_success(process, words, f"The database {name} cannot be read")


def load(binaries: Path, server: str, name: str, source: IO[bytes]) -> None:
    """Fill the empty database `name` from what `dump` has written. Raises `BackupFailed`."""
    options = ["--no-owner", "--no-privileges", "--single-transaction", f"--dbname={name}"]
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(  # noqa: S603 - no shell; the words are ours
            [str(binaries / "pg_restore"), *options],
            env=_environment(server, name),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=words,
        )
        try:
            with process:
                shutil.copyfileobj(source, cast("IO[bytes]", process.stdin), CHUNK_BYTES)
        except BrokenPipeError:
            process.wait()  # it says below why it takes no more
        _require_success(process, words, f"The database {name} cannot be written")


def _environment(server: str, name: str) -> Mapping[str, str]:
    """How the programs reach the server: no password among the words that everybody sees."""
    url = database_url(server, name)
    query = {key: value for key, value in url.query.items() if isinstance(value, str)}
    values = {
        "PGHOST": query.get("host") or url.host,
        "PGPORT": query.get("port") or url.port,
        "PGUSER": url.username or query.get("user"),
        "PGPASSWORD": url.password or query.get("password"),
        "PGSSLMODE": query.get("sslmode") or query.get("ssl"),
        "PGDATABASE": name,
    }
    return {**os.environ, **{key: str(value) for key, value in values.items() if value}}


def _require_success(process: subprocess.Popen[bytes], words: IO[bytes], sentence: str) -> None:
    if process.returncode:
        words.seek(0)
        lines = words.read().decode(errors="replace").strip().splitlines()
        raise BackupFailed(f"{sentence}: {lines[0] if lines else process.returncode}")
