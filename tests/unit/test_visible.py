from __future__ import annotations

import json
import unicodedata

import pytest

from prefect_phantom.flows.inside.display.visible_text import one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is:\ttab\nline", "as it is:\ttab\nline"),
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("over\rwritten", "over\\u000dwritten"),
        ("\x9b31m", "\\u009b31m"),
        ("cod\u202egpj.exe", "cod\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("half \ud800", "half \\ud800"),
        ("caf\u00e9 \u0634\u200c \U0001f469\u200d\U0001f4bb", None),
    ],
)
def test_what_hides_is_shown(text, shown):
    assert visible(text) == (text if shown is None else shown)


def test_json_stays_the_same_json():
    value = {"".join(map(chr, range(0x3000))): "\U000e0041\ud800\u2028"}
    assert json.loads(visible(json.dumps(value, ensure_ascii=False))) == value


def test_no_character_that_steers_a_terminal_or_a_direction_is_left():
    directions = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    left = visible("".join(map(chr, range(0x110000))))
    assert {each for each in left if unicodedata.category(each) == "Cc"} == {"\t", "\n"}
    assert not [each for each in left if unicodedata.bidirectional(each) in directions]


def test_a_line_is_one_line():
    assert one_line(" a\r\nb\u2028c\x85d\ve\x1c\x00 ") == "a b c d e \\u0000"
