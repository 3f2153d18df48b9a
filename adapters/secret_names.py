"""Names that say that what they name is secret."""

from __future__ import annotations

import re

SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|(^|[_-])(key|pwd|pat|pin)$"
    r"|(api|access|private|auth|encryption|shared)[_-]?key",
    re.IGNORECASE,
)
