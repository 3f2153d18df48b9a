"""Marks of removed runs, and the end of old entries of the audit.

Revision ID: 0012
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table of marks, and have the audit note what is removed from it."""
    statements = Path(__file__).with_suffix(".sql").read_text().split("\n\n")
    for statement in statements[1:]:
        op.get_bind().exec_driver_sql(statement)
