"""The lists of assets, and of the apps that they are for."""

from __future__ import annotations

from sqlalchemy import func, select

from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    Relation,
    boolean,
    column,
    constant,
    document,
    integer,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.tables import assets

_same = assets.alias("same")

ASSET = Resource(
    name="asset",
    source=assets,
    thing="Asset",
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "app": Field(
            Kind.INTEGER,
            lambda row: (
                select(func.min(_same.c.id)).where(_same.c.app == row.c.app).scalar_subquery()
            ),
            to=Relation("app", lambda mine, theirs: mine.c.app == theirs.c.name),
        ),
        "product_name": text("app"),
        "description": text("description"),
        "configuration": document("settings"),
        "secret_blocks": document("secrets"),
        "action_limit": integer("action_limit"),
        "disabled": boolean("disabled"),
        "tags": constant(Kind.JSON, []),
        "type": constant(Kind.TEXT, ""),
        "create_time": time("create_time"),
        "update_time": time("update_time"),
        "version": integer("version"),
    },
)
APP = Resource(
    name="app",
    source=select(func.min(assets.c.id).label("id"), assets.c.app.label("name"))
    .group_by(assets.c.app)
    .subquery("apps"),
    thing="App",
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "product_name": text("name"),
        "disabled": constant(Kind.BOOLEAN, value=False),
    },
    related={"asset": Relation("asset", lambda mine, theirs: mine.c.name == theirs.c.app)},
)
"""The apps that have assets; the id is that of the first such asset."""
