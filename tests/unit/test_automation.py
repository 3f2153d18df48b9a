"""The statement that makes runs which start by themselves."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import BigInteger, literal_column
from sqlalchemy.dialects import postgresql

from prefect_phantom.adapters.store.starts import automation
from prefect_phantom.adapters.store.starts.scope_marks import mark, newest_artifact

CONTAINER = literal_column("matching.container_id", BigInteger)
PLAYBOOK = literal_column("matching.playbook_id", BigInteger)


def _plain(sql: str) -> str:
    """The statement without names of its results, and without spaces."""
    return re.sub(r"\s+", "", re.sub(r"\sAS max_\d", "", sql))


@pytest.mark.parametrize(
    "expression",
    [mark(CONTAINER, PLAYBOOK), newest_artifact(CONTAINER)],
    ids=["first", "last"],
)
def test_the_artifacts_of_such_a_run_are_counted_as_those_of_all_others(expression):
    compiled = expression.compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )
    assert _plain(str(compiled)) in _plain(automation._START.text)
