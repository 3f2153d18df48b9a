"""What is listed of custom lists. Their content may be large: in a list it is expensive."""

from __future__ import annotations

from prefect_phantom.adapters.store.listing.field import column, document, integer, text, time
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.case_tables import decided_lists as table

DECIDED_LIST = Resource(
    name="decided_list",
    source=table,
    thing="Custom list",
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
