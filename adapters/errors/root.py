"""The root of the tree, and how a refused value is repeated."""

from __future__ import annotations

import json

SHOWN_CHARACTERS = 80
"""How much of a refused value an error repeats."""


class PhantomError(Exception):
    """Root of the tree. ``str(error)`` is the sentence that the caller sees."""

    @property
    def fields(self) -> dict[str, object]:
        """Further fields of the failed envelope, besides ``failed`` and ``message``."""
        return {}


def shown(value: object) -> str:
    """`value` as JSON for a sentence, cut to a readable length."""
    return cut(json.dumps(value, default=str))


def cut(text: str) -> str:
    """`text` without what follows the first `SHOWN_CHARACTERS`."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
