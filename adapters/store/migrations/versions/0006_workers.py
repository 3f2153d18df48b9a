"""What workers say of themselves.

Revision ID: 0006
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table of the workers."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
