"""One spelling of each path: what is decided about a path is decided about all its spellings.

Published clients send slashes at the end and doubled ones, so these are taken off. Whatever else
could be read as another path by one of two who look at it, such as a proxy with rules and us, is
no path at all (our decision): an encoded slash, an encoded letter, digit, ``-``, ``.`` or ``_``,
which need no encoding, encoded control characters, ``.`` and ``..`` between slashes, and what is
no UTF-8.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.errors import EndpointNotFound

AMBIGUOUS = re.compile(
    rb"%(?:2[DdEeFf]|[01][0-9A-Fa-f]|7[Ff]"  # - . / and control characters
    rb"|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]"  # digits, letters, _
    rb"|(?![0-9A-Fa-f]{2}))"  # no encoding at all
    rb"|/\.\.?(?:/|$)"
)
SLASHES = re.compile("//+")


class Paths:
    """Raises `EndpointNotFound` for a path with an ambiguous spelling.

    Slashes at the end are taken off instead of a redirect, which would lose bodies of POST.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request under its plain path."""
        if scope["type"] == "http":
            path = scope["path"]
            if "//" in path:
                path = SLASHES.sub("/", path)
            scope["path"] = path.rstrip("/") or "/"
            if _is_ambiguous(scope["raw_path"] or b""):
                raise EndpointNotFound(scope["path"])
        await self.app(scope, receive, send)


def _is_ambiguous(raw: bytes) -> bool:
    if b"%" not in raw and b"/." not in raw:
        return False
    if AMBIGUOUS.search(raw):
        return True
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return True
    return False
