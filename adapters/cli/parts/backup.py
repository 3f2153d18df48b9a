"""``backup``: write a home into one file, also while `up` runs on it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from prefect_phantom.adapters.cli.connection import fail
from prefect_phantom.adapters.cli.parts.up import given_settings
from prefect_phantom.adapters.supervisor.backup.archive import PIPE
from prefect_phantom.adapters.supervisor.backup.backup import back_up
from prefect_phantom.adapters.supervisor.failure import BackupFailed, CannotStart
from prefect_phantom.flows.process.undumpable import become_undumpable


def refuse_option(_: type, file: Path) -> None:
    """Raise ValueError for what begins like an option: a lone hyphen alone is a file here."""
    if file != PIPE and file.name.startswith("-"):
        message = f"There is no option {file}"
        raise ValueError(message)


def backup(
    file: Annotated[
        Path,
        Parameter(
            allow_leading_hyphen=True,
            validator=refuse_option,
            help="File to write; it must not be there. - is standard output.",
        ),
    ],
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
    """Write both databases, the certificate and the secrets of a home to FILE, mode 0600.

    Through a pipe it is encrypted before it reaches a disk: ``backup - | age -r RECIPIENT > FILE``.
    """
    become_undumpable()
    settings = given_settings(home, database_url)
    try:
        manifest = asyncio.run(back_up(settings, file, binaries=postgres))
    except (BackupFailed, CannotStart) as error:
        fail(str(error))
    state = "nothing ran on it" if manifest.stopped else "it was in use"
    said = sys.stderr if file == PIPE else sys.stdout
    said.write(f"{file}: {settings.home} of {manifest.time:%Y-%m-%d %H:%M:%S} UTC; {state}\n")
