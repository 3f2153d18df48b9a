"""What workers say of themselves.

Revision ID: 0003
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of the workers."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
