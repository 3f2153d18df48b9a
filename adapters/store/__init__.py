"""Tables, migrations and queries. Knows PostgreSQL and nothing of HTTP or Prefect."""

from __future__ import annotations

from prefect_phantom.adapters.store.database.database import Database

__all__ = ["Database"]
