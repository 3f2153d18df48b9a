"""What is recorded of results, and what is left out of those that are too large."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows import record
from flows.record import recordable


def result(size: int, message: str = "found") -> dict[str, Any]:
    data = [{"text": "x" * size}]
    return {"parameter": {}, "status": "success", "message": message, "data": data, "summary": {}}


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "LARGEST_BYTES", 10_000)


def test_results_of_a_usual_size_are_recorded_whole() -> None:
    app_runs = [{"id": 1, "results": [result(4000), result(4000)]}]
    assert recordable(app_runs) == app_runs


def test_of_results_that_are_too_large_the_largest_lose_their_data_and_say_so() -> None:
    small, large = result(100), result(3_000_000)
    (kept,) = recordable([{"id": 1, "results": [small, large]}])
    assert kept["results"][0] == small
    assert kept["results"][1]["data"] == []
    assert kept["results"][1]["status"] == "success"
    assert kept["results"][1]["message"] == ("found (its data, 3 MB, is too large to be recorded)")
    assert large["data"] != []


def test_whatever_comes_the_record_stays_within_its_limit() -> None:
    results = [result(9_000, "m" * length) for length in (200, 200, 9_000, 9_000, 9_000)]
    kept = recordable([{"id": 1, "results": results[:2]}, {"id": 2, "results": results[2:]}])
    assert len(json.dumps(kept)) <= record.LARGEST_BYTES
    assert kept[0]["results"][0]["message"].startswith("m" * 200 + " (its data, ")
    assert kept[1]["results"][2]["message"] == "m" * 100 + "... (too large to be recorded)"
