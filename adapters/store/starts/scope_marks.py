"""The marks of ``scope: "new"``, as expressions in a statement about containers and playbooks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, select

from prefect_phantom.adapters.store.tables.tables import artifacts, scope_marks
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

Id = ColumnElement[int] | int


def newest_artifact(container_id: Id) -> ColumnElement[Any]:
    """The newest artifact of a container; 0 for none."""
    newest = select(func.max(artifacts.c.id)).where(artifacts.c.container_id == container_id)
    return func.coalesce(newest.scalar_subquery(), 0)


def mark(container_id: Id, playbook_id: Id) -> ColumnElement[Any]:
    """The newest artifact that any run of the playbook on the container has had in its scope.

    One expression for runs and for what is kept of removed ones: retention moves it in between.
    """
    given = select(func.max(runs.c.last_artifact)).where(
        runs.c.container_id == container_id,
        runs.c.playbook_id == playbook_id,
        runs.c.scope.in_(("all", "new")),
    )
    kept = select(scope_marks.c.last_artifact).where(
        scope_marks.c.container_id == container_id, scope_marks.c.playbook_id == playbook_id
    )
    # Of the two, null is the lesser one.
    return func.coalesce(func.greatest(given.scalar_subquery(), kept.scalar_subquery()), 0)
