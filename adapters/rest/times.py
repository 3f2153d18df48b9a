"""Times as callers read and write them."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(time: datetime) -> str:
    """`time` in UTC with six digits and ``Z``, such as ``2016-01-15T22:15:55.171000Z``.

    The form of the vendor's page for every time in an object. Inside a run's `message` the page
    shows another one, which the store already delivers.
    """
    utc = time.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='microseconds')}Z"


def optional_timestamp(time: datetime | None) -> str | None:
    """`timestamp`, or None where there is no time."""
    return None if time is None else timestamp(time)


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
