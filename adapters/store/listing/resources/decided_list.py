"""What is listed of custom lists. Their content may be large: in a list it is expensive."""

from __future__ import annotations

from adapters.store import decided_lists
from adapters.store.case_tables import decided_lists as table
from adapters.store.listing.field import column, document, integer, text, time
from adapters.store.listing.resource import Resource

DECIDED_LIST = Resource(
    name="decided_list",
    source=table,
    missing=decided_lists.missing,
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "content": document("content", expensive=True),
        "create_time": time("create_time"),
        "update_time": time("update_time"),
        "version": integer("version"),
    },
)
