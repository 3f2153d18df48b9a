"""``token``: credentials for programs that call the gateway."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter

from adapters.cli.connection import DEFAULT, Connection

app = App(name="token", help="Make credentials for programs that call the gateway.")


@app.command
def create(
    name: Annotated[str, Parameter(help="Name of the automation user that is made for it.")],
    /,
    *,
    connection: Connection = DEFAULT,
) -> None:
    """Make an automation user and print its token, alone. It is shown once."""
    with connection.open() as phantom:
        sys.stdout.write(f"{phantom.create_token(name)}\n")
