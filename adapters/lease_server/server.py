"""What the process does: it serves renewals until its standard input ends."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop
from pydantic import SecretStr
from sqlalchemy import make_url

from adapters.log import log_to_stderr
from adapters.output import never_wait_for_output
from adapters.rest.protocol import Protocol
from adapters.rest.runtime_leases import create_lease_application
from adapters.settings import Settings
from adapters.store.database import Database

DATABASE_CONNECTIONS = 2


def main(descriptor: int) -> None:
    """Serve at the listening socket `descriptor`; the first line that is read says what for."""
    # It ends with the gateway and not before: until then there may be runs that end otherwise.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    never_wait_for_output()
    log_to_stderr()
    with open(0, "rb", buffering=0, closefd=False) as lines:
        orders = json.loads(lines.readline())
    gc.collect()
    gc.freeze()
    uvloop.run(_serve(socket.socket(fileno=descriptor), orders))


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(listening: socket.socket, orders: dict[str, Any]) -> None:
    database = Database(make_url(orders["database"]), pool_size=DATABASE_CONNECTIONS)
    application = create_lease_application(
        database=database,
        settings=Settings(runtime_key=SecretStr(orders["key"])),
        address=orders["address"],
        names=orders["names"],
    )
    listener = _Server(
        uvicorn.Config(
            application,
            http=Protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )

    def stop() -> None:
        listener.should_exit = True

    # Nothing comes after the orders but the end, when the gateway is gone.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop)
    try:
        await listener.serve([listening])
    finally:
        await database.close()
