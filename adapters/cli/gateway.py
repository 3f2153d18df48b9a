"""``gateway``: that part alone, as `up` starts it."""

from __future__ import annotations

import uvloop

from adapters import descriptors
from adapters.gateway import run_gateway
from adapters.log import log_to_stderr
from adapters.output import never_wait_for_output
from adapters.settings import Settings
from flows.undumpable import become_undumpable


def gateway() -> None:
    """Serve the REST contract and the runtime API; settings come from the environment."""
    become_undumpable()
    never_wait_for_output()
    log_to_stderr()
    descriptors.raise_limit()
    uvloop.run(run_gateway(Settings()))
