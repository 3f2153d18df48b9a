"""The playbooks of this benchmark as plain Prefect flows."""

from __future__ import annotations

from prefect import flow, task


@task
def add(left: int, right: int) -> str:
    """Add two numbers."""
    return str(left + right)


@flow
def two_tasks() -> None:
    """Run two tasks, one after the other."""
    add(1, 1)
    add(1, 2)


@flow
def forty_tasks() -> None:
    """Run one task forty times, as one map."""
    add.map([1] * 40, list(range(40))).result()
