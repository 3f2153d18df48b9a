"""The contracts of what may import what: each notices an import that it forbids."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
FOLDERS = ("adapters", "flows", "prefect_phantom")


def _file(folder: Path, module: str) -> Path:
    """The file of a module or of a package."""
    place = folder.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a copy in which a module of each contract imports what it must not."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for contract in LINTER["contracts"]:
        with _file(copy, contract["source_modules"][0]).open("a") as file:
            file.write(f"\nimport {contract['forbidden_modules'][0]}\n")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("name", [contract["name"] for contract in LINTER["contracts"]])
def test_a_contract_is_broken_by_an_import_that_it_forbids(name: str, report: str) -> None:
    assert f"{name} BROKEN" in report
