"""``gateway``: that part alone, as `up` starts it."""

from __future__ import annotations

import uvloop

from prefect_phantom.adapters.gateway.gateway import run_gateway
from prefect_phantom.adapters.process import descriptors
from prefect_phantom.adapters.process.log import log_to_stderr
from prefect_phantom.adapters.process.output import never_wait_for_output
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.flows.process.undumpable import become_undumpable


def gateway() -> None:
    """Serve the REST contract and the runtime API; settings come from the environment."""
    become_undumpable()
    never_wait_for_output()
    log_to_stderr()
    descriptors.raise_limit()
    uvloop.run(run_gateway(Settings()))
