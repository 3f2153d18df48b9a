from __future__ import annotations

import asyncio
import os

from adapters.prefect.worker import _forward


async def test_what_runs_print_steers_no_terminal_of_whoever_watches_the_worker(capsys):
    read, write = os.pipe()
    os.write(write, b"\x1b[2Jhidden\r \xe2\x80\xae\nWorker 'x' started!\n")
    os.close(write)
    started = asyncio.Event()
    await _forward(read, started)
    assert started.is_set()
    assert capsys.readouterr().out == "\\u001b[2Jhidden\\u000d \\u202e\nWorker 'x' started!\n"
