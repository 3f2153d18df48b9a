"""How many connections there may be, by the files that the system lets a process open."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from prefect_phantom.adapters.gateway import listeners
from prefect_phantom.adapters.process import descriptors
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.settings import Settings

RAISED = """
import resource
from prefect_phantom.adapters.process import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 900))
print(descriptors.raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
print(descriptors.raise_limit())
"""


def test_the_soft_limit_becomes_the_hard_one():
    answer = subprocess.run(
        [sys.executable, "-c", RAISED], check=True, capture_output=True, text=True
    )
    assert answer.stdout.split() == ["900", "900", "900", "900"]


@pytest.mark.parametrize("limit", [1, 1024, 4096, resource.RLIM_INFINITY])
def test_strangers_cannot_have_what_runs_and_the_database_need(monkeypatch, limit):
    most = descriptors.MOST if limit == resource.RLIM_INFINITY else limit
    monkeypatch.setattr(descriptors, "raise_limit", lambda: most)
    settings = Settings(http=True)
    contract, runtime = listeners.listeners(_nothing, _nothing, settings, LoopTurns())
    both = contract.connections.most + runtime.connections.most
    assert both <= max(2, most - listeners.RESERVED_DESCRIPTORS)
    assert contract.connections.most <= settings.connections
    assert 1 <= contract.connections.most_near <= contract.connections.most
    assert runtime.connections.most >= contract.connections.most


async def _nothing(scope, receive, send) -> None:
    """An application."""
