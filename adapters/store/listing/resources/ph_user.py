"""What is listed of users."""

from __future__ import annotations

from adapters.errors import UserNotFound
from adapters.store.listing.field import column, integer, text
from adapters.store.listing.resource import Resource
from adapters.store.tables import users

PH_USER = Resource(
    name="ph_user",
    source=users,
    missing=UserNotFound,
    title=column("username"),
    fields={"id": integer("id"), "username": text("username"), "type": text("type")},
)
