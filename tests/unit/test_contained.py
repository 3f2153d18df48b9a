"""The first process of a container: it ends its run in time, whatever the gateway does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from uuid import uuid4

# Its run says that it runs, and sleeps.
PROGRAM = """
import sys
from prefect_phantom.flows.process import contained
run = "print('runs', flush=True)\\nimport time\\ntime.sleep(600)"
contained.ENGINE = (sys.executable, "-c", run)
contained.Watch.exited = lambda *_: None
sys.exit(contained.main())
"""


def test_a_run_ends_when_it_is_told_to_although_the_gateway_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            **os.environ,
            "PREFECT__FLOW_RUN_ID": str(uuid4()),
            "PREFECT_PHANTOM_RUNTIME_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "PREFECT_PHANTOM_TICKET": "a ticket",
        }
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE
        ) as contained:
            assert contained.stdout is not None
            assert contained.stdout.readline() == b"runs\n"
            asking, _ = silent.accept()
            with asking:
                contained.send_signal(signal.SIGTERM)
                # Half as long as its question would take to be given up.
                assert contained.wait(15) == 128 + signal.SIGTERM
