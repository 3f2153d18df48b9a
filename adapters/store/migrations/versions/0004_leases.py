"""Runs that start again when their worker is gone.

Revision ID: 0004
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what a playbook says of it, and which runs are about to."""
    statements = Path(__file__).with_suffix(".sql").read_text().split("\n\n")
    for statement in statements[1:]:
        op.get_bind().exec_driver_sql(statement)
