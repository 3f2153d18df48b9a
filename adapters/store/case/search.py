"""Finding what people and playbooks wrote by its words, in all kinds of things at once.

PostgreSQL keeps the words (``search_words``, migration 0013): all punctuation but the dot divides
them, in what is stored and in what is asked for. So an IP address, a hash or a domain is one word,
and a URL, an e-mail address or a path is several in a row, which are found in that row only.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Index,
    Select,
    Text,
    case,
    cast,
    desc,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY, array

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.errors import NoSuchPage, TooCostly
from prefect_phantom.adapters.store.database.database import LIST_SECONDS, Database
from prefect_phantom.adapters.store.listing.page import LARGEST_OFFSET, refusals
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.listing.resources import RESOURCES
from prefect_phantom.adapters.store.tables.case_tables import container_comments, notes
from prefect_phantom.adapters.store.tables.tables import artifacts, assets, containers, playbooks

MOST_HITS = 1000
"""Hits of one page, also when all are asked for."""
LONGEST_NAME = 200
"""Characters of a hit's name."""
SIMPLE: ColumnElement[Any] = literal_column("'pg_catalog.simple'::regconfig")
"""Words as they are written but for case: indicators are not words of any language."""
DIVIDES = re.compile(
    rf"[{re.escape(string.punctuation.translate({46: None, 45: None, 34: None}))}]"
)
"""ASCII punctuation but the dot, and but what has a meaning in a query: quotes and the minus."""
INSIDE = re.compile(r"(?<=[^\s\"])-")
"""A minus that excludes nothing."""


def _words(*parts: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.search_words(array(parts))


def _values(document: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.search_values(document, type_=Text())


CONTAINER_WORDS = _words(
    containers.c.name,
    _values(containers.c.tags),
    containers.c.description,
    _values(containers.c.custom_fields),
)
ARTIFACT_WORDS = _words(
    artifacts.c.name,
    _values(artifacts.c.cef),
    artifacts.c.description,
    _values(artifacts.c.tags),
)
NOTE_WORDS = _words(notes.c.title, notes.c.content)
COMMENT_WORDS = _words(container_comments.c.comment)
Index("ix_containers_words", CONTAINER_WORDS, postgresql_using="gin")
Index("ix_artifacts_words", ARTIFACT_WORDS, postgresql_using="gin")
Index("ix_notes_words", NOTE_WORDS, postgresql_using="gin")
Index("ix_container_comments_words", COMMENT_WORDS, postgresql_using="gin")

_apps = RESOURCES["app"].source
WORDS: Mapping[str, ColumnElement[Any]] = {
    "container": CONTAINER_WORDS,
    "artifact": ARTIFACT_WORDS,
    "note": NOTE_WORDS,
    "container_comment": COMMENT_WORDS,
    # There are few of these, so they need no index.
    "playbook": _words(playbooks.c.repository, playbooks.c.name, playbooks.c.description),
    "asset": _words(assets.c.name, assets.c.description),
    "app": _words(_apps.c.name),
}
"""What is found, by the names of resources, in the order in which hits are shown."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found: the name of its resource, its id, and what it is called."""

    category: str
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits; how many there are in all, and on how many pages."""

    count: int
    pages: int
    hits: Sequence[Hit]


async def find(
    database: Database,
    text: str,
    categories: Sequence[str],
    page: int,
    page_size: int,
    *,
    turn: Hashable = None,
) -> Found:
    """The things of these `categories`, names in `WORDS`, that `text` is found in.

    A number is taken for an id, too. What has that id comes first; then it goes by category, and
    the newest first. Pages count from 1 here; a `page_size` of 0 is `MOST_HITS`. Searches with the
    same `turn` wait for each other.

    Raises:
        NoSuchPage: past the end; the first page is always there.
        TooCostly: it takes longer than a list may.
        TooMany: too many lists are waited for.
    """
    size = min(page_size or MOST_HITS, MOST_HITS)
    offset = (page - 1) * size
    if offset > LARGEST_OFFSET:
        raise NoSuchPage(page)
    chosen = [name for name in WORDS if name in categories]
    rows: Sequence[Any] = []
    if chosen:
        query = _page(text, chosen).limit(size).offset(offset)
        try:
            with refusals():
                async with database.list(turn) as connection:
                    rows = (await connection.execute(query)).all()
        except TooCostly as error:
            advice = "name longer or more words, or fewer categories"
            raise TooCostly(LIST_SECONDS, "search", advice) from error
    if offset and not rows:
        raise NoSuchPage(page)
    count = rows[0].count if rows else 0
    hits = [Hit(chosen[row.place], row.id, row.name) for row in rows]
    return Found(count, math.ceil(count / size), hits)


def _page(text: str, chosen: Sequence[str]) -> Select[Any]:
    """The hits in their order; names are looked up for those only that are on the page."""
    wanted = _query(text)
    digits = text.isascii() and text.isdecimal() and len(text) < len(str(LARGEST_ID))
    number = int(text) if digits else None
    found = [
        select(
            literal(place).label("place"),
            RESOURCES[name].source.c.id.label("id"),
        ).where(or_(WORDS[name].op("@@")(wanted), *_has(RESOURCES[name].source, number)))
        for place, name in enumerate(chosen)
    ]
    hits = union_all(*found).cte("hits")
    first = [] if number is None else [desc(hits.c.id == number)]
    names = case(
        *((hits.c.place == place, _name(RESOURCES[name], hits.c.id))
          for place, name in enumerate(chosen)),
    )  # fmt: skip
    return select(
        hits.c.place, hits.c.id, names.label("name"), func.count().over().label("count")
    ).order_by(*first, hits.c.place, hits.c.id.desc())


def _has(source: FromClause, number: int | None) -> list[ColumnElement[bool]]:
    return [] if number is None else [source.c.id == number]


def _name(resource: Resource, identifier: ColumnElement[int]) -> ColumnElement[str]:
    theirs = resource.related_row()
    title = func.left(resource.title(theirs), LONGEST_NAME)
    return select(title).where(theirs.c.id == identifier).scalar_subquery()


def _query(text: str) -> ColumnElement[Any]:
    """What people type: all words, ``"a phrase"``, ``or``, ``-without``; each by its beginning.

    A comma divides words and keeps their row. No apostrophe is left in the words, so those in
    PostgreSQL's spelling of the query can only be the ones around each of them.
    """
    typed = INSIDE.sub(",", DIVIDES.sub(",", text))
    query = cast(func.websearch_to_tsquery(SIMPLE, typed), Text)
    return cast(func.regexp_replace(query, "('[^']+')", r"\1:*", "g"), TSQUERY)
