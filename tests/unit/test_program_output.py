"""What a worker's program prints: passed on, whatever it is."""

from __future__ import annotations

import asyncio
import os

import pytest

from prefect_phantom.adapters.worker.processes.program_output import LONGEST_LINE, ProgramOutput


async def test_what_runs_print_steers_no_terminal_of_whoever_watches_the_worker(capsys):
    read, write = os.pipe()
    os.write(write, b"\x1b[2Jhidden\r \xe2\x80\xae\nWorker 'x' started!\n")
    os.close(write)
    heard: list[str] = []
    output = ProgramOutput(read, heard.append)
    await output.ended.wait()
    output.close()
    assert heard[1] == "Worker 'x' started!"
    assert capsys.readouterr().out == "\\u001b[2Jhidden\\u000d \\u202e\nWorker 'x' started!\n"


@pytest.mark.attack(
    "a playbook prints 300 kB on one line", "it is passed on in parts, and later runs can print"
)
async def test_one_long_line_keeps_nobody_from_printing_afterwards(capsys):
    read, write = os.pipe()
    heard: list[str] = []
    output = ProgramOutput(read, heard.append)
    await asyncio.to_thread(_print, write, b"x" * 300_000 + b"\n")
    await asyncio.to_thread(_print, write, b"the next run\n")
    os.close(write)
    await output.ended.wait()
    output.close()
    assert heard[-1] == "the next run"
    lines = capsys.readouterr().out.splitlines()
    assert "".join(lines) == "x" * 300_000 + "the next run"
    assert max(map(len, lines)) <= LONGEST_LINE


async def test_a_line_that_cannot_be_passed_on_closes_nothing():
    read, write = os.pipe()
    heard: list[str] = []

    def fail_first(line: str) -> None:
        heard.append(line)
        if len(heard) == 1:
            raise ValueError(line)

    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, each: failures.append(each))
    output = ProgramOutput(read, fail_first)
    os.write(write, b"one\n")
    while not failures:
        await asyncio.sleep(0)
    os.write(write, "zwei \u00fc".encode()[:-1])
    while output._rest != "zwei ":
        await asyncio.sleep(0)
    os.write(write, "\u00fc".encode()[-1:] + b"\nthe end of it")
    os.close(write)
    await output.ended.wait()
    output.close()
    assert heard == ["one", "zwei \u00fc", "the end of it"]


def _print(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]
