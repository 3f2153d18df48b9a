"""Values that callers sent, as the values of a field.

Some clients put everything in quotes, ids and booleans too, and some nothing: what a value is
depends on the field, not on how it was written.
"""

from __future__ import annotations

from datetime import date, time

from prefect_phantom.adapters.between.time_text import moment
from prefect_phantom.adapters.store.listing.field import Kind
from prefect_phantom.adapters.store.listing.request import Given

INTEGERS = range(-(2**63), 2**63)
LONGEST_INTEGER = 20
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def fit(kind: Kind, given: Given) -> object:
    """`given` as a value of this kind. Raises `ValueError` when it is none."""
    match kind:
        case Kind.INTEGER:
            return _integer(given)
        case Kind.BOOLEAN:
            return boolean(given)
        case Kind.TEXT:
            return _text(given)
        case Kind.TIME:
            return moment(_text(given))
        case Kind.DATE:
            return date.fromisoformat(_text(given))
        case Kind.CLOCK:
            return time.fromisoformat(_text(given))
        case Kind.JSON:
            return given.content


def items(given: Given) -> list[Given]:
    """The items of a list; a single value is a list of one.

    Raises `ValueError` for an object, and for what begins like a list and is none.
    """
    if isinstance(given.content, list):
        return [Given(str(item), item) for item in given.content]
    if isinstance(given.content, dict) or given.text.lstrip().startswith("["):
        raise ValueError(given.text)
    return [given]


def boolean(given: Given) -> bool:
    """True or False, in any spelling. Raises `ValueError`."""
    return BOOLEANS[_known(str(given.content).lower())]


def _known(text: str) -> str:
    if text not in BOOLEANS:
        raise ValueError(text)
    return text


def _integer(given: Given) -> int:
    content = given.content
    if isinstance(content, str) and len(content) <= LONGEST_INTEGER and content.isascii():
        content = int(content)  # with a sign, or spaces around it
    if isinstance(content, bool) or not isinstance(content, int) or content not in INTEGERS:
        raise ValueError(given.text)
    return content


def _text(given: Given) -> str:
    match given.content:
        case str() as content:
            return content
        case list() | dict():
            raise ValueError(given.text)
    return given.text
