"""How much a worker may report of its playbooks: it fits what it says, the gateway refuses more."""

from __future__ import annotations

LARGEST_REPORT = 8 * 1024 * 1024
"""In bytes of JSON."""
MOST_PLAYBOOKS = 10_000
