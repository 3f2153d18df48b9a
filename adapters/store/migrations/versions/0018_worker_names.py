"""Which worker has which name.

Revision ID: 0018
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Make the table of names."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
