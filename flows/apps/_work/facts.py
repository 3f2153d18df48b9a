"""What asyncwhois has read, in values that JSON knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def facts(parsed: Mapping[Any, Any]) -> dict[str, Any]:
    """What an answer held by its name; absent facts are left out."""
    return {
        key.value: value.isoformat() if isinstance(value, datetime) else value
        for key, value in parsed.items()
        if value
    }
