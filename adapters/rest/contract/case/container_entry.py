"""Notes, comments and pins of containers, under ``/rest/<type>``. Whoever writes is the author.

Their lists are in `routes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import BadField, NotFound, NothingToChange
from prefect_phantom.adapters.rest.gateway import Gateway, caller
from prefect_phantom.adapters.rest.openapi.operation import Operation, Schema
from prefect_phantom.adapters.rest.openapi.schemas import (
    FILLED,
    IDENTIFIER,
    INDEXED,
    TEXT,
    optional,
)
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.fields import LONGEST_INDEXED, Fields
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
        read: What a body says of one, by column; None says nothing.
        body: Schemas of what it reads.
        bound: Ids that are given when it is made, and then stay.
    """

    entries: Entries
    thing: str
    author: str
    required: str
    read: Callable[[Fields], Mapping[str, object]]
    body: Mapping[str, Schema]
    bound: tuple[str, ...] = ()

    @property
    def operations(self) -> dict[str, Operation]:
        """What the handlers read and answer, by their names."""
        bound = {name: optional(IDENTIFIER) for name in self.bound}
        container = {"description": "A synonym of container_id", **optional(IDENTIFIER)}
        answer = {"success": True, "id": 1}
        return {
            "create": Operation(
                body={"container_id": IDENTIFIER, "container": container, **self.body, **bound},
                required=["container_id", self.required],
                sent={"container_id": 42, self.required: "seen"},
                answer=answer,
                refusals=[NotFound],
            ),
            "change": Operation(body=self.body, sent={self.required: "changed"}, answer=answer),
            "remove": Operation(answer=answer),
        }

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
        said = dict(self.read(Fields(await read_object(request))))
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


def _note(fields: Fields) -> dict[str, object]:
    form = fields.text("note_format")
    if form is not None and form not in FORMATS:
        raise BadField("note_format", form, '"markdown" or "html"')
    return {
        "title": fields.text("title"),
        "content": fields.filled_text("content"),
        "note_type": fields.filled_text("note_type", longest=LONGEST_INDEXED),
        "note_format": form,
    }


def _comment(fields: Fields) -> dict[str, object]:
    return {"comment": fields.filled_text("comment")}


def _pin(fields: Fields) -> dict[str, object]:
    return {
        "message": fields.filled_text("message"),
        "data": fields.text("data"),
        "pin_style": fields.text("pin_style", longest=LONGEST_INDEXED),
        "pin_type": fields.text("pin_type", longest=LONGEST_INDEXED),
    }


NOTES = EntryHandlers(
    container_entries.NOTES,
    "a note",
    "author_id",
    "content",
    _note,
    {
        "title": TEXT,
        "content": FILLED,
        "note_type": optional(INDEXED),
        "note_format": {"enum": [*FORMATS, None]},
    },
    bound=("artifact_id",),
)
COMMENTS = EntryHandlers(
    container_entries.COMMENTS, "a comment", "user_id", "comment", _comment, {"comment": FILLED}
)
"""Made and read only: what somebody said stays said (our decision)."""
PINS = EntryHandlers(
    container_entries.PINS,
    "a pin",
    "author_id",
    "message",
    _pin,
    {"message": FILLED, "data": TEXT, "pin_style": TEXT, "pin_type": TEXT},
)
