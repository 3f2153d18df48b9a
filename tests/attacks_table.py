"""Writes `docs/attacks.md` from the tests that are marked as attacks. `make coverage` runs it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
FILE = TESTS.parent / "docs" / "attacks.md"
MARK = "pytest.mark.long"
LONG = ", `make test-long`"
HEAD = """\
# Attacks that are tried

Each is tried by `make test`, or by `make test-long` where it says so. Written by `make coverage`
from the tests that try them.

| what is tried | what comes of it | test |
|---|---|---|
"""


def table() -> str:
    """The whole file."""
    rows = [
        f"| {tried} | {outcome} | `{file.relative_to(TESTS.parent)}`: `{name}`{LONG * is_long} |\n"
        for file in sorted(TESTS.glob("*/test_*.py"))
        for tried, outcome, name, is_long in _attacks(file)
    ]
    return HEAD + "".join(rows)


def _attacks(file: Path) -> Iterator[tuple[str, str, str, bool]]:
    """What a file's tests try, what comes of it, their names, and whether they take long."""
    body = ast.parse(file.read_text()).body
    all_long = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and MARK in ast.unparse(node.value)
        for node in body
    )
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_long = all_long or MARK in map(ast.unparse, node.decorator_list)
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(
                        ast.Attribute(attr="attack"),
                        [ast.Constant(str(tried)), ast.Constant(str(outcome))],
                    ):
                        yield tried, outcome, node.name, is_long


if __name__ == "__main__":
    FILE.write_text(table())
