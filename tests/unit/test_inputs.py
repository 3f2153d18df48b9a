from __future__ import annotations

import pytest

from prefect_phantom.adapters.errors import WrongInputs
from prefect_phantom.adapters.store.starts.inputs import check


def schema(**field: object) -> dict[str, object]:
    return {"type": "object", "properties": {"x": field}}


@pytest.mark.attack(
    "inputs that a playbook's regular expression is busy with for hours",
    "matched in a time that grows as the text does, as the run's own model does",
)
def test_a_pattern_holds_nobody_up() -> None:
    with pytest.raises(WrongInputs, match=r"inputs\.x does not fit"):
        check("local/x", schema(type="string", pattern="^(a+)+$"), {"x": "a" * 5_000 + "!"})
    check("local/x", schema(type="string", pattern="^(a+)+$"), {"x": "a" * 5_000})


def test_a_pattern_that_only_the_run_knows_is_left_to_it() -> None:
    check("local/x", schema(type="string", pattern=r"(?<!a)b\1"), {"x": "?"})


def test_a_pattern_is_for_texts_alone() -> None:
    check("local/x", schema(pattern="^a$"), {"x": 7})


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ([1, "1", True, None, [1], {"a": 1, "b": 2}], True),
        ([1, "a", 1], False),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], False),
        ([*range(30_000), *map(str, range(30_000))], True),
    ],
)
def test_elements_are_unique_in_bounded_time(value: list[object], fits: bool) -> None:
    if fits:
        check("local/x", schema(type="array", uniqueItems=True), {"x": value})
    else:
        with pytest.raises(WrongInputs, match="non-unique"):
            check("local/x", schema(type="array", uniqueItems=True), {"x": value})
