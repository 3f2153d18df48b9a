"""The lists of users, their roles and tokens."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    cast,
    func,
    literal,
    literal_column,
    not_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by

from prefect_phantom.adapters.store.listing.field import (
    Expression,
    Field,
    Kind,
    boolean,
    column,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.account_tables import roles, tokens, user_roles, users


def _of_roles(value: ColumnElement[Any]) -> Expression:
    """A list of what the roles of a user have, each once, in its order."""

    def expression(row: FromClause) -> ColumnElement[Any]:
        mine = (
            select(value.label("value"))
            .join_from(user_roles, roles, roles.c.id == user_roles.c.role_id)
            .where(user_roles.c.user_id == row.c.id)
            .distinct()
            .correlate(row)
            .subquery()
        )
        listed = func.jsonb_agg(aggregate_order_by(mine.c.value, mine.c.value))
        return select(func.coalesce(listed, literal_column("'[]'::jsonb"))).scalar_subquery()

    return expression


def _allowed(row: FromClause) -> ColumnElement[Any]:
    """The networks; any is told by its word."""
    anywhere = cast(literal(["any"], ARRAY(Text)), ARRAY(Text))
    return func.to_jsonb(func.coalesce(row.c.allowed_ips, anywhere), type_=JSONB)


PH_USER = Resource(
    name="ph_user",
    source=users,
    thing="User",
    title=column("username"),
    fields={
        "id": integer("id"),
        "username": text("username"),
        "type": text("type"),
        "is_active": Field(Kind.BOOLEAN, lambda row: not_(row.c.disabled)),
        "roles": Field(Kind.JSON, _of_roles(roles.c.name)),
        "permissions": Field(Kind.JSON, _of_roles(func.unnest(roles.c.permissions))),
        "allowed_ips": Field(Kind.JSON, _allowed),
    },
)
ROLE = Resource(
    name="role",
    source=roles,
    thing="Role",
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "description": text("description"),
        "immutable": boolean("immutable"),
        "permissions": Field(Kind.JSON, lambda row: func.to_jsonb(row.c.permissions, type_=JSONB)),
    },
)
TOKEN = Resource(
    name="token",
    source=tokens,
    thing="Token",
    title=column("id"),
    fields={
        "id": integer("id"),
        "ph_user": reference("user_id", "ph_user"),
        "create_time": time("create_time"),
        "expire_time": time("expire_time"),
    },
)
"""Listed of one user only, for administrators; nobody can read a token again."""
