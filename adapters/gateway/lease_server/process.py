"""The gateway's side of the process: it holds the socket, and starts another when one ends."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
from asyncio.subprocess import Process
from collections.abc import Collection
from contextlib import suppress

from sqlalchemy import URL

from prefect_phantom.adapters.process.private_program import INHERITED, command, secrets_apart
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.flows.inside.runtime.ticket import RUNTIME_KEY_VARIABLE

STOP_SECONDS = 3.0
logger = logging.getLogger("prefect_phantom.leases")


class LeaseProcess:
    """Keeps one process that renews leases.

    The socket is the gateway's, so whoever connects while none lives waits for the next. `names`
    are those by which it may be asked; None is any.
    """

    def __init__(
        self, settings: Settings, database_url: URL, names: Collection[str] | None = None
    ) -> None:
        self._listening = _listen(settings)
        self.address: dict[str, str | int] = (
            {"url": settings.lease_url}
            if settings.lease_url
            else {"port": self._listening.getsockname()[1]}
        )
        """Where guardians find it: its URL, or its port on the host of the runtime API."""
        key = settings.runtime_key
        self._secrets = {
            "PREFECT_PHANTOM_DATABASE_URL": database_url.render_as_string(hide_password=False),
            RUNTIME_KEY_VARIABLE: key.get_secret_value() if key else "",
        }
        self._orders = {
            "address": self.address,
            "names": None if names is None else list(names),
        }

    async def run(self) -> None:
        """Run one process until it ends, which it does not while all is well."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name in INHERITED or name.startswith("PG")  # which PostgreSQL's client reads
        }
        theirs, ours = os.pipe()
        with os.fdopen(ours, "wb", buffering=0) as orders:
            with (
                os.fdopen(theirs, "rb") as stdin,
                secrets_apart(inherited | self._secrets) as (environment, passed),
            ):
                process = await asyncio.create_subprocess_exec(
                    *command(
                        os.environ,
                        "prefect_phantom.adapters.gateway.lease_server",
                        str(self._listening.fileno()),
                    ),
                    pass_fds=[self._listening.fileno(), *passed],
                    stdin=stdin,
                    env=environment,
                )
            try:
                orders.write(json.dumps(self._orders).encode() + b"\n")
                code = await process.wait()
                logger.error(
                    "The process that renews leases has ended (%d); one is started anew", code
                )
            finally:
                orders.close()
                await _end(process)

    def close(self) -> None:
        """Give up the socket."""
        self._listening.close()


async def _end(process: Process) -> None:
    """Wait for the end of a process whose standard input is closed."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _listen(settings: Settings) -> socket.socket:
    """The socket. Its port is told to whoever needs it, so another does unless one was chosen.

    Raises `SystemExit` when the chosen one cannot be had.
    """
    host, port = settings.runtime_host, settings.lease_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or "lease_port" in settings.model_fields_set:
            message = f"PREFECT_PHANTOM_LEASE_PORT: port {port} of {host}: {error.strerror}"
            raise SystemExit(message) from error
    listening = socket.create_server((host, 0), family=family, backlog=2048)
    logger.info("Leases are renewed on port %d: %d is in use", listening.getsockname()[1], port)
    return listening
