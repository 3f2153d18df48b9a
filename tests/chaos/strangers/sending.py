"""The process that sends, at nice 19 and with a part of one processor: `with sending(...)`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from prefect_phantom.adapters.process.descriptors import raise_limit
from tests.benchmarks.process import ROOT
from tests.chaos.strangers.budget import Budget
from tests.chaos.strangers.rows import ROWS, Address, Senders

SHARE = 0.5
NICE = 19


@dataclass
class Sent:
    """What was answered, by row and status, once it is over; and the part of a processor."""

    answers: dict[str, int] = field(default_factory=dict)
    share: float = 0.0


@contextlib.contextmanager
def sending(
    rows: Collection[str],
    *,
    contract: Address,
    runtime: Address,
    token: str = "",
    secure: bool = False,
    share: float = SHARE,
    nice: int = NICE,
) -> Iterator[Sent]:
    """Send these `rows`, keys of `ROWS`, until the end of the block; by TLS where `secure`."""
    orders = json.dumps([list(rows), contract, runtime, token, secure, share, nice])
    command = [sys.executable, "-m", "tests.chaos.strangers.sending", orders]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    sent = Sent()
    try:
        yield sent
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        if output:
            sent.answers, sent.share = json.loads(output)


async def _send(rows: Collection[str], senders: Senders) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    tasks = [asyncio.create_task(each) for row in rows for each in ROWS[row](senders)]
    parent = os.getppid()
    began, before = loop.time(), sum(os.times()[:2])
    while not stop.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
    share = (sum(os.times()[:2]) - before) / (loop.time() - began)
    with contextlib.suppress(OSError):
        print(json.dumps([senders.answers, round(share, 3)]), flush=True)
    del tasks
    os._exit(0)  # thousands of connections, whose ends nobody waits for


def main() -> None:
    """Send what the first argument says, until SIGTERM."""
    rows, contract, runtime, token, secure, share, nice = json.loads(sys.argv[1])
    os.nice(nice)
    # Where each session is scheduled as one, its own value is what counts between sessions.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))
    raise_limit()
    senders = Senders(tuple(contract), tuple(runtime), token, secure, Budget(share))
    asyncio.run(_send(rows, senders))


if __name__ == "__main__":
    main()
