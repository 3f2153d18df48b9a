"""Notices of changed credentials, and an index for marks.

Revision ID: 0002
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Tell gateways of changed credentials; find the newest artifact of a scope by an index."""
    statements = Path(__file__).with_suffix(".sql").read_text().split("\n\n")
    for statement in statements[1:]:
        op.get_bind().exec_driver_sql(statement)
