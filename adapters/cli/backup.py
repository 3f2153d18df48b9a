"""``backup``: write a home into one file, also while `up` runs on it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from adapters.cli.connection import fail
from adapters.cli.up import given_settings
from adapters.supervisor.backup import back_up
from adapters.supervisor.failure import BackupFailed, CannotStart


def backup(
    file: Annotated[Path, Parameter(help="File to write; it must not be there.")],
    *,
    home: Annotated[Path | None, Parameter(help="Folder of the installation.")] = None,
    database_url: Annotated[
        str | None, Parameter(help="PostgreSQL server of the installation, if it has its own.")
    ] = None,
    postgres: Annotated[
        Path | None,
        Parameter(help="Programs of the PostgreSQL that made the home, if of another version."),
    ] = None,
) -> None:
    """Write both databases, the certificate and the secrets of a home to FILE, mode 0600."""
    settings = given_settings(home, database_url)
    try:
        manifest = asyncio.run(back_up(settings, file, binaries=postgres))
    except (BackupFailed, CannotStart) as error:
        fail(str(error))
    state = "nothing ran on it" if manifest.stopped else "it was in use"
    sys.stdout.write(f"{file}: {settings.home} of {manifest.time:%Y-%m-%d %H:%M:%S} UTC; {state}\n")
