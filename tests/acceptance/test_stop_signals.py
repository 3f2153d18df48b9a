"""Gateway and worker that are started by themselves end by each signal, with all they started."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from tests.system import HEARING, OWN_ENVIRONMENT, PASSWORD, PROGRAM, RUN_SECONDS, System

STOPS = [
    signal.SIGHUP,
    *(pytest.param(each, marks=pytest.mark.long) for each in STOP_SIGNALS if each != signal.SIGHUP),
]


@contextmanager
def started(
    part: str, environment: dict[str, str], log: Path, sign: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A part whose log says that it works, and that has started others."""
    pipes = Pipes([part])
    with log.open("wb") as output:
        program = subprocess.Popen(
            [*HEARING, PROGRAM, part],
            env=environment | pipes.environment(part),
            pass_fds=pipes.descriptors(part),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + RUN_SECONDS
        while sign not in log.read_text() or not psutil.Process(program.pid).children():
            assert program.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield program
    finally:
        program.kill()
        program.wait()
        pipes.close()


def ends_with_all_it_started(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    others = psutil.Process(program.pid).children(recursive=True)
    program.send_signal(number)
    assert program.wait(RUN_SECONDS) == 0
    _, left = psutil.wait_procs(others, RUN_SECONDS)
    assert left == []


@pytest.mark.parametrize("number", STOPS)
def test_a_gateway_ends(tmp_path: Path, own_postgres_url: str, number: signal.Signals) -> None:
    environment = OWN_ENVIRONMENT | {
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_PHANTOM_DATABASE_URL": own_postgres_url,
        "PREFECT_PHANTOM_ADMIN_PASSWORD": PASSWORD,
        "PREFECT_PHANTOM_RUNTIME_KEY": "the runtime key of a test",
        "PREFECT_PHANTOM_HTTP": "true",
        "PREFECT_PHANTOM_PORT": "0",
        "PREFECT_PHANTOM_RUNTIME_PORT": "0",
        "PREFECT_PHANTOM_LEASE_PORT": "0",
    }
    with started("gateway", environment, tmp_path / "log", "Started server process") as gateway:
        ends_with_all_it_started(gateway, number)


@pytest.mark.parametrize("number", STOPS)
def test_a_worker_ends(system: System, tmp_path: Path, number: signal.Signals) -> None:
    environment = system.worker_environment() | {
        "PREFECT_PHANTOM_WORKER_NAME": f"stopped by {number.name}",
        "PREFECT_PHANTOM_WORK_POOL": "stopped",
    }
    with started("worker", environment, tmp_path / "log", "ready\n") as worker:
        ends_with_all_it_started(worker, number)
