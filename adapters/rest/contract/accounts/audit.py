"""``/rest/audit``: what was changed, asked for and refused, for administrators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import BadField
from prefect_phantom.adapters.rest.contract.times import timestamp
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import IDENTIFIER, NUMBER, TIME
from prefect_phantom.adapters.rest.request.fields import Fields, as_identifier
from prefect_phantom.adapters.rest.responses import compact
from prefect_phantom.adapters.store.accounts import audit
from prefect_phantom.adapters.store.accounts.audit import Entry

SHOWN = timedelta(days=30)
"""How far back it goes when no start is given (vendor's documentation)."""
PAGE_SIZE = 1000
"""The most entries of one answer (our decision): the vendor's has no limit."""
LARGEST_PAGE = 1_000_000


@Operation(
    query={
        "start": TIME,
        "end": TIME,
        "user": IDENTIFIER,
        "page": {**NUMBER, "maximum": LARGEST_PAGE},
        "page_size": NUMBER,
    },
    answer=[],
)
async def index(request: Request) -> Response:
    """A bare array (recorded), the newest first.

    Of the query it reads `start` and `end`, ISO 8601 times, `user`, an id, `page` and `page_size`.
    """
    query: dict[str, object] = {
        name: text.strip("\"'") for name, text in request.query_params.items()
    }
    fields = Fields(query)
    start = fields.time("start") or datetime.now(UTC) - SHOWN
    page_size = _number(query, "page_size", PAGE_SIZE)
    entries = await audit.read(
        Gateway.of(request).database,
        start=start,
        end=fields.time("end"),
        user_id=fields.identifier("user"),
        page=_number(query, "page", 0, most=LARGEST_PAGE),
        page_size=min(page_size or PAGE_SIZE, PAGE_SIZE),
    )
    text = compact([_entry_object(entry) for entry in entries])
    return Response(text, media_type="application/json")


def _number(query: dict[str, object], name: str, default: int, *, most: int | None = None) -> int:
    if name not in query:
        return default
    number = as_identifier(query[name])
    if number is None or (most is not None and number > most):
        raise BadField(name, query[name], "an integer of 0 or more")
    return number


def _entry_object(entry: Entry) -> dict[str, object]:
    """Fields of our own: no recording shows the vendor's."""
    return {
        "id": entry.id,
        "time": timestamp(entry.time),
        "user": entry.user_id,
        "username": entry.username,
        "ip_address": entry.ip_address,
        "method": entry.method,
        "path": entry.path,
        "object_id": entry.object_id,
        "status": entry.status,
        "message": entry.message,
    }
