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

from adapters.client import Phantom, PhantomClientError
from adapters.settings import Settings
from adapters.supervisor.home import Home

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
            url = self._url()
            with Phantom(url, token=self._token(url), verify=self._verification()) as phantom:
                yield phantom
        except BrokenPipeError:
            # The reader of our output has enough, as `head` does. Nothing more can be written.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except (PhantomClientError, ConnectionMissing, httpx.InvalidURL, OSError) as error:
            fail(str(error))

    @property
    def _home(self) -> Home:
        return Home(self.home)

    def _url(self) -> str:
        url = self.url or _read(self._home.url_file)
        if url is None:
            raise ConnectionMissing(
                f"No gateway runs on {self._home.path}: start it with `prefect-phantom up`, "
                "or name one with --url."
            )
        return url

    def _token(self, url: str) -> str:
        if self.token:
            return self.token
        # The operator's token may do everything: it is shown to no gateway but its own.
        if httpx.URL(url) != httpx.URL(_read(self._home.url_file) or ""):
            raise ConnectionMissing(
                f"{url} is not the gateway of {self._home.path}: give its --token too."
            )
        token = _read(self._home.operator_token_file)
        if token is None:
            raise ConnectionMissing(
                f"{self._home.path} has no operator token: give a --token, or start the gateway "
                "with `prefect-phantom up`."
            )
        return token

    def _verification(self) -> bool | ssl.SSLContext:
        certificate = self._home.certificate
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
    sys.stderr.write(f"{sentence}\n")
    raise SystemExit(code)


def _read(file: Path) -> str | None:
    """What `up` has written into a file of the home folder, if it has."""
    try:
        return file.read_text().strip() or None
    except FileNotFoundError:
        return None
