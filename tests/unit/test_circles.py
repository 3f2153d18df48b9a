"""No module needs itself, through whatever others and wherever the import stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import prefect_phantom

ROOT = Path(prefect_phantom.__file__).parent
PACKAGE = prefect_phantom.__name__
OWN_NAMES = {
    f"{PACKAGE}.flows.apps": f"{PACKAGE}.apps",
    f"{PACKAGE}.adapters.client": f"{PACKAGE}.client",
}


def own_name(name: str) -> str:
    """The one name of a module that its folders give another one, too."""
    for long, short in OWN_NAMES.items():
        if name == long or name.startswith(f"{long}."):
            return short + name.removeprefix(long)
    return name


def modules(root: Path) -> dict[str, Path]:
    """Every module by its name; links lead to the same files."""
    found = {PACKAGE: root / "__init__.py"}
    for folder in (root / "flows", root / "adapters"):
        for file in folder.resolve().rglob("*.py"):
            parts = file.relative_to(folder.resolve().parent).with_suffix("").parts
            found[own_name(".".join((PACKAGE, *parts)).removesuffix(".__init__"))] = file
    return found


def imported(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    """What a module of `package` imports: each name with the name of the module before it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            parts = [*(above if node.level else []), *([node.module] if node.module else [])]
            yield from ((f"{'.'.join(parts)}.{each.name}", ".".join(parts)) for each in node.names)


def needs(files: dict[str, Path], name: str) -> set[str]:
    """What `name` imports of them, for its types and within functions, too."""
    file = files[name]
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for whole, before in imported(ast.parse(file.read_text()), package):
        found.add(own_name(whole) if own_name(whole) in files else own_name(before))
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


@pytest.mark.parametrize(
    "back",
    [
        "from prefect_phantom.flows.one import x",
        "from prefect_phantom.flows import one",
        "if TYPE_CHECKING:\n    from prefect_phantom.flows.one import x",
        "def late():\n    from prefect_phantom.flows.one import x",
        "from .one import x",
        "from . import one",
        "import prefect_phantom.flows.one",
        "from prefect_phantom import x",
    ],
)
def test_a_circle_would_be_seen(tmp_path: Path, back: str) -> None:
    for folder in ("flows", "adapters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "__init__.py").write_text("from prefect_phantom.flows.one import x\n")
    (tmp_path / "flows" / "one.py").write_text("from prefect_phantom.flows import two\n")
    (tmp_path / "flows" / "two.py").write_text(back)
    assert "prefect_phantom.flows.two" in circle(tmp_path)


def test_a_circle_of_apps_would_be_seen_by_either_name(tmp_path: Path) -> None:
    for folder in ("flows", "flows/apps", "adapters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "__init__.py").touch()
    (tmp_path / "flows" / "apps" / "one.py").write_text("import prefect_phantom.apps.two\n")
    (tmp_path / "flows" / "apps" / "two.py").write_text(
        "from prefect_phantom.flows.apps import one"
    )
    assert "prefect_phantom.apps.two" in circle(tmp_path)
