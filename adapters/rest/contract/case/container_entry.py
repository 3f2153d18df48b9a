"""Notes, comments and pins of containers, under ``/rest/<type>``. Whoever writes is the author.

Their lists are in `routes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import BadField, NotFound, NothingToChange
from prefect_phantom.adapters.rest.gateway import Gateway, caller
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import FILLED as FILLED_TEXT
from prefect_phantom.adapters.rest.openapi.schemas import IDENTIFIER, optional
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.body_field import (
    FILLED,
    INDEXED,
    INDEXED_TEXT,
    TEXT,
    BodyField,
    body_schemas,
    read_fields,
)
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.case import container_entries
from prefect_phantom.adapters.store.case.container_entries import Entries
from prefect_phantom.adapters.store.case.containers import given

FORMATS = ("markdown", "html")


@dataclass(frozen=True, slots=True)
class EntryHandlers:
    """The handlers of one kind of entries.

    Attributes:
        entries: Where they are kept.
        thing: One of them in a sentence, with its article.
        author: The column of who wrote it.
        required: What a new one must have, besides its container.
        body: What is read of one, by column.
        bound: Ids that are given when it is made, and then stay.
    """

    entries: Entries
    thing: str
    author: str
    required: str
    body: Mapping[str, BodyField]
    bound: tuple[str, ...] = ()

    @property
    def operations(self) -> dict[str, Operation]:
        """What the handlers read and answer, by their names."""
        bound = {name: optional(IDENTIFIER) for name in self.bound}
        body = body_schemas(self.body)
        container = {"description": "A synonym of container_id", **optional(IDENTIFIER)}
        answer = {"success": True, "id": 1}
        return {
            "create": Operation(
                body={
                    "container_id": IDENTIFIER,
                    "container": container,
                    **body,
                    self.required: FILLED_TEXT,
                    **bound,
                },
                required=["container_id", self.required],
                sent={"container_id": 42, self.required: "seen"},
                answer=answer,
                refusals=[NotFound],
            ),
            "change": Operation(body=body, sent={self.required: "changed"}, answer=answer),
            "remove": Operation(answer=answer),
        }

    def read(self, fields: Fields) -> dict[str, object]:
        """What a body says of one, by column; None says nothing."""
        return read_fields(self.body, fields)

    async def create(self, request: Request, body: dict[str, object]) -> dict[str, object]:
        """Write one on a container. Further fields are ignored (our decision)."""
        fields = Fields(body)
        container_id = _container(fields)
        fields.require(self.required)
        values = given(
            {
                **self.read(fields),
                **{name: fields.identifier(name) for name in self.bound},
                self.author: caller(request).id,
            }
        )
        made = await self.entries.add(Gateway.of(request).database, container_id, values)
        return {"success": True, "id": made}

    async def change(self, request: Request) -> Response:
        """Replace what is named of one; its container and who wrote it stay."""
        entry = path_identifier(request, self.entries.thing)
        said = self.read(Fields(await read_object(request)))
        values = given(said)
        if not values:
            raise NothingToChange(self.thing, list(said))
        await self.entries.change(Gateway.of(request).database, entry, values)
        return answer({"success": True, "id": entry})

    async def remove(self, request: Request) -> Response:
        """Delete one."""
        entry = path_identifier(request, self.entries.thing)
        await self.entries.remove(Gateway.of(request).database, entry)
        return answer({"success": True, "id": entry})


def _container(fields: Fields) -> int:
    """The container: `container_id`, or `container`, which published clients send, too."""
    if fields.body.get("container_id") is None and fields.body.get("container") is not None:
        return fields.required_identifier("container")
    return fields.required_identifier("container_id")


def _format(fields: Fields, name: str) -> str | None:
    form = fields.text(name)
    if form is not None and form not in FORMATS:
        raise BadField(name, form, '"markdown" or "html"')
    return form


NOTES = EntryHandlers(
    container_entries.NOTES,
    "a note",
    "author_id",
    "content",
    {
        "title": TEXT,
        "content": FILLED,
        "note_type": INDEXED,
        "note_format": BodyField({"enum": [*FORMATS, None]}, _format),
    },
    bound=("artifact_id",),
)
COMMENTS = EntryHandlers(
    container_entries.COMMENTS, "a comment", "user_id", "comment", {"comment": FILLED}
)
"""Made and read only: what somebody said stays said (our decision)."""
PINS = EntryHandlers(
    container_entries.PINS,
    "a pin",
    "author_id",
    "message",
    {"message": FILLED, "data": TEXT, "pin_style": INDEXED_TEXT, "pin_type": INDEXED_TEXT},
)
