"""What comes from anyone must stay text in Prefect's pages."""

from __future__ import annotations

import pytest

from prefect_phantom.flows.inside.display.prefect_artifacts import (
    LONGEST_CELL,
    _row,
    escaped,
    track,
)
from prefect_phantom.flows.result import ParameterResult


@pytest.mark.attack(
    "text of an artifact that is a link, an image, HTML, a bare address or turns its line round",
    "is shown as it is in both of Prefect's UIs, with what hides made visible",
)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, 192.0.2.1: 50%", "plain words, 192.0.2.1: 50%"),
        ("", ""),
        ("[click](http://x)", "`[click](http://x)`"),
        ("![](http://x)", "`![](http://x)`"),
        ("<img src=x>", "`<img src=x>`"),
        ("&lt;b&gt;", "`&lt;b&gt;`"),
        ("https://evil.example/x", "`https://evil.example/x`"),
        ("see WWW.evil.example", "`see WWW.evil.example`"),
        ("user@evil.example", "`user@evil.example`"),
        ("a | b", "`a | b`"),
        ("# big\n# words", "`# big # words`"),
        ("1. one", "`1. one`"),
        ("- one", "`- one`"),
        ("a _b_ c", "`a _b_ c`"),
        ("a ` https://evil.example ``", "`a ' https://evil.example ''`"),
        ("\x1b[31mred", "`\\u001b[31mred`"),
        ("fdp\u202eexe", "`fdp\\u202eexe`"),
    ],
)
def test_text_from_anyone_is_no_markup(text, shown):
    assert escaped(text) == shown


@pytest.mark.attack(
    "an artifact's value in a table that Prefect's older UI reads as Markdown",
    "neither a link nor an image: it is code",
)
def test_cells_of_a_table_are_no_markup():
    hostile = "![](https://evil.example/a.png)"
    row = _row(
        ParameterResult(
            asset=hostile,
            parameter={"ip": hostile},
            status="success",
            message=hostile,
            summary={"a\nb": hostile},
        )
    )
    assert row == {
        "asset": f"`{hostile}`",
        "parameter": f"`ip={hostile}`",
        "status": "success",
        "message": f"`{hostile}`",
        "summary a b": f"`{hostile}`",
    }


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
    assert (row["summary n"], row["summary deep"]) == ("1", "`a=[1, null]`")


def test_a_loop_outside_a_run_is_only_gone_through():
    assert list(track([1, 2, 3], "three")) == [1, 2, 3]
