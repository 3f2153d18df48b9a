"""Writes `docs/attacks.md` from the tests that are marked as attacks. `make coverage` runs it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
FILE = TESTS.parent / "docs" / "attacks.md"
HEAD = """\
# Attacks that are tried

Each is tried by `make test`. Written by `make coverage` from the tests that try them.

| what is tried | what comes of it | test |
|---|---|---|
"""


def table() -> str:
    """The whole file."""
    rows = [
        f"| {tried} | {outcome} | `{file.relative_to(TESTS.parent)}`: `{name}` |\n"
        for file in sorted(TESTS.glob("*/test_*.py"))
        for tried, outcome, name in _attacks(file)
    ]
    return HEAD + "".join(rows)


def _attacks(file: Path) -> Iterator[tuple[str, str, str]]:
    """What a file's tests try, what comes of it, and their names."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(
                        ast.Attribute(attr="attack"),
                        [ast.Constant(str(tried)), ast.Constant(str(outcome))],
                    ):
                        yield tried, outcome, node.name


if __name__ == "__main__":
    FILE.write_text(table())
