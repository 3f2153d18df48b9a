"""Texts that nobody can guess: tokens, keys and passwords."""

from __future__ import annotations

import secrets


def random_text(size: int) -> str:
    """`size` random bytes as text for URLs, headers and command lines.

    It does not begin with ``-``: programs would take it for an option, one of 64 times.
    """
    while (text := secrets.token_urlsafe(size)).startswith("-"):
        pass
    return text
