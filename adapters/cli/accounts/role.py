"""``role``: what users may do."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.client import Phantom, administration
from prefect_phantom.client.administration import Role

app = App(name="role", help="List roles, make, change and delete them.")

Name = Annotated[str, Parameter(help="Name of the role.")]
PERMIT = Parameter(
    name="--permit",
    negative=(),
    help="view, edit_containers, run_playbooks, cancel or administer; may be repeated.",
)
Description = Annotated[str | None, Parameter(help="What it is for.")]


@app.command(name="list")
def list_(*, as_json: AsJson = False, connection: Connection = DEFAULT) -> None:
    """List the roles; those that are shipped cannot be changed."""
    with connection.open() as phantom:
        roles = phantom.send(administration.list_roles())
        if as_json:
            Console().print_json(data=[role.model_dump(mode="json") for role in roles])
            return
        table = Table("id", "name", "permissions", "shipped", "description")
        for role in roles:
            table.add_row(
                str(role.id),
                Text(role.name),
                ", ".join(role.permissions),
                "yes" if role.immutable else "no",
                Text(role.description),
            )
        Console().print(table)


@app.command
def create(
    name: Name,
    /,
    *,
    permit: Annotated[list[str], PERMIT],
    description: Description = None,
    connection: Connection = DEFAULT,
) -> None:
    """Make a role with these permissions."""
    with connection.open() as phantom:
        phantom.send(administration.create_role(name, permit, description))
        Console().print(Text(f"Role {name} made."))


@app.command
def change(
    name: Name,
    /,
    *,
    permit: Annotated[list[str] | None, PERMIT] = None,
    description: Description = None,
    connection: Connection = DEFAULT,
) -> None:
    """Give a role exactly these permissions, at once for all who have it."""
    with connection.open() as phantom:
        role = _find(phantom, name)
        phantom.send(
            administration.change_role(role.id, permissions=permit, description=description)
        )
        Console().print(Text(f"Role {name} changed."))


@app.command
def delete(name: Name, /, *, connection: Connection = DEFAULT) -> None:
    """Delete a role that no user has."""
    with connection.open() as phantom:
        phantom.send(administration.change_role(_find(phantom, name).id, delete=True))
        Console().print(Text(f"Role {name} deleted."))


def _find(phantom: Phantom, name: str) -> Role:
    roles = phantom.send(administration.list_roles())
    role = next((each for each in roles if each.name == name), None)
    return role or fail(f'Role "{name}" not found')
