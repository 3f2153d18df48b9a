"""Ids of rows, as callers and the database have them."""

from __future__ import annotations

LARGEST_ID = 2**63 - 1
"""What a column of ids can hold; nothing has a larger one."""
