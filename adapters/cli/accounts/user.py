"""``user``: who may call the gateway."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.table import Table

from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.client import Phantom, administration
from prefect_phantom.client.administration import User

app = App(name="user", help="List users, make and change them.")

Name = Annotated[str, Parameter(help="Name of the user.")]
Roles = Annotated[
    list[str] | None, Parameter(name="--role", negative=(), help="Its roles; may be repeated.")
]
Networks = Annotated[
    list[str] | None,
    Parameter(
        name="--allow",
        negative=(),
        help="Networks from which it may call, as 192.0.2.0/24 or any; may be repeated.",
    ),
]


@app.command(name="list")
def list_(*, as_json: AsJson = False, connection: Connection = DEFAULT) -> None:
    """List all users, automation users too."""
    with connection.open() as phantom:
        users = phantom.send(administration.list_users())
        if as_json:
            Console().print_json(data=[user.model_dump(mode="json") for user in users])
            return
        table = Table("id", "name", "type", "state", "roles", "may call from")
        for user in users:
            table.add_row(
                str(user.id),
                Text(user.username),
                user.type,
                Text("active" if user.is_active else "disabled"),
                Text(", ".join(user.roles)),
                Text(", ".join(user.allowed_ips) or "nowhere"),
            )
        Console().print(table)


@app.command
def create(
    name: Name, /, *, role: Roles = None, allow: Networks = None, connection: Connection = DEFAULT
) -> None:
    """Make a user; its password is asked for, or read from standard input.

    Programs get a token instead, by `token create`.
    """
    with connection.open() as phantom:
        phantom.send(
            administration.create_user(
                name, "normal", password=_new_password(), roles=role, allowed_ips=allow
            )
        )
        Console().print(Text(f"User {name} made."))


@app.command
def change(
    name: Name,
    /,
    *,
    role: Roles = None,
    allow: Networks = None,
    password: Annotated[
        bool, Parameter(negative=(), help="Ask for a new password, or read it from standard input.")
    ] = False,
    connection: Connection = DEFAULT,
) -> None:
    """Give a user other roles, networks or another password."""
    with connection.open() as phantom:
        user = find(phantom, name)
        new = _new_password() if password else None
        phantom.send(
            administration.change_user(user.id, password=new, roles=role, allowed_ips=allow)
        )
        Console().print(Text(f"User {name} changed."))


@app.command
def disable(name: Name, /, *, connection: Connection = DEFAULT) -> None:
    """Let a user do nothing any more, at once. Nothing that it did is lost."""
    _set_state(name, "disabled", connection)


@app.command
def enable(name: Name, /, *, connection: Connection = DEFAULT) -> None:
    """Let a disabled user call again."""
    _set_state(name, "enabled", connection)


def find(phantom: Phantom, name: str) -> User:
    """The user of this name. Ends the command when there is none."""
    users = phantom.send(administration.list_users())
    user = next((each for each in users if each.username == name), None)
    return user or fail(f'User "{name}" not found')


def _set_state(name: str, state: Literal["enabled", "disabled"], connection: Connection) -> None:
    with connection.open() as phantom:
        user = find(phantom, name)
        phantom.send(administration.change_user(user.id, is_active=state == "enabled"))
        Console().print(Text(f"User {name} {state}."))


def _new_password() -> str:
    """Never an argument: every user of the machine can read those."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != password:
        fail("The two passwords differ.")
    return password
