"""The playbooks of this benchmark as plain Prefect flows.

``python stock_flow.py NAME LIMIT`` serves them, at most LIMIT runs at once.
"""

from __future__ import annotations

import sys

from prefect import flow, serve, task


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


@flow
def four_hundred_tasks() -> None:
    """Run one task 200 times, as one map, and once more."""
    for _ in range(2):
        add.map([1] * 200, list(range(200))).result()


if __name__ == "__main__":
    name, limit = sys.argv[1:]
    deployments = [
        each.to_deployment(name) for each in (two_tasks, forty_tasks, four_hundred_tasks)
    ]
    serve(*deployments, limit=int(limit))
