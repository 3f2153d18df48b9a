from __future__ import annotations

import pytest

from tests import apps_table, attacks_table, coverage_table


@pytest.mark.parametrize(
    "written", [coverage_table, attacks_table, apps_table], ids=lambda it: it.FILE.name
)
def test_what_is_written_down_from_the_code_is_that_of_the_code(written) -> None:
    assert written.FILE.read_text() == written.table(), "`make coverage` writes it anew"
