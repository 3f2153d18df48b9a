"""The lists that callers ask for and that are empty, since nothing here makes such things yet."""

from __future__ import annotations

from prefect_phantom.adapters.store.listing.field import Field, Kind, Relation, constant, integer
from prefect_phantom.adapters.store.listing.resource import Resource, nothing


def _to(resource: str) -> Field:
    """The id of something, which no row has."""
    field = constant(Kind.INTEGER)
    to = Relation(resource, lambda mine, theirs: mine.c.id == theirs.c.id)
    return Field(field.kind, field.value, to=to)


APPROVAL: Resource = nothing(
    "approval",
    "Approval",
    {
        "id": integer("id"),
        "name": constant(Kind.TEXT),
        "status": constant(Kind.TEXT),
        "action_run": _to("action_run"),
        "container": _to("container"),
        "playbook_run": _to("playbook_run"),
        "owner": _to("ph_user"),
        "start_time": constant(Kind.TIME),
        "due_time": constant(Kind.TIME),
    },
)
