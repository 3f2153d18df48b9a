"""What the worker and the gateway share about Prefect."""

from __future__ import annotations
