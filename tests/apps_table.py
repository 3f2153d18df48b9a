"""Writes `docs/apps.md` from the apps themselves. `make coverage` runs it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect_phantom import apps

FILE = Path(__file__).parent.parent / "docs" / "apps.md"
HEAD = """\
# Apps

An app is a set of actions. These ship; each is a module in `flows/apps/`, and its actions are
called as [playbooks.md](playbooks.md) says. Written by `make coverage` from the apps themselves.

- An action of an app with settings needs an **asset**: a name, and values for the settings. A
  secret is kept in Prefect, and stands in no message and no answer: where a server repeats it
  there are stars.
- `test connectivity` says whether an asset's settings work.
- `timeout_seconds` holds for a whole action, also where a server sends a byte at a time.
- Certificates are checked unless the asset says otherwise. What comes back is limited in size.
- What could not be done is an `ActionFailure` whose message is one sentence.
- A proxy is used where an asset names one, and not where the environment does.

## Apps of your own

A module with `@action` functions is an app; the first line of its docstring describes it. It is
found

- by an entry point of an installed package, in the group `prefect_phantom.apps`, whose value is
  the module: `[project.entry-points."prefect_phantom.apps"]` and `desk = "desk.actions"`;
- in a folder that the variable `PREFECT_PHANTOM_APPS` names; several are separated by `:`. Files
  there whose names begin with `_` are modules for the others.

`python -P -m prefect_phantom.apps` prints a line of JSON for each app that is found, and what is
wrong with one that does not import. `prefect_phantom.apps.find("whois ip")` gives the actions of
that name.
"""


def table() -> str:
    """The whole file."""
    return HEAD + "".join(line + "\n" for app in apps.load() for line in _app(app))


def _app(app: apps.App) -> Iterator[str]:
    told = app.describe()
    yield from ("", f"## {app.name}", "", f"{told['description']}.", "")
    if told["settings"]:
        yield from ("| setting | value | meaning |", "|---|---|---|")
        for name, field in told["settings"]["properties"].items():
            secret = ", secret" if name in told["secrets"] else ""
            yield _row(name, field, told["settings"], secret)
    else:
        yield "It needs no asset."
    for action in app.actions:
        yield from ("", f"### {action.name} ({action.type})", "", _docstring(action.function))
        schema = action.parameters.schema()
        if schema.get("properties"):
            yield from ("", "| parameter | value | meaning |", "|---|---|---|")
            for name, field in schema["properties"].items():
                yield _row(name, field, schema)


def _row(name: str, field: dict[str, Any], schema: dict[str, Any], more: str = "") -> str:
    if name in schema.get("required", []):
        kind = "required"
    elif field.get("default") in (None, ""):
        kind = "optional"
    else:
        kind = f"`{json.dumps(field['default'])}` by default"
    choices = ", ".join(map(str, field.get("enum", [])))
    description = field["description"] + (f" ({choices})" if choices else "")
    return f"| `{name}` | {kind}{more} | {description} |"


def _docstring(function: Any) -> str:
    """What it says to callers; the errors are sentences, which they will read."""
    text, _, _ = (inspect.getdoc(function) or "").partition("\n\nRaises:")
    return text.replace("``", "`")


if __name__ == "__main__":
    FILE.write_text(table())
