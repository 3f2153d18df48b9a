"""Finds playbooks: run with folders as its arguments, it prints a line of JSON for each playbook.

For a file without any it prints an empty object, so that whoever reads it sees it get on.
Each file is imported in a process of its own, forked from this one: a playbook that hangs, exits,
or starts threads on import is reported as broken and stops nothing else. The same holds for the
worker that calls it, which reads lines instead of importing anybody's code.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import prefect
from prefect.utilities.callables import parameter_schema

from prefect_phantom.flows import playbooks as shipped
from prefect_phantom.flows.finding.import_failure import import_failure
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.playbook import definition_of
from prefect_phantom.flows.process.caller import end_with_caller

LONGEST_ERROR = LONGEST_DESCRIPTION = 10_000
"""In characters; of more the beginning is told."""
LARGEST_PLAYBOOK = 200_000
"""What is told of one, in bytes of JSON."""
SHIPPED = "examples"
LOCAL = "local"
_fork = multiprocessing.get_context("fork")


def discover(folder: Path, *, repository: str, seconds: float) -> Iterator[dict[str, Any]]:
    """What each file of `folder` holds: a dictionary per playbook, or per file that is broken.

    It is empty for a file, or a flow, that is no playbook.
    Files whose names begin with ``_`` are modules for other files, and are not looked at.
    """
    for file in sorted(folder.glob("*.py")):
        if not file.name.startswith("_"):
            yield from _in_own_process(file, repository, seconds)


def _in_own_process(file: Path, repository: str, seconds: float) -> list[dict[str, Any]]:
    receiver, sender = _fork.Pipe(duplex=False)
    process = _fork.Process(target=_import_and_send, args=(file, repository, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            return [_broken(file, repository, f"Importing it took longer than {seconds:g} s")]
        found: list[dict[str, Any]] = json.loads(receiver.recv())
    except EOFError:
        process.join()
        reason = f"Importing it ended the process with exit code {process.exitcode}"
        return [_broken(file, repository, reason)]
    else:
        return found or [{}]
    finally:
        process.kill()
        process.join()
        receiver.close()


def _import_and_send(file: Path, repository: str, sender: Connection) -> None:
    # What a playbook prints on import must not end up among the lines that the caller reads.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        found = _read(file, repository)
    except BaseException as error:  # noqa: BLE001 - any way of failing is what is reported here
        found = [_broken(file, repository, f"It does not import: {import_failure(error)}")]
    # As text, and plain: the parent knows none of the classes that a playbook may have used.
    fitting = [_fitting(each, file, repository) for each in plain(found)]
    sender.send(json.dumps(fitting))


def _read(file: Path, repository: str) -> list[dict[str, Any]]:
    if repository == SHIPPED:
        name = f"{shipped.__name__}.{file.stem}"
        module = importlib.import_module(name)
    else:
        # Not the file's own name: it might be that of a module which others import.
        name = f"__playbook_{file.stem}__"
        sys.path.insert(0, str(file.parent))
        specification = importlib.util.spec_from_file_location(name, file)
        assert specification is not None  # noqa: S101 - the name ends in .py, so there is a loader
        assert specification.loader is not None  # noqa: S101
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        specification.loader.exec_module(module)
    # Of a playbook with two names in its module the first is taken.
    flows = {
        id(flow): (attribute, flow)
        for attribute, flow in reversed(vars(module).items())
        if isinstance(flow, prefect.Flow) and flow.fn.__module__ == module.__name__
    }
    return [
        _found(file, repository, module.__name__, attribute, flow)
        for attribute, flow in reversed(flows.values())
    ]


def _found(
    file: Path, repository: str, module: str, attribute: str, flow: prefect.Flow[..., Any]
) -> dict[str, Any]:
    definition = definition_of(flow)
    if definition is None:
        return {}
    shipped_here = repository == SHIPPED
    return {
        "repository": repository,
        "folder": None if shipped_here else str(file.parent),
        "entrypoint": f"{module}.{attribute}" if shipped_here else f"{file.name}:{attribute}",
        **definition.described(),
        "parameter_schema": parameter_schema(flow).model_dump_for_openapi(),
        "error": "",
    }


def _fitting(found: dict[str, Any], file: Path, repository: str) -> dict[str, Any]:
    """What is `found` of a playbook, unless it is so much that nobody could be told of it."""
    if len(found.get("description", "")) > LONGEST_DESCRIPTION:
        found["description"] = found["description"][:LONGEST_DESCRIPTION] + "..."
    size = len(json.dumps(found))
    if size <= LARGEST_PLAYBOOK:
        return found
    message = (
        f"What it says of itself, its inputs and its outputs takes {size:,} bytes; "
        f"no more than {LARGEST_PLAYBOOK:,} are taken"
    )
    return {**_broken(file, repository, message), "name": found.get("name", file.stem)}


def _broken(file: Path, repository: str, error: str) -> dict[str, Any]:
    return {
        "repository": repository,
        # Digits alone would read as an id.
        "name": file.name if file.stem.isdigit() else file.stem,
        "folder": str(file.parent),
        "entrypoint": file.name,
        "error": error[:LONGEST_ERROR],
    }


def main() -> None:
    """Print what the shipped repository and the given folders hold."""
    parser = argparse.ArgumentParser(description="Print the playbooks of folders as JSON lines.")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--caller", type=int, help="a pipe with whose end this program ends")
    arguments = parser.parse_args()
    if arguments.caller is not None:
        end_with_caller(arguments.caller)
    places = [(Path(shipped.__path__[0]), SHIPPED), *((f, LOCAL) for f in arguments.folders)]
    for folder, repository in places:
        for found in discover(folder.resolve(), repository=repository, seconds=arguments.seconds):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
