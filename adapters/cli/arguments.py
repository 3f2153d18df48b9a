"""Secrets among a command's arguments, which every user of the machine can read while it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

VARIABLES = {
    "--token": "PREFECT_PHANTOM_TOKEN",
    "--database-url": "PREFECT_PHANTOM_DATABASE_URL",
}
"""Options that may hold one, and the variables that say the same."""


def move_secrets() -> None:
    """Start this program anew with its secrets in variables, if it was given any as arguments."""
    count = len(sys.argv) - 1
    kept, variables = without_secrets(sys.argv[1:])
    if variables:
        program = sys.orig_argv[1 : len(sys.orig_argv) - count]
        words = [sys.executable, *program, *kept]
        os.execve(words[0], words, os.environ | variables)  # noqa: S606 - no shell; they are ours


def without_secrets(arguments: Sequence[str]) -> tuple[list[str], Mapping[str, str]]:
    """The arguments that anybody may read, and the others as variables."""
    kept: list[str] = []
    variables: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*kept, argument, *rest], variables
        option, equals, value = argument.partition("=")
        if option not in VARIABLES:
            kept.append(argument)
            continue
        given = value if equals else next(rest, None)
        if given and _is_secret(option, given):
            variables[VARIABLES[option]] = given
        else:
            kept += [argument] if equals or given is None else [argument, given]
    return kept, variables


def _is_secret(option: str, value: str) -> bool:
    if option == "--token":
        return not value.startswith("-")
    try:
        return urlsplit(value).password is not None or "password=" in value
    except ValueError:
        return False
