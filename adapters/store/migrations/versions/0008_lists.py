"""What lists need.

Revision ID: 0008
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the repositories' ids, places in logs, and the indexes of what callers filter by."""
    statements = Path(__file__).with_suffix(".sql").read_text().split("\n\n")
    for statement in statements[1:]:
        op.get_bind().exec_driver_sql(statement)
