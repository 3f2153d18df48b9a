"""Starting programs of ours that are not dumpable, with their secrets apart from the rest."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import get_args

from pydantic import SecretStr

from prefect_phantom.adapters.process import process_marks
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.flows.inside.runtime import ticket
from prefect_phantom.flows.inside.secrets import prefect_login
from prefect_phantom.flows.inside.tracing import collector_headers
from prefect_phantom.flows.process import undumpable


def _secret_settings() -> Iterator[str]:
    """Variables of the settings that are secret by their type."""
    for name, field in Settings.model_fields.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            yield f"PREFECT_PHANTOM_{name.upper()}"


SECRETS = frozenset(
    {
        *_secret_settings(),
        "PREFECT_PHANTOM_DATABASE_URL",
        "PREFECT_PHANTOM_OPERATOR_TOKEN",
        "PREFECT_SERVER_API_AUTH_STRING",
        *(
            f"PREFECT_{owner}_DATABASE_{name}"
            for owner in ("SERVER", "API")
            for name in ("CONNECTION_URL", "PASSWORD")
        ),
        ticket.KEY_VARIABLE,
        ticket.RUNTIME_KEY_VARIABLE,
        *prefect_login.VARIABLES,
        *collector_headers.VARIABLES,
    }
)
"""Variables that stand in the environment of no process while it runs."""
INHERITED = frozenset(
    {
        *("HOME", "LANG", "LC_ALL", "PATH", "TZ", "PYTHONDONTWRITEBYTECODE"),
        # By these `up` knows what belongs to a part, and the log what it writes.
        *("PREFECT_PHANTOM_HOME", "PREFECT_PHANTOM_PART", "PREFECT_PHANTOM_LOG_FORMAT"),
    }
)
"""What a process of the gateway's sees of the environment: no secret."""
OF_POSTGRESQL = frozenset({"PGPASSWORD"})
"""Its client looks for them whenever it connects, so that they stay where they were told."""


def command(environment: Mapping[str, str], module: str, *arguments: str) -> list[str]:
    """How a module is started as such a program."""
    # -P: nothing in the working directory is to shadow a module of ours.
    program = str(undumpable.__file__)
    return [sys.executable, *process_marks.options(environment), "-P", program, module, *arguments]


@contextmanager
def secrets_apart(environment: Mapping[str, str]) -> Iterator[tuple[dict[str, str], list[int]]]:
    """The environment to start such a program with, and the descriptors to pass to it.

    It is told its secrets when it says that it is closed, and over a socket: what stands in a pipe
    can be read by whoever opens that in ``/proc``.
    """
    apart = SECRETS | OF_POSTGRESQL
    secrets = {name: environment[name] for name in apart if name in environment}
    others = {name: value for name, value in environment.items() if name not in apart}
    if not secrets:
        yield others, []
        return
    ours, theirs = socket.socketpair()
    telling = threading.Thread(target=_tell, args=(ours, json.dumps(secrets)), daemon=True)
    with theirs:
        telling.start()
        yield {**others, undumpable.DESCRIPTOR: str(theirs.fileno())}, [theirs.fileno()]


def _tell(channel: socket.socket, text: str) -> None:
    """Wait until the program is closed, or has ended; tell it then."""
    with channel, suppress(OSError):
        if channel.recv(1):
            channel.sendall(text.encode())


def forget_secrets() -> None:
    """Take them out of this process's variables: what it starts from now on inherits none."""
    collector_headers.keep_from_children()
    for name in SECRETS:
        os.environ.pop(name, None)
