"""Times as callers read them."""

from __future__ import annotations

from datetime import UTC, datetime

UTC_OFFSET = "+00:00"


def timestamp(time: datetime) -> str:
    """`time` in UTC with six digits and ``Z``, such as ``2016-01-15T22:15:55.171000Z``.

    The form of the vendor's page for every time in an object. Inside a run's `message` the page
    shows another one, which the store already delivers.
    """
    text = time.isoformat(timespec="microseconds")
    if not text.endswith(UTC_OFFSET):  # what PostgreSQL gives is in UTC already
        text = time.astimezone(UTC).isoformat(timespec="microseconds")
    return f"{text.removesuffix(UTC_OFFSET)}Z"


def pretty_time(time: datetime) -> str:
    """`time` in UTC as recorded answers show it with ``pretty``: ``Apr 12 at 06:31 PM``."""
    return time.astimezone(UTC).strftime("%b %d at %I:%M %p")
