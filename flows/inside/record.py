"""What is kept of an action's results, should they be larger than anybody could read."""

from __future__ import annotations

import json
from typing import Any

from prefect_phantom.flows.inside.json_values import plain

LARGEST_BYTES = 16 * 1024 * 1024
"""The most that is recorded of one action run, as JSON."""
LONGEST_MESSAGE = 10_000
"""Characters that stay of the message of a run, and of a result whose data is left out."""
SHORT_MESSAGE = 100
"""Characters that stay of messages which are too large by themselves."""
TOO_MANY = " (there are too many results to record all of them)"
SMALL_BYTES = 200
"""To leave out so little makes nothing smaller, since it has to be said."""


def recordable(app_runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ends of app runs ``{..., results}`` as they are recorded, in plain values.

    The playbook has its results whole. Where all together are larger than `LARGEST_BYTES`, the
    record leaves out, of the largest first: parameters, which stay with the first app run; `data`
    and `summary`; most of messages; the first app run's parameters; whole results. The `message`
    says so.
    """
    kept: list[dict[str, Any]] = plain(app_runs)
    size = _size(kept)
    for shorten, among in (
        (_without_parameter, kept[1:]),
        (_without_data, kept),
        (_with_short_message, kept),
        (_without_parameter, kept),
    ):
        if size <= LARGEST_BYTES:
            return kept
        results = [result for app_run in among for result in app_run["results"]]
        for result in sorted(results, key=_size, reverse=True):
            if size <= LARGEST_BYTES:
                break
            before = _size(result)
            shorten(result)
            size += _size(result) - before
    while _size(kept) > LARGEST_BYTES and any(app_run["results"] for app_run in kept):
        _with_fewer_results(max(kept, key=lambda app_run: len(app_run["results"])))
    return kept


def _without_parameter(result: dict[str, Any]) -> None:
    if (size := _size(result["parameter"])) > SMALL_BYTES:
        result["parameter"] = {}
        result["message"] += f" (its parameters, {_megabytes(size)}, are too large to be recorded)"


def _without_data(result: dict[str, Any]) -> None:
    if _size([result["data"], result["summary"]]) > SMALL_BYTES:
        note = f"(its data, {_megabytes(_size(result))}, is too large to be recorded)"
        result["message"] = f"{result['message'][:LONGEST_MESSAGE]} {note}"
        result["data"], result["summary"] = [], {}


def _with_short_message(result: dict[str, Any]) -> None:
    if len(result["message"]) > SHORT_MESSAGE + SMALL_BYTES:
        result["message"] = f"{result['message'][:SHORT_MESSAGE]}... (too large to be recorded)"


def _with_fewer_results(app_run: dict[str, Any]) -> None:
    del app_run["results"][len(app_run["results"]) // 2 :]
    app_run["message"] = app_run["message"].removesuffix(TOO_MANY) + TOO_MANY


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MB"


def _size(value: object) -> int:
    return len(json.dumps(value))
