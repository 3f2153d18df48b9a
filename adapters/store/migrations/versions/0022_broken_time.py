"""Since when a playbook that was whole is broken.

Revision ID: 0022
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Give playbooks the column."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
