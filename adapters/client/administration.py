"""Requests of administrators, sent by `Phantom.send`: of users, roles, tokens, assets, playbooks.

::

    for user in phantom.send(administration.list_users()):
        print(user.username, user.roles)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from prefect_phantom.client.call import REPEAT_SECONDS, Call, Json


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class User(_Answer):
    """A person (``normal``) or a program (``automation``)."""

    id: int
    username: str
    type: str
    is_active: bool = True
    roles: list[str] = []
    permissions: list[str] = []
    allowed_ips: list[str] = []
    """Networks from which the user may call; ``any`` is everywhere."""


class Role(_Answer):
    """A named set of permissions."""

    id: int
    name: str
    description: str = ""
    immutable: bool = False
    permissions: list[str] = []


class Forgotten(_Answer):
    """What goes with a playbook that is forgotten, or would go with it."""

    id: int
    forgotten: bool
    schedules: list[str]
    playbook_runs: list[int]
    """Runs that wait, and end failed."""
    kept: bool
    """Whether earlier runs go on to name it."""


class Token(_Answer):
    """A token of an automation user, without the secret."""

    id: int
    create_time: datetime
    expire_time: datetime | None = None


class Made(_Answer):
    """What was made: its id, and the token if there is one, which cannot be read again."""

    id: int
    token: str = ""


class Done(_Answer):
    """It has been done."""

    success: bool


class _Users(BaseModel):
    data: list[User]


class _Roles(BaseModel):
    data: list[Role]


class _Tokens(BaseModel):
    data: list[Token]


def list_users() -> Call[list[User]]:
    """Read every user, automation users too."""
    return Call(
        method="GET",
        path="/rest/ph_user?page_size=0&include_automation",
        parse=lambda answer: _Users.model_validate(answer).data,
        repeat_seconds=REPEAT_SECONDS,
    )


def create_user(username: str, kind: str, **fields: object) -> Call[Made]:
    """Make a user. Not repeated: the second name would be taken."""
    return _post("/rest/ph_user", {"username": username, "type": kind, **_given(fields)})


def change_user(user_id: int, **fields: object) -> Call[Made]:
    """Change `password`, `roles`, `allowed_ips` or `is_active` of a user."""
    return _post(f"/rest/ph_user/{user_id}", _given(fields))


def list_roles() -> Call[list[Role]]:
    """Read every role."""
    return Call(
        method="GET",
        path="/rest/role?page_size=0",
        parse=lambda answer: _Roles.model_validate(answer).data,
        repeat_seconds=REPEAT_SECONDS,
    )


def create_role(name: str, permissions: Sequence[str], description: str | None) -> Call[Made]:
    """Make a role."""
    body = {"name": name, "permissions": list(permissions), "description": description}
    return _post("/rest/role", body)


def change_role(role_id: int, **fields: object) -> Call[Made]:
    """Change `permissions` or `description` of a role, or `delete` it."""
    return _post(f"/rest/role/{role_id}", _given(fields))


def list_tokens(user_id: int) -> Call[list[Token]]:
    """Read what tokens a user has."""
    return Call(
        method="GET",
        path=f"/rest/ph_user/{user_id}/token?page_size=0",
        parse=lambda answer: _Tokens.model_validate(answer).data,
        repeat_seconds=REPEAT_SECONDS,
    )


def create_token(user_id: int, expire_time: datetime | None) -> Call[Made]:
    """Make a further token of an automation user."""
    body = {} if expire_time is None else {"expire_time": expire_time.isoformat()}
    return _post(f"/rest/ph_user/{user_id}/token", body)


def revoke_token(user_id: int, token_id: int) -> Call[Made]:
    """Take a token away."""
    return _post(f"/rest/ph_user/{user_id}/token/{token_id}", {"revoke": True})


def change_playbook(playbook_id: int, *, active: bool, cancel_runs: bool) -> Call[Done]:
    """Make a playbook active or not, and cancel its open runs."""
    body = {"active": active, "cancel_runs": cancel_runs}
    path = f"/rest/playbook/{playbook_id}"
    return Call(method="POST", path=path, body=body, parse=Done.model_validate)


def forget_playbook(playbook_id: int, *, preview: bool) -> Call[Forgotten]:
    """Forget a playbook whose file is gone; `preview` only says what would go with it."""
    body = {"forget": True, "preview": preview}
    path = f"/rest/playbook/{playbook_id}"
    return Call(method="POST", path=path, body=body, parse=Forgotten.model_validate)


def create_asset(body: Json) -> Call[Made]:
    """Make an asset. Not repeated: the second name would be taken."""
    return _post("/rest/asset", body)


def change_asset(asset_id: int, body: Json) -> Call[Made]:
    """Change or `delete` an asset; null clears a secret or the limit."""
    return _post(f"/rest/asset/{asset_id}", body)


def _post(path: str, body: Json) -> Call[Made]:
    return Call(method="POST", path=path, body=body, parse=Made.model_validate)


def _given(fields: Json) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
