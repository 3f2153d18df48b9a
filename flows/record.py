"""What is kept of an action's results, should they be larger than anybody could read."""

from __future__ import annotations

import json
from typing import Any

from flows.plain import plain

LARGEST_BYTES = 16 * 1024 * 1024
"""The most that is recorded of one action run, as JSON."""


def recordable(app_runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ends of app runs ``{..., results}`` as they are recorded, in plain values.

    The playbook has its results whole. Where all together are larger than `LARGEST_BYTES`, the
    record leaves out `data` and `summary` of the largest, and their `message` says so; and where
    messages alone are too large, most of them.
    """
    kept: list[dict[str, Any]] = plain(app_runs)
    size = _size(kept)
    results = [result for app_run in kept for result in app_run["results"]]
    for result in sorted(results, key=_size, reverse=True):
        if size <= LARGEST_BYTES:
            break
        before = _size(result)
        megabytes = before / 1024 / 1024
        note = f"(its data, {megabytes:.0f} MB, is too large to be recorded)"
        result["message"] = f"{result['message'][:LONGEST_MESSAGE]} {note}"
        result["data"], result["summary"] = [], {}
        size += _size(result) - before
    for result in sorted(results, key=_size, reverse=True):
        if size <= LARGEST_BYTES:
            break
        before = _size(result)
        result["message"] = f"{result['message'][:SHORT_MESSAGE]}... (too large to be recorded)"
        size += _size(result) - before
    return kept


LONGEST_MESSAGE = 10_000
"""Characters that stay of the message of such a result."""
SHORT_MESSAGE = 100
"""Characters that stay of messages which are too large by themselves."""


def _size(value: object) -> int:
    return len(json.dumps(value))
