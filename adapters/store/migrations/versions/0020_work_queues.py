"""Work queues of Prefect, whose rules hold for the runs that wait here.

Revision ID: 0020
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the tables of work queues and of their pauses, and name that of each playbook."""
    for statement in Path(__file__).with_suffix(".sql").read_text().split("\n\n"):
        op.get_bind().exec_driver_sql(statement)
