"""What PostgreSQL's own programs are started with."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_phantom.adapters.supervisor.backup.dump import dump, load

SHOWS = """#!/bin/sh
password=$(cat "$PGPASSFILE") kind=$(stat -L -c "%F %a" "$PGPASSFILE")
env
tr '\\0' ' ' < /proc/self/cmdline
printf '\\n%s\\n%s\\n' "$password" "$kind"
"""


def program(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return folder


@pytest.mark.attack(
    "a process that reads environment and arguments of pg_dump during a backup, as the same user",
    "finds nothing of ours, and no password",
)
@pytest.mark.parametrize("given", ["postgresql://me:se%3Acret@db/", "postgresql://me@db/"])
def test_the_password_is_in_neither_environment_nor_arguments(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_PHANTOM_DATABASE_URL", "postgresql://me:se%3Acret@db/")
    monkeypatch.setenv("PGPASSWORD", "se:cret")
    monkeypatch.setenv("PGAPPNAME", "ours")
    written = io.BytesIO()
    dump(program(tmp_path, "pg_dump", SHOWS), given, "phantom", "snapshot", written)
    lines = written.getvalue().decode().splitlines()
    assert lines[-2:] == [r"*:*:*:*:se\:cret", "regular file 600"]
    assert {"PGHOST=db", "PGUSER=me", "PGDATABASE=phantom", "PGAPPNAME=ours"} <= set(lines)
    assert "cret" not in "".join(lines[:-2])


READS_AGAIN = """#!/bin/sh
printf '%s\n' "$(cat "$PGPASSFILE")"
for _ in $(seq 500); do [ -s "$PGPASSFILE" ] || break; sleep 0.01; done
cat "$PGPASSFILE"
"""


@pytest.mark.attack(
    "a process that reads the file with the password during a backup, as the same user",
    "it is empty once pg_dump has connected",
)
def test_the_password_is_gone_once_the_program_has_connected(tmp_path: Path) -> None:
    written = io.BytesIO()
    server = "postgresql://me:secret@db/"
    dump(program(tmp_path, "pg_dump", READS_AGAIN), server, "phantom", "snapshot", written)
    assert written.getvalue() == b"*:*:*:*:secret\n"


def test_a_database_is_filled_with_the_password_in_no_environment_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    shown = tmp_path / "shown"
    shows = program(tmp_path, "pg_restore", f"#!/bin/sh\nenv > {shown}\ncat > /dev/null\n")
    load(shows, "postgresql://me@db/", "phantom", io.BytesIO(b"dump"))
    assert "PGPASSFILE=/dev/fd/" in shown.read_text()
    assert "secret" not in shown.read_text()


CLOSED = """
import ctypes, importlib, sys
from pathlib import Path
module = importlib.import_module(f"prefect_phantom.adapters.cli.parts.{sys.argv[1]}")
def dumpable(*_, **__):
    sys.exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
module.back_up = module.make_home = dumpable
getattr(module, sys.argv[1])(Path("file"), home=Path("/nowhere"))
"""


@pytest.mark.attack(
    "a process that reads the environment of `backup` or `restore` with a database's password",
    "permission denied",
)
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_the_commands_are_closed_to_others_of_their_user(command: str) -> None:
    assert subprocess.run([sys.executable, "-c", CLOSED, command], check=False).returncode == 0
