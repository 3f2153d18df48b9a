"""``/rest/search``: what people and playbooks wrote, found by its words.

Parameters, categories and the envelope are the vendor's documentation's; the fields of a hit and
that pages count from 1 here are recorded by published clients.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import BadField, BadQuery, FieldMissing, NoSuchPage, TooCostly
from prefect_phantom.adapters.rest.gateway import Gateway, caller
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.query.list_query import read_list_query
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.case import search
from prefect_phantom.adapters.store.case.search import Hit

LONGEST = 1000
"""Characters of a query."""
TITLES = {
    "container": "Event",
    "artifact": "Artifact",
    "note": "Note",
    "container_comment": "Comment",
    "playbook": "Playbook",
    "asset": "Asset",
    "app": "App",
    "action": "Action",
    "docs": "Documentation",
}
"""Categories with what they are called. Of the last two, the vendor's, there is nothing here."""


@Operation(
    query={
        "query": {"type": "string", "maxLength": LONGEST},
        "categories": {"type": "string"},
        "page": {"type": "integer", "minimum": 1},
        "page_size": {"type": "integer", "minimum": 0},
    },
    answer={
        "count": 1,
        "num_pages": 1,
        "page": 1,
        "results": [
            {
                "id": 42,
                "name": "incident",
                "category": "container",
                "verbose": "Event",
                "model": "container",
                "url": "https://gateway/rest/container/42",
                "match": {"message": ""},
            }
        ],
    },
    refusals=[BadField, BadQuery, FieldMissing, NoSuchPage, TooCostly],
)
async def index(request: Request) -> Response:
    """The hits of `query` in `categories`, by default in all."""
    wanted = read_list_query(request)
    page = wanted.page if "page" in request.query_params else 1
    if not page:
        raise BadField("page", page, "an integer of 1 or more")
    found = await search.find(
        Gateway.of(request).database,
        _query(request),
        _categories(request),
        page,
        wanted.page_size,
        turn=caller(request).id,
    )
    hits = [_hit(request, hit) for hit in found.hits]
    return answer({"count": found.count, "num_pages": found.pages, "page": page, "results": hits})


def _hit(request: Request, hit: Hit) -> dict[str, object]:
    return {
        "id": hit.id,
        "name": hit.name,
        "category": hit.category,
        "verbose": TITLES[hit.category],
        "model": hit.category,
        # There are no pages for people to look at: it is where the thing itself is read.
        "url": f"{request.url.scheme}://{request.url.netloc}/rest/{hit.category}/{hit.id}",
        "match": {"message": ""},
    }


def _query(request: Request) -> str:
    query = request.query_params.get("query", "").strip()
    if not query:
        raise FieldMissing("query")
    if len(query) > LONGEST:
        raise BadField("query", query, f"a text of at most {LONGEST} characters")
    if "\0" in query:
        raise BadQuery("holds the character U+0000")
    return query


def _categories(request: Request) -> list[str]:
    text = request.query_params.get("categories", "").strip("\"' ")
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in TITLES:
            raise BadField("categories", name, f"any of {', '.join(TITLES)}, divided by commas")
    return names or list(TITLES)
