"""``/rest/ph_user``: users, for administrators to make and change, and for viewers to read."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.between.permissions import AUTOMATION, OBSERVER
from prefect_phantom.adapters.errors import (
    BadField,
    FieldMissing,
    PasswordLength,
    PasswordOfAutomation,
    WeakPassword,
)
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import (
    BOOLEAN,
    FILLED,
    IDENTIFIER,
    PASSWORD,
    TEXTS,
    TIME,
)
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.fields import Fields, as_identifier
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.security.exposure import is_open
from prefect_phantom.adapters.security.guessable import SHORTEST_PASSWORD, is_blank, objection
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts import accounts, users
from prefect_phantom.adapters.store.accounts.accounts import Changes
from prefect_phantom.adapters.store.listing.request import Condition, Given

LONGEST_NAME = 150
PASSWORD_LENGTHS = range(SHORTEST_PASSWORD, 1001)
CHANGEABLE = ("password", "roles", "allowed_ips", "is_active")
ANY = "any"
"""In `allowed_ips` it stands for every address; so does the whole field when it is left out."""
ROLES = {
    "description": "Ids or names of roles",
    "type": "array",
    "items": {"anyOf": [IDENTIFIER, FILLED]},
}
NETWORKS = {**TEXTS, "description": f'Networks such as "192.0.2.0/24", or "{ANY}"'}
PEOPLE = Condition("type", Given("normal", "normal"))
"""The condition of a list without automation users."""


@Operation(
    body={
        "username": {**FILLED, "maxLength": LONGEST_NAME},
        "type": {"enum": ["automation", "normal"]},
        "password": PASSWORD,
        "roles": ROLES,
        "allowed_ips": NETWORKS,
        "is_active": BOOLEAN,
        "expire_time": TIME,
    },
    required=["username", "type"],
    sent={"username": "soar-caller", "type": "automation"},
    answer={"success": True, "id": 4, "token": "..."},
    optional=["token"],
)
async def create(request: Request) -> Response:
    """Make a user. The answer shows the token of an automation user, this once."""
    body = await read_object(request)
    fields = Fields(body)
    username = fields.filled_text("username", longest=LONGEST_NAME)
    if username is None:
        raise FieldMissing("username")
    # Basic credentials end the name at the first colon, and names are printed in logs.
    if ":" in username or not username.isprintable():
        raise BadField("username", username, "printable characters without a colon")
    kind = fields.text("type")
    if kind not in {"automation", "normal"}:
        raise BadField("type", kind, '"automation" or "normal"')
    settings = Gateway.of(request).settings
    changes = _changes(body, settings, roles=[AUTOMATION if kind == "automation" else OBSERVER])
    _check_password(kind, changes.password)
    if kind == "normal" and changes.password is None:
        raise FieldMissing("password")
    made, token = await accounts.create(
        Gateway.of(request).database,
        username,
        kind,
        changes,
        expire_time=time_to_come(fields, "expire_time"),
    )
    shown = {} if token is None else {"token": token}
    return answer({"success": True, "id": made, **shown})


@Operation(
    body={
        "password": PASSWORD,
        "roles": ROLES,
        "allowed_ips": NETWORKS,
        "is_active": BOOLEAN,
    },
    sent={"is_active": False},
    answer={"success": True, "id": 4},
)
async def change(request: Request) -> Response:
    """Change a user's password, roles or addresses, or whether the user is active."""
    gateway, changed = Gateway.of(request), path_identifier(request, "User")
    body = await read_object(request)
    Fields(body).refuse_others(CHANGEABLE, "user")
    changes = _changes(body, gateway.settings)
    _check_password((await users.read(gateway.database, changed)).type, changes.password)
    user = await accounts.change(gateway.database, changed, changes)
    return answer({"success": True, "id": user.id})


def time_to_come(fields: Fields, name: str) -> datetime | None:
    """A time that is not over. Raises `BadField`."""
    time = fields.time(name)
    if time is not None and time <= datetime.now(UTC):
        raise BadField(name, fields.body[name], "a time to come")
    return time


def includes_automation(request: Request) -> bool:
    """Whether automation users are asked for, too; the parameter alone is enough."""
    value = request.query_params.get("include_automation")
    return value is not None and value.strip("\"'").lower() not in {"0", "false"}


def _changes(
    body: dict[str, object], settings: Settings, roles: list[int | str] | None = None
) -> Changes:
    """What `body` says of a user; `roles` are those of one that it says nothing of."""
    networks = _networks(body)
    active = body.get("is_active")
    if active is not None and not isinstance(active, bool):
        raise BadField("is_active", active, "true or false")
    return Changes(
        password=_password(body, settings),
        roles=roles if (named := _roles(body)) is None else named,
        allowed_ips=None if networks is None or ANY in networks else networks,
        anywhere=networks is not None and ANY in networks,
        disabled=None if active is None else not active,
    )


def _password(body: dict[str, object], settings: Settings) -> str | None:
    """The password. No error repeats it, as those of `Fields` would."""
    password = body.get("password")
    if password is None:
        return None
    if not isinstance(password, str) or len(password) not in PASSWORD_LENGTHS:
        raise PasswordLength(PASSWORD_LENGTHS[0], PASSWORD_LENGTHS[-1])
    wrong = objection(password)
    if is_blank(password) or (wrong and is_open(settings)):
        raise WeakPassword(wrong)
    return password


def _check_password(kind: str, password: str | None) -> None:
    if kind == "automation" and password is not None:
        raise PasswordOfAutomation


def _roles(body: dict[str, object]) -> list[int | str] | None:
    """Roles by their ids or names."""
    named = body.get("roles")
    if named is None:
        return None
    accepted = "a list of ids or names of roles"
    if not isinstance(named, list):
        raise BadField("roles", named, accepted)
    found: list[int | str] = []
    for each in named:
        role = as_identifier(each)
        if role is None and not isinstance(each, str):
            raise BadField("roles", named, accepted)
        found.append(each if role is None else role)
    return found


def _networks(body: dict[str, object]) -> list[str] | None:
    """Networks in their usual spelling: addresses, or with the length of a prefix (CIDR)."""
    named = body.get("allowed_ips")
    if named is None:
        return None
    accepted = f'a list of addresses and networks such as "192.0.2.0/24", or of "{ANY}"'
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise BadField("allowed_ips", named, accepted)
    try:
        return [each if each == ANY else str(ip_network(each)) for each in named]
    except ValueError as error:
        raise BadField("allowed_ips", named, accepted) from error
