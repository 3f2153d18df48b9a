"""Why runs wait.

Revision ID: 0007
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table of what Prefect says of the work pools."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
