"""What is recorded of results, and what is left out of those that are too large."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prefect_phantom.flows.inside import record
from prefect_phantom.flows.inside.record import recordable


def result(size: int, message: str = "found", **parameter: str) -> dict[str, Any]:
    data = [{"text": "x" * size}]
    said = {"parameter": parameter, "status": "success", "message": message}
    return {**said, "data": data, "summary": {}}


def app_run(*results: dict[str, Any]) -> dict[str, Any]:
    return {"id": 1, "status": "success", "message": "1 of 1", "results": list(results)}


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


def test_parameters_that_stand_once_for_each_asset_are_recorded_with_the_first() -> None:
    sent = {"file": "f" * 3_000}
    kept = recordable([app_run(result(1_000, **sent)) for _ in range(5)])
    assert len(json.dumps(kept)) <= record.LARGEST_BYTES
    assert kept[0]["results"] == [result(1_000, **sent)]
    parameters = [each["results"][0]["parameter"] for each in kept[1:]]
    assert {} in parameters
    for each in kept[1:]:
        (one,) = each["results"]
        assert one["data"] == result(1_000)["data"]
        note = "found (its parameters, 0 MB, are too large to be recorded)"
        assert one["message"] == ("found" if one["parameter"] else note)


@pytest.mark.parametrize(
    "app_runs",
    [
        [app_run(*[result(0, "m" * 70) for _ in range(100)]) for _ in range(3)],
        [app_run(result(0, "m" * 20_000, file="f" * 20_000))],
        [app_run(*[result(300, host="h" * 150) for _ in range(50)]) for _ in range(3)],
        [app_run(*[result(1, "\1" * 300, host="h" * 300) for _ in range(50)]) for _ in range(3)],
    ],
    ids=["many results", "one large", "many small", "many that are escaped"],
)
def test_no_set_of_parameters_on_however_many_assets_is_too_large(
    app_runs: list[dict[str, Any]],
) -> None:
    kept = recordable(app_runs)
    assert len(json.dumps(kept)) <= record.LARGEST_BYTES
    assert [each["status"] for each in kept] == ["success"] * len(app_runs)
    for each, whole in zip(kept, app_runs, strict=True):
        fewer = len(each["results"]) < len(whole["results"])
        assert each["message"].endswith(record.TOO_MANY) == fewer
