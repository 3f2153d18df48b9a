"""Where apps are: in this package, at entry points, and in folders."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

GROUP = "prefect_phantom.apps"
FOLDERS = "PREFECT_PHANTOM_APPS"


@dataclass(frozen=True)
class Place:
    """What may be an app, and is not imported yet."""

    name: str
    """Of its module, or the path of its file."""
    load: Callable[[], object]
    """Imports it."""
    shipped: bool = False


def places() -> Iterator[Place]:
    """All places; names that begin with ``_`` are modules for the others."""
    package = importlib.import_module("prefect_phantom.apps")
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            name = f"{package.__name__}.{module.name}"
            yield Place(name, functools.partial(importlib.import_module, name), shipped=True)
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        yield Place(entry.value, entry.load)
    for folder in app_folders():
        yield from _files(folder)


def app_folders() -> list[Path]:
    """The folders that this process is told to look for apps in."""
    named = os.environ.get(FOLDERS, "").split(":")
    return [Path(folder).absolute() for folder in named if folder]


def _files(folder: Path) -> Iterator[Place]:
    if not folder.is_dir():
        yield Place(str(folder), functools.partial(_missing, folder))
    for file in sorted(folder.glob("*.py")):
        if not file.name.startswith("_"):
            yield Place(str(file), functools.partial(_import_file, file))


def _missing(folder: Path) -> None:
    message = f"{FOLDERS} names {folder}, which is no folder"
    raise NotADirectoryError(message)


def _import_file(file: Path) -> ModuleType:
    # Not the file's own name, which might be that of a module that others import. The folder is
    # the last place where its modules are looked for, so that it takes no other module's place.
    name = f"__app_{file.stem}_{len(sys.modules)}__"
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    specification = importlib.util.spec_from_file_location(name, file)
    if specification is None or specification.loader is None:
        raise ImportError(name=name, path=str(file))
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
