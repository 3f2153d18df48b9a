"""How runs of a playbook are kept apart.

Revision ID: 0003
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what a playbook says of its isolation, and what Prefect was told of it."""
    statements = Path(__file__).with_suffix(".sql").read_text().split("\n\n")
    for statement in statements[1:]:
        op.get_bind().exec_driver_sql(statement)
