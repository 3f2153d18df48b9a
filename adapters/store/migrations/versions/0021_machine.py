"""Which machine a run's process is on.

Revision ID: 0021
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Give runs the column."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
