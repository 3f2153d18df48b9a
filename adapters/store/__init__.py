"""Tables, migrations and queries. Knows PostgreSQL and nothing of HTTP or Prefect."""

from __future__ import annotations

from adapters.store.database import Database

__all__ = ["Database"]
