"""Parts that learn by the end of a pipe that whoever started them has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from prefect_phantom.adapters.process.parent import PIPES
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from prefect_phantom.adapters.supervisor.postgres.postgres import ATTACHED

ORDER = ("first", "second")
OURS = """
import threading
from prefect_phantom.adapters.process.parent import Parent
parent = Parent()
parent.stop_after({})
parent.say_ready()
threading.Event().wait()
"""
SECONDS = 60


def start(pipes: Pipes, part: str, command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=os.environ | pipes.environment(part),
        pass_fds=pipes.descriptors(part),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def ours(pipes: Pipes, part: str, stop: str = "") -> subprocess.Popen[str]:
    process = start(pipes, part, [sys.executable, "-c", OURS.format(stop)])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(*processes: subprocess.Popen[str]) -> list[int]:
    codes = []
    for process in processes:
        codes.append(process.wait(SECONDS))
        if process.stdout is not None:
            process.stdout.close()
    return codes


@pytest.mark.attack("a supervisor that is killed", "its parts stop, in the order of their need")
def test_a_part_stops_after_its_parent_and_those_that_need_it() -> None:
    pipes = Pipes(ORDER)
    first = ours(pipes, "first", "lambda: __import__('os')._exit(7)")
    second = ours(pipes, "second", "lambda: __import__('os')._exit(8)")
    pipes.close()
    assert end(first, second) == [7, 8]


def test_a_part_that_others_need_goes_on_while_they_do() -> None:
    pipes = Pipes(ORDER)
    first = ours(pipes, "first", "lambda: None, 600")
    second = ours(pipes, "second")
    pipes.close()
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.2)
    first.kill()
    assert end(first, second) == [-signal.SIGKILL, -signal.SIGTERM]


def test_a_frozen_part_holds_up_the_others_for_a_while_only() -> None:
    pipes = Pipes(ORDER)
    first = ours(pipes, "first")
    hasty = (
        "from prefect_phantom.adapters.process import parent\n"
        f"parent.FOLLOWERS_SECONDS = 0.1\n{OURS}"
    )
    second = start(pipes, "second", [sys.executable, "-c", hasty.format("")])
    assert second.stdout is not None
    assert second.stdout.readline() == "ready\n"
    first.send_signal(signal.SIGSTOP)
    pipes.close()
    assert end(second) == [-signal.SIGTERM]
    first.send_signal(signal.SIGCONT)
    assert end(first) == [-signal.SIGTERM]


def test_a_frozen_program_that_is_not_ours_is_woken_to_its_end() -> None:
    pipes = Pipes(ORDER)
    program = start(pipes, "second", [*ATTACHED, "sh", "-c", "echo ready; exec sleep 600"])
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(signal.SIGSTOP)
    pipes.close()
    assert end(program) == [-signal.SIGINT]


def test_a_part_that_does_not_stop_is_killed() -> None:
    pipes = Pipes(ORDER)
    deaf = ours(pipes, "second", "lambda: None, 0.01")
    pipes.close()
    assert end(deaf) == [-signal.SIGKILL]


def test_a_part_says_once_that_it_is_ready() -> None:
    pipes = Pipes(ORDER)
    assert not pipes.says_ready("first")
    first = ours(pipes, "first")
    assert pipes.says_ready("first")
    assert not pipes.says_ready("first")
    assert not pipes.says_ready("second")
    pipes.close()
    assert end(first) == [-signal.SIGTERM]


def test_a_program_that_is_not_ours_is_stopped_by_sigint_also_in_the_background() -> None:
    pipes = Pipes(ORDER)
    in_background = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell's `&` has it
    try:
        program = start(pipes, "second", [*ATTACHED, "sleep", "600"])
    finally:
        signal.signal(signal.SIGINT, in_background)
    pipes.close()
    assert end(program) == [-signal.SIGINT]


def test_the_variable_alone_says_nothing() -> None:
    program = (
        "from prefect_phantom.adapters.process.parent import Parent\n"
        "Parent().stop_after()\nParent().say_ready()"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=os.environ | {PIPES: "97,98,99"}, check=False, timeout=SECONDS
    )
    assert done.returncode == 0
