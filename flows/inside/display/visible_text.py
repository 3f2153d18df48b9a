"""Text from anyone, without characters that hide, move or turn round what people see."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    # What a terminal obeys, such as escape sequences; tab and line feed are kept.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    # What has no width, or changes the direction of what follows it. The two joiners of letters
    # and emojis (U+200C, U+200D) are kept: languages are written with them.
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    r"""`text` with such characters as JSON escapes them, ``\u202e``: JSON stays the same JSON."""
    if text.isascii() and text.isprintable():  # most is, and this is seen at once
        return text
    return _UNSEEN.sub(_escape, text)


def one_line(text: str) -> str:
    """`text` with nothing that hides, on one line."""
    return visible(" ".join(text.split()))


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
