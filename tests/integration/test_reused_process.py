"""A reused process as the worker holds it: a real process that answers, without Prefect."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from prefect_phantom.adapters.worker.processes.channel import Channel
from prefect_phantom.adapters.worker.processes.reused_process import ReusedProcess, ReusedRun
from prefect_phantom.adapters.worker.processes.run_process import RunProcess
from prefect_phantom.adapters.worker.processes.templates import Code
from tests.system import is_alive

SERVE = """
import os, socket, sys, time
from prefect_phantom.flows.process.warm.message import pack, receive

os.setsid()
channel = socket.socket(fileno=int(sys.argv[1]))
while (message := receive(channel)) is not None:
    what = message[0]["what"]
    if what == "die":
        os._exit(7)
    if what == "wait":
        time.sleep(600)
    channel.sendall(pack({"code": 0, "reusable": what != "spoil"}))
"""


CODE = Code("playbook.py:playbook", None, "")


@pytest.fixture
def started() -> tuple[int, socket.socket]:
    """Id of a process, and a socket to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.set_inheritable(True)
        command = [sys.executable, "-c", SERVE, str(theirs.fileno())]
        return os.posix_spawn(sys.executable, command, os.environ), ours


@pytest.fixture
async def process(started: tuple[int, socket.socket]) -> AsyncIterator[ReusedProcess]:
    process_id, connection = started
    process = ReusedProcess(RunProcess(process_id), await Channel.open(connection), CODE, {})
    yield process
    await process.kill()


def begin(process: ReusedProcess, what: str, *, keep: bool = True) -> ReusedRun:
    return ReusedRun(process, {"what": what}, lambda _: keep)


async def test_a_stop_that_comes_after_its_run_leaves_the_process_to_the_next(process) -> None:
    first = begin(process, "go")
    assert await first.wait() == 0
    second = begin(process, "wait")
    await first.stop(0)
    assert is_alive(process.process.process_id)
    await second.stop(5)
    assert await second.wait() == -signal.SIGTERM


async def test_a_stop_ends_the_process_although_its_run_has_just_ended(process) -> None:
    run = begin(process, "go", keep=True)
    process.process.stopping = True  # as a stop that is under way when the answer comes
    assert await run.wait() == 0
    assert not is_alive(process.process.process_id)


async def test_a_process_that_dies_of_a_run_has_its_code(process) -> None:
    assert await begin(process, "die").wait() == 7


@pytest.mark.parametrize(("what", "keep"), [("spoil", True), ("go", False)])
async def test_a_process_that_is_not_kept_is_gone_when_its_run_has_ended(
    process, what: str, keep: bool
) -> None:
    assert await begin(process, what, keep=keep).wait() == 0
    assert not is_alive(process.process.process_id)


async def test_an_idle_process_ends_when_the_worker_lets_it_go(process) -> None:
    assert await begin(process, "go").wait() == 0
    process.end()
    assert await process.process.wait() == 0
