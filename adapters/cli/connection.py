"""Options of every command that talks to a running gateway, and how it is found."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn, TypeAlias

import httpx
from cyclopts import Parameter

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.client import Phantom, PhantomClientError
from prefect_phantom.flows.inside.display.visible_text import visible

HOME: Path = Settings.model_fields["home"].default

AsJson: TypeAlias = Annotated[
    bool, Parameter(name="--json", negative=(), help="Print JSON instead of a table.")
]


class ConnectionMissing(Exception):
    """Nothing says which gateway is meant, or who is asking."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the gateway is and who asks. By default the ones that `up` left in the home folder."""

    url: Annotated[str | None, Parameter(env_var="PREFECT_PHANTOM_URL")] = None
    """Address of the gateway; without it the one of the home folder."""
    token: Annotated[str | None, Parameter(env_var="PREFECT_PHANTOM_TOKEN")] = None
    """Token of the caller; without it the operator's token of the home folder."""
    home: Annotated[Path, Parameter(env_var="PREFECT_PHANTOM_HOME")] = HOME
    """Home folder of an installation on this machine."""
    insecure: Annotated[bool, Parameter(negative=())] = False
    """Do not verify the gateway's certificate."""

    @contextmanager
    def open(self) -> Iterator[Phantom]:
        """A client of the gateway. What goes wrong inside ends the command: one sentence, code 1.

        Raises:
            SystemExit: the gateway refused, was not found or did not answer.
        """
        try:
            url = self.address()
            with Phantom(url, token=self.credentials(url), verify=self.verification()) as phantom:
                yield phantom
        except BrokenPipeError:
            # The reader of our output has enough, as `head` does. Nothing more can be written.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except (PhantomClientError, ConnectionMissing, httpx.InvalidURL, OSError) as error:
            fail(str(error))

    @property
    def folder(self) -> Home:
        """The home folder, which need not exist."""
        return Home(self.home)

    def address(self) -> str:
        """Where the gateway is. Raises `ConnectionMissing` when nothing says so."""
        url = self.url or _read(self.folder.url_file)
        if url is None:
            raise ConnectionMissing(
                f"No gateway runs on {self.folder.path}: start it with `prefect-phantom up`, "
                "or name one with --url."
            )
        return url

    def credentials(self, url: str) -> str:
        """Whose token is shown to the gateway at `url`. Raises `ConnectionMissing`."""
        if self.token:
            return self.token
        # The operator's token may do everything: it is shown to no gateway but its own.
        if httpx.URL(url) != httpx.URL(_read(self.folder.url_file) or ""):
            raise ConnectionMissing(
                f"{url} is not the gateway of {self.folder.path}: give its --token too."
            )
        token = _read(self.folder.operator_token_file)
        if token is None:
            raise ConnectionMissing(
                f"{self.folder.path} has no operator token: give a --token, or start the gateway "
                "with `prefect-phantom up`."
            )
        return token

    def verification(self) -> bool | ssl.SSLContext:
        """How the gateway's certificate is verified, in httpx' own terms."""
        certificate = self.folder.certificate
        if self.insecure or not certificate.is_file():
            return not self.insecure
        context = httpx.create_ssl_context()
        context.load_verify_locations(certificate)
        return context


DEFAULT = Connection()
"""The installation in the default home folder."""


def fail(sentence: str, code: int = 1) -> NoReturn:
    """Print a sentence on stderr and end the command.

    Raises:
        SystemExit: always, with `code`.
    """
    sys.stderr.write(f"{visible(sentence)}\n")
    raise SystemExit(code)


def _read(file: Path) -> str | None:
    """What `up` has written into a file of the home folder, if it has."""
    try:
        return file.read_text().strip() or None
    except FileNotFoundError:
        return None
