"""No module needs itself, through whatever others and wherever the import stands."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import prefect_phantom

ROOT = Path(prefect_phantom.__file__).parent
OWN_NAMES = {"flows.apps": "apps", "adapters.client": "client"}


def modules(root: Path) -> dict[str, Path]:
    """Every module by its name below `root`; links lead to the same names."""
    found = {}
    for folder in (root / "flows", root / "adapters"):
        for file in folder.resolve().rglob("*.py"):
            relative = file.relative_to(folder.resolve().parent).with_suffix("")
            name = ".".join(relative.parts).removesuffix(".__init__")
            for long, short in OWN_NAMES.items():
                if name == long or name.startswith(f"{long}."):
                    name = short + name.removeprefix(long)
            found[name] = file
    return found


def needs(files: dict[str, Path], name: str) -> set[str]:
    """What `name` imports of them, for its types and within functions, too."""
    found = set()
    for node in ast.walk(ast.parse(files[name].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            package = node.module.removeprefix("prefect_phantom.")
            for alias in node.names:
                whole = f"{package}.{alias.name}"
                found.add(whole if whole in files else package)
    return (found & files.keys()) - {name}


def circle(root: Path) -> list[str]:
    """A circle of modules, or nothing."""
    files = modules(root)
    try:
        TopologicalSorter({name: needs(files, name) for name in files}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_needs_itself() -> None:
    assert circle(ROOT) == []


@pytest.mark.parametrize("indented", ["", "if TYPE_CHECKING:\n    ", "def late():\n    "])
def test_a_circle_would_be_seen(tmp_path: Path, indented: str) -> None:
    for folder in ("flows", "adapters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "flows" / "one.py").write_text("from prefect_phantom.flows import two\n")
    (tmp_path / "flows" / "two.py").write_text(f"{indented}from prefect_phantom.flows.one import x")
    assert set(circle(tmp_path)) == {"flows.one", "flows.two"}
