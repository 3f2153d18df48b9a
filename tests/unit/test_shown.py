"""What comes from anyone must stay text in Prefect's pages."""

from __future__ import annotations

import pytest

from flows.result import ParameterResult
from flows.shown import LONGEST_CELL, _row, escaped, track


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("[click](http://x)", r"\[click\]\(http://x\)"),
        ("![](http://x)", r"\!\[\]\(http://x\)"),
        ("<img src=x>", r"\<img src=x\>"),
        ("a | b", r"a \| b"),
        ("# big\n# words", r"\# big \# words"),
    ],
)
def test_text_from_anyone_is_no_markup(text, shown):
    assert escaped(text) == shown


def test_a_row_is_no_longer_than_can_be_read():
    long = "x" * 10_000
    row = _row(
        ParameterResult(
            asset="a",
            parameter={"ip": long, "context": {"artifact_id": 1}},
            status="success",
            message=long,
            summary={"n": 1, "deep": {"a": [1, None]}},
        )
    )
    assert {len(row["parameter"]), len(row["message"])} == {LONGEST_CELL + 3}
    assert "context" not in row["parameter"]
    assert (row["summary n"], row["summary deep"]) == ("1", "a=[1, null]")


def test_a_loop_outside_a_run_is_only_gone_through():
    assert list(track([1, 2, 3], "three")) == [1, 2, 3]
