"""The parameters of a list."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.errors import BadField, BadQuery
from prefect_phantom.adapters.rest.query.literal import read_literal
from prefect_phantom.adapters.store.listing.request import Condition, Given, ListRequest

LONGEST_QUERY = 16_384
MOST_CONDITIONS = 50
PAGE_SIZE = 10
"""Items of a page when none is named; 0 is all (vendor's documentation). Pages count from 0."""
FILTER, EXCLUDE = "_filter_", "_exclude_"
IGNORED = "_exclude_fields"
"""Begins like a filter and is none. It and what is not known at all are ignored (our decision)."""
FLAGS = {"": True, "true": True, "1": True, "false": False, "0": False}
ORDERS = {"asc": False, "desc": True}


def read_list_query(request: Request) -> ListRequest:
    """What `request` asks of a list.

    Of a parameter that is sent twice the last counts, but all filters do: each is one more
    condition.

    Raises:
        BadQuery: it is too long, or has too many filters.
        BadField: a parameter does not have one of its values.
    """
    raw: bytes = request.scope["query_string"]
    if len(raw) > LONGEST_QUERY:
        raise BadQuery(f"is longer than {LONGEST_QUERY} bytes")
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    if any("\0" in name for name, _ in pairs):
        raise BadQuery("holds the character U+0000")
    conditions = [
        Condition(name.removeprefix(prefix), read_literal(text), negated=prefix == EXCLUDE)
        for name, text in pairs
        for prefix in (FILTER, EXCLUDE)
        if name.startswith(prefix) and name != IGNORED
    ]
    if len(conditions) > MOST_CONDITIONS:
        raise BadQuery(f"has more than {MOST_CONDITIONS} filters")
    given = {
        name: read_literal(text)
        for name, text in pairs
        if name in {"page", "page_size", "sort", "order", "pretty", "include_expensive"}
    }
    sort, descending = _order(given)
    return ListRequest(
        page=_number(given, "page", 0),
        page_size=_number(given, "page_size", PAGE_SIZE),
        sort=sort,
        descending=descending,
        pretty=_flag(given, "pretty"),
        expensive=_flag(given, "include_expensive"),
        conditions=conditions,
    )


def _order(given: dict[str, Given]) -> tuple[str | None, bool]:
    """What to sort by, and whether the other way round. ``-name`` is Django's spelling of that."""
    sort = str(given["sort"].content) if "sort" in given else None
    if sort == "":
        sort = None
    reverse = sort is not None and sort.startswith("-")
    order = str(given["order"].content).lower() if "order" in given else "asc"
    if order not in ORDERS:
        raise BadField("order", given["order"].text, '"asc" or "desc"')
    return (sort.removeprefix("-") if sort else None), ORDERS[order] != reverse


def _number(given: dict[str, Given], name: str, default: int) -> int:
    if name not in given:
        return default
    text = str(given[name].content)  # published clients put numbers in quotes, too
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(LARGEST_ID))):
        raise BadField(name, given[name].text, "an integer of 0 or more")
    return int(text)


def _flag(given: dict[str, Given], name: str) -> bool:
    """A flag: ``pretty`` alone is as good as ``pretty=True``."""
    if name not in given:
        return False
    text = str(given[name].content).lower()
    if text not in FLAGS:
        raise BadField(name, given[name].text, "True or False")
    return FLAGS[text]
