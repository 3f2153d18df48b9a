"""Queries of lists, of which most make sense but for their values."""

from __future__ import annotations

import random
from urllib.parse import quote

from prefect_phantom.adapters.store.listing.field import Kind
from prefect_phantom.adapters.store.listing.lookups import PARTS, names
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.listing.resources import RESOURCES

LOOKUPS = [*names(Kind.TEXT), *names(Kind.TIME), *PARTS, "nope", ""]
VALUES = [
    "1", "-1", '"1"', "0", "9223372036854775807", "9223372036854775808", "1.5", "1e308", "-1e-400",
    "True", "false", "None", "x", '"x"', "'", "''", "%", "_", "\\", '"\\\\"', "\0", "é", "😀", "[",
    "[]", "[1]", "[1,2]", "['a','b']", "(1,)", "[None, None]", "[True, 1.5]", "[[1],[2]]", "{}",
    '{"a": [1]}', "[{}]", "2024-01-01", "2024-01-01T00:00:00Z", "0001-01-01", "9999-12-31T23:59:59",
    '["2024-01-01","2025-01-01"]', "10:00", "10:00:00+05:00", "(", "a{255}", "[[:alpha:]]", "\\1",
    "***=x", "(?i)x", "' OR 1=1 --", "$1", ":x", "%(x)s", "{{7*7}}", "a" * 300, "\ud7ff", "\uffff",
]  # fmt: skip
KEYS = ["a", "0", "-1", "b c", "'", '"', "$", "é", "x" * 100]
EVERY = [name for each in RESOURCES.values() for name in (*each.fields, *each.related)]
PLAIN = ["page", "page_size", "sort", "order", "pretty", "include_expensive", "_annotation_x"]


def made_up_query(dice: random.Random, resource: str) -> str:
    """Some parameters of a list of `resource`."""
    parts = []
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        if dice.random() < 0.2:
            name = dice.choice(PLAIN)
            value = dice.choice([*VALUES, *RESOURCES[resource].fields])
        else:
            prefix = dice.choice(["_filter_", "_exclude_"])
            name = prefix + "__".join(_path(dice, RESOURCES[resource], dice.choice([0, 0, 1, 2])))
            value = dice.choice(VALUES)
        parts.append(f"{quote(name)}={quote(value)}")
    return "&".join(parts)


def _path(dice: random.Random, resource: Resource, relations: int) -> list[str]:
    """A field by `relations` steps, a part of it, and a lookup."""
    if dice.random() < 0.05:
        return dice.choices([*EVERY, *KEYS, *LOOKUPS], k=dice.randrange(5))
    related = [name for name in (*resource.fields, *resource.related) if resource.relation(name)]
    if relations and related:
        name = dice.choice(related)
        to = resource.relation(name)
        assert to is not None
        return [name, *_path(dice, RESOURCES[to.resource], relations - 1)]
    name, field = dice.choice(list(resource.fields.items()))
    inner = dice.choices(KEYS, k=dice.randrange(3)) if field.kind is Kind.JSON else []
    if field.kind is Kind.TIME and dice.random() < 0.5:
        inner = [dice.choice(PARTS)]
        return [name, *inner, *dice.choices(names(Kind.INTEGER), k=dice.randrange(2))]
    return [name, *inner, *dice.choices(names(field.kind), k=dice.randrange(2))]
