"""``worker``: that part alone, as `up` starts it, and templates for Prefect's workers instead."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from prefect_phantom.adapters.cli.connection import fail
from prefect_phantom.adapters.process import descriptors
from prefect_phantom.adapters.process.first_process import leave_first_process
from prefect_phantom.adapters.process.log import log_to_stderr
from prefect_phantom.adapters.process.output import never_wait_for_output
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.worker.job_templates import PoolType, WorkerMissing, job_template
from prefect_phantom.adapters.worker.worker import run_worker
from prefect_phantom.flows.inside.runtime.ticket import ticket_key
from prefect_phantom.flows.process.undumpable import become_undumpable

app = App(name="worker", help="Run playbooks; settings come from the environment.")


@app.default
def worker() -> None:
    """Run playbooks; settings come from the environment."""
    become_undumpable(sought=True)  # by another worker of this name
    leave_first_process()
    never_wait_for_output()
    log_to_stderr()
    descriptors.raise_limit()
    sys.exit(asyncio.run(run_worker(Settings())))


@app.command
def template(
    *,
    pool_type: Annotated[PoolType, Parameter(name="--type", help="Type of the work pool.")],
    image: Annotated[str, Parameter(help="Image with this program and the playbooks.")],
    runtime_url: Annotated[
        str,
        Parameter(
            env_var="PREFECT_PHANTOM_RUNTIME_URL", help="Where containers reach the runtime API."
        ),
    ],
    key_name: Annotated[
        str,
        Parameter(help="Prefect's Secret block, or the cluster's Secret, with the ticket key."),
    ] = "prefect-phantom-ticket-key",
) -> None:
    """Print a base job template for a work pool whose runs Prefect's own worker starts."""
    try:
        made = job_template(
            pool_type,
            image=image,
            runtime_url=runtime_url,
            key_name=key_name,
            grace_seconds=Settings().grace_seconds,
        )
    except WorkerMissing as error:
        fail(str(error))
    sys.stdout.write(json.dumps(made, indent=2) + "\n")


@app.command(name="ticket-key")
def print_ticket_key(
    *, home: Annotated[Path | None, Parameter(help="Folder of the installation.")] = None
) -> None:
    """Print the key that containers make tickets with; it opens less than the runtime key.

    It is made of PREFECT_PHANTOM_RUNTIME_KEY, or else of the runtime key in the home.
    """
    settings = Settings() if home is None else Settings(home=home)
    key = settings.runtime_key.get_secret_value() if settings.runtime_key else ""
    if not key:
        try:
            key = Home(settings.home).runtime_key_file.read_text(encoding="ascii").strip()
        except OSError as error:
            fail(
                f"There is no runtime key: set PREFECT_PHANTOM_RUNTIME_KEY, or name the home of an"
                f" installation with --home ({error.strerror})"
            )
    sys.stdout.write(ticket_key(key) + "\n")
