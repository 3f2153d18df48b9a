"""The queue of each playbook.

Revision ID: 0024
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make its index, by itself: whoever writes a run waits while it is made."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
