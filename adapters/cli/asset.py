"""``asset``: where apps do their work, with settings, secrets and a limit."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from prefect_phantom.adapters.cli import pairs
from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, fail
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.adapters.cli.terminal.live import follow
from prefect_phantom.adapters.cli.terminal.pictures import fact_grid, moment
from prefect_phantom.adapters.security.secret_names import is_secret_setting, secret_within
from prefect_phantom.client import Container, Phantom, administration
from prefect_phantom.client.models.asset import Asset

app = App(name="asset", help="List assets, make, change, test and delete them.")

TESTS = "prefect-phantom: tests of assets"
"""Identifier of the container that tests run on."""
Name = Annotated[str, Parameter(help="Name of the asset.")]
Description = Annotated[str | None, Parameter(help="What it is for.")]
Set = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        validator=pairs.check,
        negative=(),
        help="KEY=VALUE, a setting of the app; a value that is JSON is taken as JSON.",
    ),
]
Secret = Annotated[
    list[str] | None,
    Parameter(
        name="--secret",
        negative=(),
        help="KEY, a secret setting: it is asked for, or a line of standard input. KEY=@FILE "
        "reads a file. Never a value, which everybody on the machine could read.",
    ),
]
Limit = Annotated[int | None, Parameter(help="Most actions at once, in all runs together.")]


@app.command(name="list")
def list_(*, as_json: AsJson = False, connection: Connection = DEFAULT) -> None:
    """List the assets. Secrets are never shown."""
    with connection.open() as phantom:
        assets = list(phantom.iterate(Asset))
        if as_json:
            Console().print_json(data=[each.model_dump(mode="json") for each in assets])
            return
        table = Table("id", "name", "app", "state", "limit", "description")
        for asset in assets:
            table.add_row(
                str(asset.id),
                Text(asset.name),
                Text(asset.product_name),
                "disabled" if asset.disabled else "",
                str(asset.action_limit or ""),
                Text(asset.description or ""),
            )
        Console().print(table)


@app.command
def show(name: Name, /, *, as_json: AsJson = False, connection: Connection = DEFAULT) -> None:
    """Show an asset: its settings, and which Prefect blocks hold its secrets."""
    with connection.open() as phantom:
        asset = _find(phantom, name)
        if as_json:
            Console().print_json(data=asset.model_dump(mode="json"))
            return
        settings = {f"  {key}": str(value) for key, value in asset.configuration.items()}
        secrets = {f"  {key}": f"in block {block}" for key, block in asset.secret_blocks.items()}
        facts = {
            "asset": asset.name,
            "id": str(asset.id),
            "app": asset.product_name,
            "description": asset.description,
            "state": "disabled" if asset.disabled else "in use",
            "most actions at once": str(asset.action_limit or "no limit"),
            "changed": moment(asset.update_time),
            **settings,
            **secrets,
        }
        Console().print(fact_grid(facts))


@app.command
def create(
    name: Name,
    /,
    *,
    of_app: Annotated[str, Parameter(name="--app", help="Name of its app, such as DNS.")],
    set_: Set = None,
    secret: Secret = None,
    limit: Limit = None,
    description: Description = None,
    connection: Connection = DEFAULT,
) -> None:
    """Make an asset."""
    body = {
        "name": name,
        "app": of_app,
        "configuration": _settings(set_),
        "secrets": _secrets(secret),
        "action_limit": limit,
        "description": description,
    }
    with connection.open() as phantom:
        phantom.send(administration.create_asset(body))
        Console().print(Text(f"Asset {name} made."))


@app.command
def change(
    name: Name,
    /,
    *,
    set_: Set = None,
    unset: Annotated[
        list[str] | None,
        Parameter(negative=(), help="A setting, or a secret, that is taken away."),
    ] = None,
    secret: Secret = None,
    limit: Limit = None,
    no_limit: Annotated[bool, Parameter(negative=(), help="Take its limit away.")] = False,
    description: Description = None,
    rename: Annotated[str | None, Parameter(help="Its new name.")] = None,
    enable: Annotated[bool | None, Parameter(negative="--disable", help="Use it again.")] = None,
    connection: Connection = DEFAULT,
) -> None:
    """Change an asset. What is not named stays, secrets too."""
    body: dict[str, object] = {}
    secrets: dict[str, str | None] = dict(_secrets(secret))
    with connection.open() as phantom:
        asset = _find(phantom, name)
        gone = unset or []
        for each in gone:
            if each not in {**asset.configuration, **asset.secret_blocks}:
                fail(f'Asset "{name}" has no setting {each}')
        if set_ or gone:
            settings = asset.configuration | _settings(set_)
            body["configuration"] = {key: settings[key] for key in settings if key not in gone}
        secrets |= {key: None for key in gone if key in asset.secret_blocks}
        if secrets:
            body["secrets"] = secrets
        if limit is not None or no_limit:
            body["action_limit"] = limit
        body |= {
            key: value for key, value in (("name", rename), ("description", description)) if value
        }
        if enable is not None:
            body["disabled"] = not enable
        phantom.send(administration.change_asset(asset.id, body))
        Console().print(Text(f"Asset {rename or name} changed."))


@app.command
def delete(name: Name, /, *, connection: Connection = DEFAULT) -> None:
    """Delete an asset with its secrets. What it did stays known."""
    with connection.open() as phantom:
        phantom.send(administration.change_asset(_find(phantom, name).id, {"delete": True}))
        Console().print(Text(f"Asset {name} deleted."))


@app.command(name="test")
def try_(name: Name, /, *, as_json: AsJson = False, connection: Connection = DEFAULT) -> int:
    """Run the app's action "test connectivity" on an asset. Exit code 0: success, 1: failed."""
    with connection.open() as phantom:
        asset = _find(phantom, name)
        inputs = {"asset": asset.name, "app": asset.product_name}
        playbook = "examples/test_connectivity"
        run = phantom.run(playbook, _container(phantom), scope=[], inputs=inputs)
        return follow(phantom, run, as_json=as_json)


def _find(phantom: Phantom, name: str) -> Asset:
    asset = next(phantom.iterate(Asset, name=name), None)
    return asset or fail(f'Asset "{name}" not found')


def _container(phantom: Phantom) -> int:
    """The container that tests run on, made by the first of them."""
    found = next(phantom.iterate(Container, source_data_identifier=TESTS), None)
    if found is not None:
        return found.id
    return phantom.create_container("Tests of assets", source_data_identifier=TESTS)


def _settings(given: Sequence[str] | None) -> dict[str, object]:
    settings = pairs.read(given or [])
    for name, value in settings.items():
        if is_secret_setting(name, value) or secret_within(value, name):
            fail(f"{name} looks secret: give it with --secret {name}, without its value", code=2)
    return settings


def _secrets(given: Sequence[str] | None) -> dict[str, str]:
    secrets: dict[str, str] = {}
    for text in given or []:
        name, equals, source = text.partition("=")
        if equals and not source.startswith("@"):
            sentence = f"--secret {name} takes no value, which everybody on the machine could read"
            fail(f"{sentence}: leave it out to be asked, or write {name}=@FILE", code=2)
        secrets[name] = _file(source[1:]) if equals else _asked(name)
        if not secrets[name]:
            fail(f"The secret {name} is empty; `asset change --unset {name}` takes one away")
    return secrets


def _file(path: str) -> str:
    try:
        return Path(path).read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The file {path} cannot be read: {error}")


def _asked(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass(f"{name}: ")
