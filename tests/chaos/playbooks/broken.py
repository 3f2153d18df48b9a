"""Does not import."""

from __future__ import annotations

import no_such_module  # noqa: F401
