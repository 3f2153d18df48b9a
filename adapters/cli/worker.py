"""``worker``: that part alone, as `up` starts it, and templates for Prefect's workers instead."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated

from cyclopts import App, Parameter

from adapters.cli.connection import fail
from adapters.log import log_to_stderr
from adapters.output import never_wait_for_output
from adapters.prefect.job_templates import PoolType, WorkerMissing, job_template
from adapters.prefect.worker import run_worker
from adapters.settings import Settings
from flows.undumpable import become_undumpable

app = App(name="worker", help="Run playbooks; settings come from the environment.")


@app.default
def worker() -> None:
    """Run playbooks; settings come from the environment."""
    become_undumpable()
    never_wait_for_output()
    log_to_stderr()
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
        Parameter(help="Prefect's Secret block, or the cluster's Secret, with the runtime key."),
    ] = "prefect-phantom-runtime-key",
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
