"""Output that cannot be written holds nobody up."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from prefect_phantom.adapters.process.output import MOST_TEXTS, Output

LONG = 60.0


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, TextIO]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as writer:
        yield reader, writer


def test_what_is_written_arrives_in_its_order(pipe: tuple[TextIO, TextIO]) -> None:
    reader, writer = pipe
    output = Output(writer)
    print("one", file=output)
    print("two", file=output)
    assert output.drain(LONG)
    writer.close()
    assert reader.read() == "one\ntwo\n"


@pytest.mark.attack(
    "a pipe as output that is full and that nobody reads", "nobody waits; what comes then is lost"
)
def test_a_full_pipe_that_nobody_reads_holds_up_nobody(pipe: tuple[TextIO, TextIO]) -> None:
    reader, writer = pipe
    output = Output(writer)
    for _ in range(2 * MOST_TEXTS):
        output.write("x" * 64)
    assert not output.drain(0.0)
    # A reader who comes at last finds the beginning.
    assert reader.read(64) == "x" * 64
    reader.close()
    assert output.drain(LONG)


def test_a_closed_pipe_is_no_error(pipe: tuple[TextIO, TextIO]) -> None:
    reader, writer = pipe
    reader.close()
    output = Output(writer)
    print("lost", file=output)
    assert output.drain(LONG)


def test_a_full_disk_is_no_error() -> None:
    with Path("/dev/full").open("w") as full:
        output = Output(full)
        print("lost", file=output)
        assert output.drain(LONG)


def test_closed_standard_streams_are_filled_before_others_have_their_numbers() -> None:
    program = (
        "import os;"
        "from prefect_phantom.adapters.process.output import never_wait_for_output as never;"
        "never(); os._exit(min(os.pipe()))"
    )
    command = f"exec '{sys.executable}' -c '{program}' <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, check=False).returncode > 2


def test_a_stream_that_was_closed_before_the_start_is_no_error() -> None:
    output = Output(None)
    print("lost", file=output)
    assert output.drain(LONG)
    assert not output.isatty()
