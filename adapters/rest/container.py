"""``/rest/container``: make a container. Its lists are in `lists.py`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import BadField, UnknownLabel
from adapters.rest.body import read_object
from adapters.rest.fields import Fields
from adapters.rest.gateway import Gateway
from adapters.rest.responses import answer
from adapters.store import containers
from adapters.store.containers import NewContainer

LONGEST_IDENTIFIER = 512
"""Characters of what is looked up by an index; PostgreSQL can index no more than 2.7 kB."""


async def create(request: Request) -> Response:
    """Make a container; `name` and `label` are required (vendor's documentation)."""
    gateway = Gateway.of(request)
    new = _new_container(await read_object(request))
    labels = gateway.settings.labels
    if labels is not None and new.label not in labels:
        raise UnknownLabel(new.label)
    container_id = await containers.create(gateway.database, new)
    return answer({"success": True, "id": container_id})


def _new_container(body: dict[str, object]) -> NewContainer:
    """The container that `body` describes. Further fields are ignored (our decision)."""
    fields = Fields(body)
    fields.require("name")
    fields.require("label")
    if body.get("artifacts"):
        # Ignoring these would lose evidence without a word.
        accepted = "left out: artifacts are posted to /rest/artifact one by one"
        raise BadField("artifacts", body["artifacts"], accepted)
    return NewContainer(
        name=fields.filled_text("name") or "",
        label=fields.filled_text("label", longest=LONGEST_IDENTIFIER) or "",
        description=fields.text("description"),
        status=fields.filled_text("status", longest=LONGEST_IDENTIFIER),
        severity=fields.filled_text("severity"),
        sensitivity=fields.filled_text("sensitivity"),
        container_type=fields.filled_text("container_type"),
        source_data_identifier=fields.filled_text(
            "source_data_identifier", longest=LONGEST_IDENTIFIER
        ),
        external_id=fields.text("external_id"),
        kill_chain=fields.text("kill_chain"),
        owner_id=fields.identifier("owner_id"),
        tags=fields.texts("tags"),
        custom_fields=fields.mapping("custom_fields"),
        data=fields.mapping("data"),
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
        due_time=fields.time("due_time"),
        open_time=fields.time("open_time"),
        close_time=fields.time("close_time"),
    )
