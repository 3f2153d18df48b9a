"""A server on one address, which knows how many connections it may have.

uvicorn serves what is sent over a connection. It hears of a connection when TLS has been agreed
on, so `Listener` takes them itself: those that never shake hands count as well.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from prefect_phantom.adapters.rest.listener.accepted import Accepted
from prefect_phantom.adapters.rest.listener.connections import Connections, Place
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.listener.protocol import Protocol
from prefect_phantom.adapters.rest.request.address import parse

HANDSHAKE_SECONDS = 30.0
"""How long a client may take to agree on TLS, and to end it."""
AT_ONCE = 4
"""Connections that are taken before everything else has its turn."""
PAUSE_SECONDS = 1.0
"""How long none is taken after the system had no descriptor or memory for one."""
TOLD_SECONDS = 60.0
"""How often the log says that connections were closed for others."""
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
START_FAILED = 3
"""Exit code of a program that cannot have its address, as uvicorn's."""
STOP_SECONDS = 3
"""How long requests may take that are under way at the end."""
logger = logging.getLogger("prefect_phantom.listener")


class Listener(uvicorn.Server):
    """Serves an application, by TLS when there is a certificate, to whom `connections` admits.

    Who connects waits for one of the `turns`, but for addresses that speak for many. A connection
    is over when its other side has not taken what was sent for `taken_seconds`, as after the loss
    of its power; None leaves that to the system, which waits for a quarter of an hour.
    """

    def __init__(
        self,
        application: ASGIApp,
        connections: Connections,
        *,
        host: str = "",
        port: int = 0,
        certificate: str | None = None,
        certificate_key: str | None = None,
        turns: LoopTurns | None = None,
        taken_seconds: float | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                host=host,
                port=port,
                http=Protocol,
                ws="none",
                loop="uvloop",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                # Whom a proxy speaks for is read by `Proxies`.
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS,
                ssl_certfile=certificate,
                ssl_keyfile=certificate_key,
            )
        )
        self.connections = connections
        self._turns = turns or LoopTurns()
        self._taken_seconds = taken_seconds
        self._tls: dict[str, Any] = {}
        self._accepted: set[Accepted] = set()
        self._opening: set[asyncio.Task[Any]] = set()
        self._told = 0.0

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which has several listeners."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections, at `sockets` or at the configured address."""
        if self.config.ssl is not None:
            self._tls = {
                "ssl": self.config.ssl,
                "ssl_handshake_timeout": HANDSHAKE_SECONDS,
                "ssl_shutdown_timeout": HANDSHAKE_SECONDS,
            }
        try:
            listening = sockets or await _bind(self.config)
        except OSError:
            logger.exception("Cannot listen on %s port %d", self.config.host, self.config.port)
            sys.exit(START_FAILED)
        servers: list[Any] = [_Accepting(each, self._admit, self.connections) for each in listening]
        self.servers = servers
        if sockets is None:
            self._log_started_message(listening)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and end those that there are."""
        for accepted in list(self._accepted):
            accepted.close()
        for opening in self._opening:
            opening.cancel()
        await super().shutdown(sockets)

    def _admit(self, accepted: socket.socket, address: str) -> None:
        """Serve an accepted connection in its turn, if there is room for it."""
        if self._taken_seconds is not None:
            milliseconds = round(self._taken_seconds * 1000)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        place = self.connections.admit(parse(address))
        self._tell()
        if place is None:
            accepted.close()
        elif place.is_exempt:
            self._open(accepted, place)
        else:
            # To agree on TLS is what costs most: who says nothing does not even begin with it.
            silent_seconds = HANDSHAKE_SECONDS if self._tls else None
            Accepted(
                accepted,
                place,
                self._turns,
                self._open,
                among=self._accepted,
                silent_seconds=silent_seconds,
            )

    def _open(self, accepted: socket.socket, place: Place) -> None:
        """Begin to serve it."""
        loop = asyncio.get_running_loop()
        protocol = Protocol(self.config, self.server_state, {}, loop, place=place)
        opening = loop.create_task(
            loop.connect_accepted_socket(lambda: protocol, accepted, **self._tls)
        )
        place.close = opening.cancel

        def opened(_: asyncio.Task[Any]) -> None:
            self._opening.discard(opening)
            if opening.cancelled() or (error := opening.exception()) is not None:
                place.leave()
                accepted.close()
                if not (opening.cancelled() or isinstance(error, OSError)):
                    logger.error("A connection failed", exc_info=error)

        self._opening.add(opening)
        opening.add_done_callback(opened)

    def _tell(self) -> None:
        if self.connections.closed and (now := asyncio.get_running_loop().time()) >= self._told:
            self._told = now + TOLD_SECONDS
            logger.warning(
                "Port %d has %d connections, and one address no more than it may have: %d were "
                "closed or refused for others",
                *(self.config.port, len(self.connections), self.connections.closed),
            )
            self.connections.closed = 0


class _Accepting:
    """A socket whose connections are taken, in the form in which uvicorn ends its servers."""

    def __init__(
        self,
        listening: socket.socket,
        admit: Callable[[socket.socket, str], None],
        connections: Connections,
    ) -> None:
        self.sockets = (listening,)
        self._listening = listening
        self._admit = admit
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        self._begin()

    def close(self) -> None:
        """Take no more connections."""
        self._loop.remove_reader(self._listening)
        self._listening.close()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def _begin(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            if not self._connections.are_settled:
                return  # until the next turn
            try:
                accepted, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                logger.warning("No connection can be taken: %s", error.strerror)
                self._loop.remove_reader(self._listening)
                self._loop.call_later(PAUSE_SECONDS, self._begin)
                return
            accepted.setblocking(False)
            self._admit(accepted, address[0])


async def _bind(config: uvicorn.Config) -> list[socket.socket]:
    """Sockets at each address that the configured host has."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return [
        socket.create_server(address[:2], family=family, backlog=config.backlog)
        for family, address in dict.fromkeys((each[0], each[4]) for each in found)
    ]
