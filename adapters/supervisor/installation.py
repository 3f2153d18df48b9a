"""What was decided at this start of `up`: every part is run from these facts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Self

from sqlalchemy.engine import URL

from prefect_phantom.adapters.security.random_text import random_text
from prefect_phantom.adapters.settings import PHANTOM_DATABASE, PREFECT_DATABASE, Settings
from prefect_phantom.adapters.store.database.database import database_url
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.account import Account
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.port import free_ports, require_free
from prefect_phantom.adapters.supervisor.postgres.roles import as_role

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Ports of one start. None where no part of ours listens."""

    gateway: int
    runtime: int
    prefect: int | None
    """None when the user runs the Prefect server."""
    whois: int | None
    """None without sample data."""

    @classmethod
    def choose(cls, settings: Settings, home: Home) -> Self:
        """Choose the ports; a 0 becomes a number here, so that a restarted part keeps its port.

        Raises `CannotStart` when one is taken.
        """
        runtime, prefect, whois = free_ports(LOOPBACK, 3)
        gateway = settings.port or free_ports(settings.host, 1)[0]
        require_free(settings.host, gateway, "--port")
        if "runtime_port" not in settings.model_fields_set:
            # Nobody has it written down: a second installation takes another one.
            runtime = _preferred(settings.runtime_port, runtime)
        elif settings.runtime_port:
            runtime = settings.runtime_port
            require_free(settings.runtime_host, runtime, "PREFECT_PHANTOM_RUNTIME_PORT")
        own_prefect = "PREFECT_API_URL" not in os.environ
        if own_prefect and settings.prefect_port:
            prefect = settings.prefect_port
            require_free(LOOPBACK, prefect, "--prefect-port")
        return cls(
            gateway=gateway,
            runtime=runtime,
            prefect=prefect if own_prefect else None,
            whois=_kept_whois_port(home, whois) if settings.sample_data else None,
        )


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Settings and home, with ports resolved and secrets read."""

    settings: Settings
    home: Home
    surroundings: Mapping[str, str]
    """The environment in which `up` was started."""
    database_server: str
    """PostgreSQL server of both databases, as a ``postgresql://`` URL."""
    ports: Ports
    account: Account | None = None
    """As whom the worker is started; None is as whoever has started `up`."""
    generated_password: str | None = field(default=None, repr=False)
    """Password made for the first administrator, to be shown once."""

    @property
    def url(self) -> str:
        """Where callers on this machine reach the REST contract."""
        scheme = "http" if self.settings.http else "https"
        return f"{scheme}://{_reached(self.settings.host)}:{self.ports.gateway}"

    @property
    def runtime_url(self) -> str:
        """Where runs on this machine reach the runtime API."""
        given = self.settings.runtime_url
        return given or f"http://{_reached(self.settings.runtime_host)}:{self.ports.runtime}"

    @property
    def runtime_key(self) -> str:
        """Shared secret of the gateway and its workers."""
        key = self.settings.runtime_key
        return key.get_secret_value() if key else self.home.runtime_key

    @property
    def prefect_url(self) -> str:
        """Address of our Prefect server, which is also that of its UI."""
        return f"http://{LOOPBACK}:{self.ports.prefect}"

    @property
    def prefect_api_url(self) -> str:
        """Address of the Prefect API, ours or the user's own."""
        own = self.ports.prefect is not None
        return f"{self.prefect_url}/api" if own else self.surroundings["PREFECT_API_URL"]

    @property
    def phantom_database_url(self) -> str:
        """The server as the gateway reaches it."""
        return self._as_role(PHANTOM_DATABASE)

    @property
    def prefect_database_url(self) -> str:
        """Database of our Prefect server, with its password if it has one."""
        url: URL = database_url(self._as_role(PREFECT_DATABASE), PREFECT_DATABASE)
        return url.render_as_string(hide_password=False)

    def _as_role(self, role: str) -> str:
        """On the embedded server each part has a role; one of the user's has what its URL says."""
        embedded = self.settings.database_url is None
        return as_role(self.database_server, role) if embedded else self.database_server


def _reached(host: str) -> str:
    """How a URL names, on this machine, a part that listens on `host`."""
    try:
        address = ip_address(host or LOOPBACK)
    except ValueError:
        return host  # a name
    if isinstance(address, IPv6Address):
        return "[::1]" if address.is_unspecified else f"[{address}]"
    # Whoever listens on every address of the machine is reached on its loopback too.
    return LOOPBACK if address.is_unspecified else str(address)


def make_password() -> str:
    """Return a new password for the first administrator, of 120 bits."""
    return random_text(15)


def _kept_whois_port(home: Home, fresh: int) -> int:
    """The port of the last start, so that the asset stays as it was; another if it is taken."""
    file = home.whois_port_file
    kept = int(file.read_text(encoding="ascii")) if file.exists() else fresh
    port = _preferred(kept, fresh)
    home.write(file, f"{port}\n")
    return port


def _preferred(port: int, fresh: int) -> int:
    try:
        require_free(LOOPBACK, port, "")
    except CannotStart:
        return fresh
    return port
