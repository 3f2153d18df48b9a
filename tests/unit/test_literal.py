"""Values in queries: Python and JSON literals, and whatever else callers write."""

from __future__ import annotations

import json
import random

import pytest

from prefect_phantom.adapters.errors import BadQuery
from prefect_phantom.adapters.rest.query.literal import LONGEST_VALUE, read_literal


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('"x"', "x"),
        ("'x'", "x"),
        (' "x" ', "x"),
        ('""', ""),
        ("1", 1),
        ("-1", -1),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("True", True),
        ("true", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("(1, 2)", [1, 2]),
        ("(1,)", [1]),
        ("(1)", 1),
        ("()", []),
        ("['a', \"b\",]", ["a", "b"]),
        ('{"a": [1, {"b": None}]}', {"a": [1, {"b": None}]}),
    ],
)
def test_literals_of_python_and_json_are_read(text: str, content: object) -> None:
    given = read_literal(text)
    assert (given.content, type(given.content)) == (content, type(content))
    assert given.text == text


@pytest.mark.parametrize(
    "text",
    [
        "", "running", "2018-01-01", "O'Brien", "local/my_playbook", "[DRE][Malware] a", "a, b",
        "1 2", "[1, 2", "[1 2]", "{1: 2}", "{'a'}", "TRUE", "Infinity", "nan", "1e999", "9" * 41,
        "__import__('os')", "[x for x in y]", "a" * LONGEST_VALUE, "[" * 9 + "]" * 9, "é",
    ],
)  # fmt: skip
def test_whatever_is_no_literal_is_the_text_as_it_stands(text: str) -> None:
    assert read_literal(text).content == text


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r'"a\"b"', 'a"b'),
        (r"'a\'b'", "a'b"),
        (r'"a\\b"', "a\\b"),
        (r'"\u00e9\n\/"', "é\n/"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\d+\.x"', r"\d+\.x"),
        (r'"C:\windows"', r"C:\windows"),
    ],
)
def test_escapes_of_json_are_replaced_and_all_others_stay(text: str, content: str) -> None:
    assert read_literal(text).content == content


@pytest.mark.parametrize("content", ["é\u2028", 'a"b\\c', "\t\n", "😀", "'", [["a"], {"b": 1.5}]])
def test_what_json_writes_is_read_back(content: object) -> None:
    assert read_literal(json.dumps(content)).content == content
    assert read_literal(json.dumps(content, ensure_ascii=False)).content == content


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('"x', "quotes do not match"),
        ("'a'b'", "quotes do not match"),
        ('"a" or "b"', "quotes do not match"),
        ("a" * (LONGEST_VALUE + 1), "more than 8192 characters"),
        ("a\0b", "U+0000"),
        (r'"\u0000"', "U+0000"),
        (r'["a", {"b": "\ud800"}]', "U+D800"),
        (r'{"\u0000": 1}', "U+0000"),
    ],
)
def test_what_can_be_nothing_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadQuery, match=reason.replace("+", r"\+")):
        read_literal(text)


def test_no_text_breaks_the_reader() -> None:
    dice = random.Random(7)
    pieces = [*"[](){},:'\"\\ \t-+.e019aTé\0", "True", "null", "\\u0041", "\\ud800", "0x1", '""']
    for _ in range(20_000):
        text = "".join(dice.choices(pieces, k=dice.randrange(12)))
        try:
            given = read_literal(text)
        except BadQuery:
            continue
        assert given.text == text
        json.dumps(given.content, allow_nan=False).encode()
