"""Starting programs of ours that are not dumpable, with their secrets apart from the rest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import get_args

from pydantic import SecretStr

from adapters import marks
from adapters.settings import Settings
from flows import prefect_login, ticket, undumpable


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
    }
)
"""Variables that stand in the environment of no process while it runs."""


def command(environment: Mapping[str, str], module: str, *arguments: str) -> list[str]:
    """How a module is started as such a program."""
    # -P: a folder `flows` or `adapters` in the working directory must not shadow ours.
    program = str(undumpable.__file__)
    return [sys.executable, *marks.options(environment), "-P", program, module, *arguments]


@contextmanager
def secrets_apart(environment: Mapping[str, str]) -> Iterator[tuple[dict[str, str], list[int]]]:
    """The environment to start such a program with, and the descriptors to pass to it."""
    secrets = {name: environment[name] for name in SECRETS if name in environment}
    others = {name: value for name, value in environment.items() if name not in SECRETS}
    if not secrets:
        yield others, []
        return
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "w") as pipe:
            json.dump(secrets, pipe)
        yield {**others, undumpable.DESCRIPTOR: str(reader)}, [reader]
    finally:
        os.close(reader)


def forget_secrets() -> None:
    """Take them out of this process's variables: what it starts from now on inherits none."""
    for name in SECRETS:
        os.environ.pop(name, None)
