"""The names by which a gateway may be asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from prefect_phantom.adapters.security.exposure import is_loopback
from prefect_phantom.adapters.settings import Settings

HOSTS_FILE = Path("/etc/hosts")
"""What stands in it no name server can change."""


def host_names(settings: Settings, listener: str) -> frozenset[str] | None:
    """The names by which a listener on the address `listener` may be asked; None is any.

    Callers of a listener that others reach use names that nobody told us. On loopback there are
    few, and a name that is none of them may be that of a page which a browser has open.
    """
    if not settings.allowed_hosts and not is_loopback(listener):
        return None
    return frozenset(name.rstrip(".").lower() for name in _names(settings) if name)


def _names(settings: Settings) -> Iterator[str]:
    yield "localhost"
    own = socket.gethostname()
    yield from (own, own.partition(".")[0])
    yield from _loopback_names(own)
    yield from settings.allowed_hosts
    for url in (settings.base_url, settings.runtime_url, settings.lease_url):
        yield urlsplit(url or "").hostname or ""
    yield from (settings.host, settings.runtime_host)


def _loopback_names(own: str) -> Iterator[str]:
    """What this machine calls itself: the names of loopback, and those beside `own`."""
    try:
        lines = HOSTS_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if own in names or (names and is_loopback(address)):
            yield from names
