"""Where a server is by its name: looked up anew, and as it was before while nobody tells."""

from __future__ import annotations

import socket
import threading

LOOKUP_SECONDS = 2.0
"""So long a name is looked up before the address that it had is used."""


class Addresses:
    """The addresses of the servers that are asked. The system's own look-up knows no time limit."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[str, int]] = {}
        self._lookups: dict[tuple[str, int], _Lookup] = {}
        self._beginning = threading.Lock()

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to the server.

        Raises `OSError` when there is none after `seconds`, or as soon as that is clear.
        """
        place = host, port
        known = self._known.get(place)
        # One look-up at a time: where it hangs, the next question waits for the same. Questions
        # come from several threads.
        with self._beginning:
            if (lookup := self._lookups.get(place)) is None:
                lookup = self._lookups[place] = _Lookup(place)
                lookup.begin()
        lookup.wait(seconds if known is None else min(LOOKUP_SECONDS, seconds))
        if not lookup.is_alive():
            self._lookups.pop(place, None)
            if lookup.addresses:
                return self._connect_first(place, lookup.addresses, seconds)
        if known is None:
            message = f"Nobody tells where {host} is"
            raise lookup.error or TimeoutError(message)
        return socket.create_connection(known, timeout=seconds)

    def _connect_first(
        self, place: tuple[str, int], addresses: list[tuple[str, int]], seconds: float
    ) -> socket.socket:
        error: OSError | None = None
        for address in addresses:
            try:
                connection = socket.create_connection(address, timeout=seconds)
            except OSError as failed:
                error = failed
            else:
                self._known[place] = address
                return connection
        raise error or OSError(f"{place[0]} has no address")


class _Lookup(threading.Thread):
    """A name being looked up."""

    def __init__(self, place: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self._place = place
        self.addresses: list[tuple[str, int]] = []
        self.error: OSError | None = None

    def begin(self) -> None:
        """Start, or have failed where the system has no thread for it."""
        try:
            self.start()
        except RuntimeError as error:
            self.error = OSError(str(error))

    def wait(self, seconds: float) -> None:
        """Wait for its end, for so long at most."""
        if self.ident is not None:
            self.join(seconds)

    def run(self) -> None:
        try:
            found = socket.getaddrinfo(*self._place, type=socket.SOCK_STREAM)
        except OSError as error:
            self.error = error
        else:
            self.addresses = [(str(address[0]), int(address[1])) for *_, address in found]
