"""Ports of the loopback or of the address that is served."""

from __future__ import annotations

import errno
import random
import socket
from contextlib import ExitStack

from prefect_phantom.adapters.supervisor.failure import CannotStart

CHOSEN = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, one of which could have taken the port
by the time that the part it is meant for listens."""


def free_ports(host: str, count: int) -> list[int]:
    """Return `count` different ports that are free on `host` now.

    Raises `CannotStart` when `host` is no address of this machine, or when all are in use.
    """
    with ExitStack() as sockets:  # all are held open until the last is found, so none comes twice
        listeners = [sockets.enter_context(_free(host)) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in listeners]


def require_free(host: str, port: int, option: str) -> None:
    """Raise `CannotStart` when `port` cannot be listened on; `option` is what changes it."""
    _bound(host, port, option).close()


def _free(host: str) -> socket.socket:
    # One that fails for another reason than that its port is in use fails with any port.
    _bound(host, 0, "--host").close()
    for port in random.sample(CHOSEN, len(CHOSEN)):
        try:
            return _bound(host, port, "--host")
        except CannotStart:
            continue
    raise CannotStart(f"No port of {host} from {CHOSEN[0]} to {CHOSEN[-1]} is free")


def _bound(host: str, port: int, option: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CannotStart(f"{host} is no address: choose another with --host") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # with SO_REUSEADDR, only this fails where another socket listens
    except OSError as error:
        listener.close()
        raise CannotStart(_sentence(error, host, port, option)) from error
    return listener


def _sentence(error: OSError, host: str, port: int, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: choose another with {option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: choose another with --host"
    return f"Port {port} on {host} cannot be used ({error.strerror}): choose another with {option}"
