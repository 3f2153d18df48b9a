"""Paths of URLs that others give, and what servers may make of them."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

DEEPEST = 8
"""How often a path is decoded; what is encoded more often is no path that anybody means."""


def climbs(path: str) -> bool:
    """Whether a server may take a part of `path` for the folder above.

    Servers decode a path, some more than once, take a backslash for a slash, leave out what
    follows a semicolon and characters that cannot be seen, and look for what similar letters mean.
    """
    path = re.split("[?#]", path, maxsplit=1)[0]
    for _ in range(DEEPEST):
        if any(map(_is_above, _segments(path))):
            return True
        decoded = unquote(path, errors="replace")
        if decoded == path:
            return False
        path = decoded
    return True


def _segments(path: str) -> list[str]:
    return re.split(r"[/\\]", unicodedata.normalize("NFKC", path))


def _is_above(segment: str) -> bool:
    name = segment.partition(";")[0]
    seen = "".join(each for each in name if not unicodedata.category(each).startswith(("C", "Z")))
    return seen == ".."
