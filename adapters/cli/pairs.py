"""Values on the command line that are written KEY=VALUE."""

from __future__ import annotations

import json
from collections.abc import Sequence


def check(_: object, pairs: list[str] | None) -> None:
    """Refuse what is not KEY=VALUE; a validator for `cyclopts.Parameter`.

    Raises:
        ValueError: one of them has no key or no equals sign.
    """
    for pair in pairs or []:
        if not pair.partition("=")[0] or "=" not in pair:
            raise ValueError(f'"{pair}" is not KEY=VALUE')


def read(pairs: Sequence[str]) -> dict[str, object]:
    """What they say: JSON where a value is JSON, such as ``5`` or ``true``; else its text."""
    return {key: _value(text) for key, _, text in (pair.partition("=") for pair in pairs)}


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
