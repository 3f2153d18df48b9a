"""The client of a run in processes that its playbook forks."""

from __future__ import annotations

import subprocess
import sys

FORKS = """
import os
from prefect_phantom.flows.process.warm.client import RunClient

made = []
begin = RunClient.__init__
RunClient.__init__ = lambda client, **settings: made.append(1) or begin(client, **settings)
client = RunClient(httpx_settings={})
first = client._client
for _ in range(6):
    if child := os.fork():
        os.waitpid(child, 0)
        os._exit(0)
print(len(made), client._client is first, flush=True)
"""


def test_each_generation_of_forked_processes_makes_one_client_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert done.stdout == "7 False\n"
