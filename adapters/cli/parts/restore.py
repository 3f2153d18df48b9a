"""``restore``: make a new home from the file of a backup."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from prefect_phantom.adapters.cli.connection import fail
from prefect_phantom.adapters.cli.parts.backup import refuse_option
from prefect_phantom.adapters.cli.parts.up import given_settings
from prefect_phantom.adapters.supervisor.backup.restore import Waiting
from prefect_phantom.adapters.supervisor.backup.restore import restore as make_home
from prefect_phantom.adapters.supervisor.failure import BackupFailed, CannotStart
from prefect_phantom.flows.process.undumpable import become_undumpable


def restore(
    file: Annotated[
        Path,
        Parameter(
            allow_leading_hyphen=True,
            validator=refuse_option,
            help="File that `backup` has written. - is standard input.",
        ),
    ],
    *,
    home: Annotated[Path | None, Parameter(help="Folder to make; it must be empty.")] = None,
    database_url: Annotated[
        str | None, Parameter(help="PostgreSQL server to use instead of the embedded one.")
    ] = None,
    waiting: Annotated[
        Waiting | None,
        Parameter(
            help="What becomes of runs that were not over: by default they fail when the home was"
            " in use at the backup, since they may have run after it, and run otherwise."
        ),
    ] = None,
) -> None:
    """Make a home from FILE. Start it with `prefect-phantom up` afterwards.

    Restore only what you would run: an archive is trusted like code. It holds the users who may log
    in, and what Prefect runs.
    """
    become_undumpable()
    settings = given_settings(home, database_url)
    try:
        manifest, settled = asyncio.run(make_home(settings, file, waiting=waiting))
    except (BackupFailed, CannotStart) as error:
        fail(str(error))
    sys.stdout.write(
        f"{settings.home}: as it was at {manifest.time:%Y-%m-%d %H:%M:%S} UTC;"
        f" {settled.failed} open runs were ended\n"
    )
