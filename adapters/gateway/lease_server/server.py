"""What the process does: it serves renewals until its standard input ends."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from typing import Any

import uvloop
from sqlalchemy import make_url

from prefect_phantom.adapters.process import descriptors
from prefect_phantom.adapters.process.log import log_to_stderr
from prefect_phantom.adapters.process.output import never_wait_for_output
from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS
from prefect_phantom.adapters.rest.listener.connections import Connections
from prefect_phantom.adapters.rest.listener.listener import Listener
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.runtime.runtime_leases import create_lease_application
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database

DATABASE_CONNECTIONS = 2
LOCK_SECONDS = 1.0
"""A gateway that stands still may have locked a run; those of others are not to wait for that."""
MOST_CONNECTIONS = 5000
RESERVED_DESCRIPTORS = 50
"""For all but those who connect."""


def main(descriptor: int) -> None:
    """Serve at the listening socket `descriptor`; the first line that is read says what for."""
    # It ends with the gateway and not before: until then there may be runs that end otherwise.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    never_wait_for_output()
    log_to_stderr()
    with open(0, "rb", buffering=0, closefd=False) as lines:
        orders = json.loads(lines.readline())
    gc.collect()
    gc.freeze()
    uvloop.run(_serve(socket.socket(fileno=descriptor), orders))


async def _serve(listening: socket.socket, orders: dict[str, Any]) -> None:
    database = Database(
        make_url(os.environ.pop("PREFECT_PHANTOM_DATABASE_URL")),
        pool_size=DATABASE_CONNECTIONS,
        lock_seconds=LOCK_SECONDS,
    )
    turns = LoopTurns()
    application = create_lease_application(
        database=database,
        settings=Settings(),
        address=orders["address"],
        names=orders["names"],
        turns=turns,
    )
    most = max(1, min(MOST_CONNECTIONS, descriptors.raise_limit() - RESERVED_DESCRIPTORS))
    listener = Listener(application, Connections(most, most), turns=turns)

    def stop() -> None:
        listener.should_exit = True

    # Nothing comes after the orders but the end, when the gateway is gone.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop)
    try:
        await listener.serve([listening])
    finally:
        await database.close()
