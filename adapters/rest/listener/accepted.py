"""A connection that was taken and that nobody serves yet."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeAlias

from prefect_phantom.adapters.rest.listener.connections import Place
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns

Serve: TypeAlias = Callable[[socket.socket, Place], object]


class Accepted:
    """Waits until its client has said something, where that comes first, and then for its turn.

    `serve` is called with the connection and its place; not if it gives way before that, or if its
    client says nothing for `silent_seconds`. With None the client's word is not waited for. Until
    it is served or closed it is `among` the others.
    """

    def __init__(
        self,
        connection: socket.socket,
        place: Place,
        turns: LoopTurns,
        serve: Serve,
        *,
        among: set[Accepted],
        silent_seconds: float | None,
    ) -> None:
        self._connection = connection
        self._place = place
        self._turns = turns
        self._serve = serve
        self._among = among
        self._loop = asyncio.get_running_loop()
        self._late: asyncio.TimerHandle | None = None
        among.add(self)
        place.close = self.close
        if silent_seconds is None:
            self._take_turn()
        else:
            self._late = self._loop.call_later(silent_seconds, self.close)
            self._loop.add_reader(connection, self._heard)

    def close(self) -> None:
        """End the connection."""
        self._among.discard(self)
        self._hear_no_more()
        self._place.leave()
        self._connection.close()

    def _heard(self) -> None:
        self._hear_no_more()
        self._take_turn()

    def _hear_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
            self._loop.remove_reader(self._connection)

    def _take_turn(self) -> None:
        self._turns.call(self._place.address, self._begin)

    def _begin(self) -> bool:
        """Have it served, unless it was closed meanwhile."""
        if self not in self._among:
            return False
        self._among.remove(self)
        self._serve(self._connection, self._place)
        return True
