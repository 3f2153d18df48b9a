"""Times as callers write them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str) -> datetime:
    """The time that an ISO 8601 text names; without an offset it is UTC (our decision).

    Raises `ValueError` when it is no such text, or too near the ends of the calendar for UTC.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
