from __future__ import annotations

from tests.coverage_table import FILE, table


def test_the_table_of_what_is_served_is_that_of_the_code() -> None:
    assert FILE.read_text() == table(), "`make coverage` writes it anew"
