"""The playbooks in a file, imported as a worker would."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import prefect

from prefect_phantom.flows.playbook import definition_of


def load(file: Path, name: str | None = None) -> prefect.Flow[..., Any]:
    """The playbook in `file` of this name, or the only one.

    Raises:
        LookupError: there is none, or there are several and no name is given.
        OSError, SyntaxError, ImportError: the file cannot be imported, as Python says it.

    """
    if not file.is_file():
        message = f"There is no file {file}"
        raise FileNotFoundError(message)
    # Not the file's own name: it might be that of a module which others import.
    module_name = f"__playbook_{file.stem}__"
    sys.path.insert(0, str(file.parent.resolve()))
    specification = importlib.util.spec_from_file_location(module_name, file)
    if specification is None or specification.loader is None:
        message = f"{file} is not a Python file"
        raise ImportError(message)
    module = importlib.util.module_from_spec(specification)
    sys.modules[module_name] = module
    specification.loader.exec_module(module)
    found = {
        definition.name: flow
        for flow in vars(module).values()
        if isinstance(flow, prefect.Flow)
        and flow.fn.__module__ == module_name
        and (definition := definition_of(flow)) is not None
    }
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    names = ", ".join(found) or "none"
    what = "several playbooks, so name one" if name is None and found else f"no playbook {name}"
    message = f"{file} holds {what}; there are: {names}" if found else f"{file} holds no playbook"
    raise LookupError(message)
