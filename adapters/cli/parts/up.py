"""``up``: start all parts on this machine, and stop them together."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import ValidationError

from prefect_phantom.adapters.cli.connection import fail
from prefect_phantom.adapters.process import descriptors
from prefect_phantom.adapters.process.output import never_wait_for_output
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.installation import Installation
from prefect_phantom.adapters.supervisor.progress import Progress
from prefect_phantom.adapters.supervisor.supervisor import Supervisor
from prefect_phantom.flows.process.undumpable import become_undumpable


def up(
    *,
    home: Annotated[Path | None, Parameter(help="Folder of this installation.")] = None,
    host: Annotated[str | None, Parameter(help="Address to serve on.")] = None,
    port: Annotated[int | None, Parameter(help="Port to serve on; 0 picks a free one.")] = None,
    http: Annotated[bool | None, Parameter(help="Serve plain HTTP instead of HTTPS.")] = None,
    prefect_port: Annotated[
        int | None, Parameter(help="Port of the Prefect server and its UI; 0 picks a free one.")
    ] = None,
    playbooks: Annotated[
        list[Path] | None, Parameter(negative=(), help="Folder of playbooks; may be repeated.")
    ] = None,
    sample_data: Annotated[
        bool | None, Parameter(help="Make container 42, and answer WHOIS questions about it.")
    ] = None,
    database_url: Annotated[
        str | None, Parameter(help="PostgreSQL server to use instead of the embedded one.")
    ] = None,
) -> None:
    """Start PostgreSQL, Prefect, the gateway and a worker; stop them at SIGTERM or Ctrl-C.

    Prints ``ready: <url>`` on standard output when requests are served. What is not given is taken
    from the variables ``PREFECT_PHANTOM_*``.
    """
    become_undumpable(sought=True)  # by who starts another `up` on this home
    given: dict[str, Any] = {
        "home": home,
        "host": host,
        "port": port,
        "http": http,
        "prefect_port": prefect_port,
        "playbooks": playbooks,
        "sample_data": sample_data,
        "database_url": database_url,
    }
    never_wait_for_output()
    descriptors.raise_limit()
    with Progress() as progress:
        try:
            settings = Settings(
                **{name: value for name, value in given.items() if value is not None}
            )
            supervisor = Supervisor(
                settings, progress.report, lambda installation: _show(installation, progress)
            )
            asyncio.run(supervisor.run())
        except ValidationError as error:
            progress.finish()
            progress.note(_sentence(error))
        except CannotStart as error:
            progress.finish()
            progress.note(str(error))
        else:
            return
    raise SystemExit(1)


def given_settings(home: Path | None, database_url: str | None) -> Settings:
    """The settings, with what is given on the command line; what is wrong ends the command."""
    given: dict[str, Any] = {"home": home, "database_url": database_url}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        fail(_sentence(error))


def _show(installation: Installation, progress: Progress) -> None:
    progress.finish()
    home = installation.home
    if installation.ports.prefect is not None:
        progress.note(f"Prefect UI: {installation.prefect_url} (login in {home.prefect_auth_file})")
    progress.note(f"logs: {home.logs}")
    sys.stdout.write(f"ready: {installation.url}\n")
    sys.stdout.flush()


def _sentence(error: ValidationError) -> str:
    wrong = (
        f"--{'-'.join(str(step) for step in each['loc']).replace('_', '-')}: {each['msg']}"
        for each in error.errors()
    )
    return f"Wrong settings: {'; '.join(wrong)}"
