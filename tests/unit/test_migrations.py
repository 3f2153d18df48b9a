"""Migrations leave what the version before them needs: its gateways serve on beside the new one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prefect_phantom.adapters.store.database.schema import MIGRATIONS

FIRST, *LATER = sorted((MIGRATIONS / "versions").glob("*.sql"))
TAKES_AWAY = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN|FUNCTION|TRIGGER)|RENAME|ALTER\s+COLUMN|SET\s+NOT\s+NULL)\b",
    re.IGNORECASE,
)
ADDED = re.compile(r"ADD\s+COLUMN\s+([^,;]*)", re.IGNORECASE)


@pytest.mark.parametrize("file", LATER, ids=lambda file: file.stem)
def test_a_migration_takes_nothing_away_from_the_version_before(file: Path) -> None:
    assert TAKES_AWAY.search(file.read_text()) is None


@pytest.mark.parametrize("file", LATER, ids=lambda file: file.stem)
def test_rows_can_be_written_without_the_columns_that_a_migration_adds(file: Path) -> None:
    for column in ADDED.findall(file.read_text()):
        assert "NOT NULL" not in column.upper() or "DEFAULT" in column.upper(), column


def test_the_first_migration_makes_the_tables() -> None:
    assert "CREATE TABLE" in FIRST.read_text()
