"""The words of containers, and the repositories of playbooks."""

from __future__ import annotations

from prefect_phantom.adapters.store.listing.field import (
    Kind,
    Relation,
    column,
    constant,
    integer,
    text,
)
from prefect_phantom.adapters.store.listing.resource import Resource, fixed
from prefect_phantom.adapters.store.tables.case_tables import labels
from prefect_phantom.adapters.store.tables.tables import repositories

SEVERITY = fixed(
    "severity",
    "Severity",
    ["high", "medium", "low"],
    disabled=constant(Kind.BOOLEAN, value=False),
)
CONTAINER_STATUS = fixed(
    "container_status",
    "Container status",
    ["new", "open", "closed"],
    status_type=text("name"),
    disabled=constant(Kind.BOOLEAN, value=False),
)
"""The vendor's three. Containers may have any other status, too."""
LABEL = Resource(
    name="label",
    source=labels,
    thing="Label",
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "disabled": constant(Kind.BOOLEAN, value=False),
    },
)
"""The labels that containers have or had, and those of the setting."""
SCM = Resource(
    name="scm",
    source=repositories,
    thing="Repository",
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "disabled": constant(Kind.BOOLEAN, value=False),
        "type": constant(Kind.TEXT, "folder"),
        "uri": constant(Kind.TEXT),
        "branch": constant(Kind.TEXT),
    },
    related={
        "playbook": Relation("playbook", lambda mine, theirs: mine.c.name == theirs.c.repository)
    },
)
