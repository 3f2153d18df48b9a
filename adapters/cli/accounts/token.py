"""``token``: credentials for programs that call the gateway."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from prefect_phantom.adapters.cli.accounts.user import Networks, Roles, find
from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.client import administration

app = App(name="token", help="Make and revoke credentials for programs that call the gateway.")

Name = Annotated[str, Parameter(help="Name of the automation user.")]


@app.command(name="list")
def list_(name: Name, /, *, as_json: AsJson = False, connection: Connection = DEFAULT) -> None:
    """List the tokens of an automation user, by their ids."""
    with connection.open() as phantom:
        tokens = phantom.send(administration.list_tokens(find(phantom, name).id))
        if as_json:
            Console().print_json(data=[token.model_dump(mode="json") for token in tokens])
            return
        table = Table("id", "made", "expires")
        for token in tokens:
            expires = "never" if token.expire_time is None else token.expire_time.isoformat(sep=" ")
            table.add_row(str(token.id), token.create_time.isoformat(sep=" "), expires)
        Console().print(table)


@app.command
def create(
    name: Name,
    /,
    *,
    role: Roles = None,
    allow: Networks = None,
    days: Annotated[
        float | None, Parameter(help="After so many days it expires; without it, never.")
    ] = None,
    connection: Connection = DEFAULT,
) -> None:
    """Print a new token, alone; it is shown once. The automation user is made if it is missing.

    A user that is there already keeps its roles and networks: `user change` changes them.
    """
    with connection.open() as phantom:
        expire_time = None if days is None else datetime.now(UTC) + timedelta(days=days)
        users = phantom.send(administration.list_users())
        user = next((each for each in users if each.username == name), None)
        if user is None:
            made = phantom.send(
                administration.create_user(
                    name,
                    "automation",
                    roles=role,
                    allowed_ips=allow,
                    expire_time=expire_time and expire_time.isoformat(),
                )
            )
        elif role is None and allow is None:
            made = phantom.send(administration.create_token(user.id, expire_time))
        else:
            fail(f'User "{name}" exists: change its roles and networks by `user change`.')
        sys.stdout.write(f"{made.token}\n")


@app.command
def revoke(
    name: Name,
    token_id: Annotated[int, Parameter(help="Its id, as `token list` shows it.")],
    /,
    *,
    connection: Connection = DEFAULT,
) -> None:
    """Take a token away, at once on every gateway."""
    with connection.open() as phantom:
        phantom.send(administration.revoke_token(find(phantom, name).id, token_id))
        Console().print(Text(f"Token {token_id} of {name} revoked."))
