"""The id of a request: what its caller calls it, or else one of ours. It follows the run."""

from __future__ import annotations

import itertools
import re
import secrets

from starlette.types import Scope

HEADER = b"x-request-id"
SANE = re.compile(rb"[A-Za-z0-9._:/@+=-]{1,128}")
"""What may stand in logs, headers and labels without being quoted."""
OWN = secrets.token_hex(8)
"""What the ids that this process gives begin with; a number follows, for randomness costs more."""
_numbers = itertools.count(1)


def request_id(scope: Scope) -> str:
    """The id in the request's header, or a new one when there is none that is sane."""
    for name, value in scope["headers"]:
        if name == HEADER and SANE.fullmatch(value):
            return str(value, "ascii")
    return f"{OWN}{next(_numbers):016x}"
