"""Passwords and keys that anybody would try first."""

from __future__ import annotations

import re

SHORTEST_PASSWORD = 8
SHORTEST_KEY = 16
SHOWN_IN_GUIDES = "changeme"
"""With which our guides make an administrator on loopback."""
PLACEHOLDERS = frozenset(
    {
        "changeit",
        "changeme",
        "examplepassword",
        "password",
        "placeholder",
        "replaceme",
        "runtimekey",
        "topsecret",
        "yourpassword",
    }
)
"""Lower-case letters and digits of what stands in guides and example files, ours and others'."""


def is_blank(secret: str) -> bool:
    """Whether there is nothing in it that somebody would have to know."""
    return not secret.strip()


def objection(secret: str, shortest: int = SHORTEST_PASSWORD) -> str:
    """What speaks against it, to follow its name in a sentence; empty when nothing does."""
    if is_blank(secret):
        return "is blank"
    plain = re.sub(r"[\W_]+", "", secret).casefold()
    if not plain or plain in PLACEHOLDERS:
        return "is a placeholder that stands in guides"
    if len(secret) < shortest:
        return f"has fewer than {shortest} characters"
    return ""
